//! The same question of many requests, put to the database once.
//!
//! While an answer is under way, further askers wait; the next statement asks for all of them. There is no timer: a lone asker
//! never waits for company. Nobody gets an answer to a statement that began before he asked, so what he is told is as fresh as
//! if he had asked alone.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use sitewatch_domain::ports::StoreError;
use tokio::sync::oneshot;

/// Keys of one statement at most.
const MOST_KEYS: usize = 500;

/// What is asked, for many keys at once.
#[async_trait]
pub(crate) trait Question: Send + Sync + 'static {
    /// What an asker names.
    type Key: Copy + Eq + Hash + Ord + Send + Sync;
    /// What he gets.
    type Answer: Clone + Send + Sync;

    /// The answers that there are.
    async fn ask(&self, keys: &[Self::Key]) -> Result<HashMap<Self::Key, Self::Answer>, StoreError>;
}

type Answered<Q> = Result<Option<<Q as Question>::Answer>, Arc<StoreError>>;

/// Gathers the askers of a question.
pub(crate) struct Gather<Q: Question> {
    question: Q,
    askers: Mutex<Askers<Q>>,
}

struct Askers<Q: Question> {
    waiting: Vec<(Q::Key, oneshot::Sender<Answered<Q>>)>,
    is_asking: bool,
}

impl<Q: Question> Gather<Q> {
    pub(crate) fn new(question: Q) -> Arc<Self> {
        Arc::new(Self { question, askers: Mutex::new(Askers { waiting: Vec::new(), is_asking: false }) })
    }

    /// The answer for a key.
    pub(crate) async fn ask(self: &Arc<Self>, key: Q::Key) -> Result<Option<Q::Answer>, StoreError> {
        let (sender, answer) = oneshot::channel();
        let is_first = {
            let mut askers = self.askers();
            askers.waiting.push((key, sender));
            !std::mem::replace(&mut askers.is_asking, true)
        };
        if is_first {
            // A task of its own: the asker may break off while others wait for the same statement.
            drop(tokio::spawn(Arc::clone(self).answer_all()));
        }
        match answer.await {
            Ok(answer) => answer.map_err(shared),
            Err(broken_off) => Err(StoreError::Unavailable(Box::new(broken_off))),
        }
    }

    async fn answer_all(self: Arc<Self>) {
        let mut asking = Asking { gather: &self, is_done: false };
        loop {
            let asked = {
                let mut askers = self.askers();
                if askers.waiting.is_empty() {
                    askers.is_asking = false;
                    asking.is_done = true;
                    return;
                }
                let most = askers.waiting.len().min(MOST_KEYS);
                askers.waiting.drain(..most).collect::<Vec<_>>()
            };
            let mut keys: Vec<Q::Key> = asked.iter().map(|(key, _)| *key).collect();
            keys.sort_unstable();
            keys.dedup();
            let answers = self.question.ask(&keys).await.map_err(Arc::new);
            for (key, sender) in asked {
                let answer = answers.as_ref().map(|found| found.get(&key).cloned()).map_err(Arc::clone);
                // Who has broken off misses nothing.
                drop(sender.send(answer));
            }
        }
    }

    fn askers(&self) -> MutexGuard<'_, Askers<Q>> {
        self.askers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the next asker begin anew if the task ends without having answered all: in a panic, or with its runtime. Those who
/// wait are told, since their senders go.
struct Asking<'a, Q: Question> {
    gather: &'a Gather<Q>,
    is_done: bool,
}

impl<Q: Question> Drop for Asking<'_, Q> {
    fn drop(&mut self) {
        if !self.is_done {
            let mut askers = self.gather.askers();
            askers.waiting.clear();
            askers.is_asking = false;
        }
    }
}

fn shared(error: Arc<StoreError>) -> StoreError {
    match error.as_ref() {
        StoreError::Conflict(rule) => StoreError::Conflict(*rule),
        StoreError::Revoked => StoreError::Revoked,
        StoreError::Unavailable(_) => StoreError::Unavailable(Box::new(error)),
        StoreError::Corrupt { table, column, row } => StoreError::Corrupt { table, column, row: row.clone() },
        StoreError::Backend(_) => StoreError::Backend(Box::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::{sync::Semaphore, task::JoinSet};

    use super::*;

    /// Answers even keys with their double, after being let; counts its statements.
    struct Doubles {
        lets: Semaphore,
        statements: AtomicUsize,
    }

    #[async_trait]
    impl Question for Arc<Doubles> {
        type Key = u32;
        type Answer = u32;

        async fn ask(&self, keys: &[u32]) -> Result<HashMap<u32, u32>, StoreError> {
            self.statements.fetch_add(1, Ordering::SeqCst);
            self.lets.acquire().await.expect("open").forget();
            assert!(!keys.contains(&13), "a question that fails badly");
            if keys.contains(&7) {
                return Err(StoreError::Unavailable("away".into()));
            }
            Ok(keys.iter().filter(|key| *key % 2 == 0).map(|key| (*key, key * 2)).collect())
        }
    }

    fn doubles() -> (Arc<Doubles>, Arc<Gather<Arc<Doubles>>>) {
        let doubles = Arc::new(Doubles { lets: Semaphore::new(0), statements: AtomicUsize::new(0) });
        (Arc::clone(&doubles), Gather::new(doubles))
    }

    /// Asks, and returns when the asker waits.
    async fn asker(
        askers: &mut JoinSet<Result<Option<u32>, StoreError>>,
        gather: &Arc<Gather<Arc<Doubles>>>,
        key: u32,
    ) {
        let gather = Arc::clone(gather);
        askers.spawn(async move { gather.ask(key).await });
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }

    #[tokio::test]
    async fn those_who_come_meanwhile_share_the_next_statement() {
        let (doubles, gather) = doubles();
        let mut askers = JoinSet::new();
        for key in [2, 4, 4, 6, 5] {
            asker(&mut askers, &gather, key).await;
        }
        assert_eq!(doubles.statements.load(Ordering::SeqCst), 1, "the first did not wait for the others");
        doubles.lets.add_permits(2);
        let mut answers: Vec<_> =
            askers.join_all().await.into_iter().map(|answer| answer.expect("asked")).collect();
        answers.sort_unstable();
        assert_eq!(answers, [None, Some(4), Some(8), Some(8), Some(12)]);
        assert_eq!(doubles.statements.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_failure_is_told_to_all_and_is_not_the_end() {
        let (doubles, gather) = doubles();
        let mut askers = JoinSet::new();
        for key in [2, 7, 4] {
            asker(&mut askers, &gather, key).await;
        }
        doubles.lets.add_permits(2);
        let failed = askers.join_all().await.into_iter().filter(Result::is_err).count();
        assert_eq!(failed, 2, "the two of the second statement");
        doubles.lets.add_permits(1);
        assert_eq!(gather.ask(8).await.expect("asked"), Some(16));
    }

    #[tokio::test]
    async fn a_panic_holds_up_nobody() {
        let (doubles, gather) = doubles();
        doubles.lets.add_permits(2);
        assert!(matches!(gather.ask(13).await, Err(StoreError::Unavailable(_))));
        assert_eq!(gather.ask(2).await.expect("asked"), Some(4));
    }

    #[tokio::test]
    async fn an_asker_who_breaks_off_takes_nobody_along() {
        let (doubles, gather) = doubles();
        let mut first = JoinSet::new();
        asker(&mut first, &gather, 2).await;
        let mut second = JoinSet::new();
        asker(&mut second, &gather, 4).await;
        first.abort_all();
        doubles.lets.add_permits(2);
        let answers: Vec<_> =
            second.join_all().await.into_iter().map(|answer| answer.expect("asked")).collect();
        assert_eq!(answers, [Some(8)]);
    }
}
