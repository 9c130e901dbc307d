//! How many requests are served at the same time, and who is turned away when more come.
//!
//! A server that takes everybody in serves nobody in time. So each request takes a place while it is worked on, and each class has only a
//! part of them: what people can do without fills up first, what devices send comes last (decision 0026). Whoever finds no place waits a
//! moment, the newest first: he is the one whose client still waits.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sitewatch_domain::limits::RequestClass;
use tokio::{sync::oneshot, time::timeout};

use crate::error::ApiError;

/// What a request waits for a place at most.
const PATIENCE: Duration = Duration::from_millis(100);
/// The most important first.
const BY_IMPORTANCE: [RequestClass; 5] =
    [RequestClass::Ingest, RequestClass::Auth, RequestClass::Write, RequestClass::Read, RequestClass::Export];

/// The places of a server, shared by all of its threads.
#[derive(Clone)]
pub(crate) struct Places(Arc<House>);

struct House {
    places: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: usize,
    /// By class, in the order of importance; the newest is the last.
    waiting: [VecDeque<oneshot::Sender<Place>>; BY_IMPORTANCE.len()],
}

/// A place that is taken until it is dropped.
pub(crate) struct Place(Arc<House>);

impl Places {
    /// So many, at least one for each class.
    pub(crate) fn of_at_most(places: usize) -> Self {
        Self(Arc::new(House { places: places.max(1), state: Mutex::default() }))
    }

    /// A place for a request of this class.
    ///
    /// # Errors
    /// 503 if none is free soon.
    pub(crate) async fn enter(&self, class: RequestClass) -> Result<Place, ApiError> {
        let Some(line) = BY_IMPORTANCE.iter().position(|known| *known == class) else {
            return Err(ApiError::internal("the class has no places"));
        };
        let turn = {
            let mut state = self.0.held();
            if state.taken < self.0.share_of(class) {
                state.taken += 1;
                return Ok(Place(Arc::clone(&self.0)));
            }
            state.join(line, self.0.places)
        };
        if let Some(turn) = turn
            && let Ok(Ok(place)) = timeout(PATIENCE, turn).await
        {
            return Ok(place);
        }
        metrics::counter!("http_requests_shed_total", "class" => class.name()).increment(1);
        Err(ApiError::unavailable("the server has too much to do at the moment"))
    }
}

impl House {
    /// How many places may be taken for one more of this class to be let in.
    fn share_of(&self, class: RequestClass) -> usize {
        let percent = match class {
            RequestClass::Ingest => 100,
            RequestClass::Auth | RequestClass::Write => 90,
            RequestClass::Read => 80,
            RequestClass::Export => 25,
        };
        (self.places * percent / 100).max(1)
    }

    fn held(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Frees a place; who has it next, if anybody waits that may.
    fn free(&self) -> Option<oneshot::Sender<Place>> {
        let mut state = self.held();
        state.taken = state.taken.saturating_sub(1);
        for (line, class) in BY_IMPORTANCE.into_iter().enumerate() {
            if state.taken >= self.share_of(class) {
                continue;
            }
            while let Some(next) = state.waiting.get_mut(line).and_then(VecDeque::pop_back) {
                if !next.is_closed() {
                    state.taken += 1;
                    return Some(next);
                }
            }
        }
        None
    }
}

impl State {
    /// Waits in this line; the oldest one leaves it if it is too long.
    fn join(&mut self, line: usize, longest: usize) -> Option<oneshot::Receiver<Place>> {
        let line = self.waiting.get_mut(line)?;
        if line.len() >= longest {
            line.retain(|waiting| !waiting.is_closed());
        }
        if line.len() >= longest {
            line.pop_front();
        }
        let (called, turn) = oneshot::channel();
        line.push_back(called);
        Some(turn)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(next) = self.0.free() {
            // Whoever has left meanwhile has it dropped, which frees it again.
            drop(next.send(Place(Arc::clone(&self.0))));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    async fn fill(places: &Places, class: RequestClass) -> Vec<Place> {
        let mut held = Vec::new();
        while let Ok(place) = places.enter(class).await {
            held.push(place);
        }
        held
    }

    #[tokio::test]
    async fn each_class_has_its_part_of_the_places() {
        let places = Places::of_at_most(20);
        let mut held = Vec::new();
        for (class, expected) in [
            (RequestClass::Export, 5),
            (RequestClass::Read, 16),
            (RequestClass::Write, 18),
            (RequestClass::Auth, 18),
            (RequestClass::Ingest, 20),
        ] {
            held.extend(fill(&places, class).await);
            assert_eq!(held.len(), expected, "{class:?}");
        }
        drop(held);
        assert_eq!(fill(&places, RequestClass::Ingest).await.len(), 20, "all are free again");
        let one = Places::of_at_most(1);
        for class in RequestClass::ALL {
            assert!(one.enter(*class).await.is_ok(), "{class:?}");
        }
    }

    #[tokio::test]
    async fn whoever_finds_none_is_told_soon() {
        let places = Places::of_at_most(1);
        let held = places.enter(RequestClass::Read).await.expect("a place");
        let began = Instant::now();
        let refused = places.enter(RequestClass::Ingest).await.err().expect("no place");
        assert_eq!(refused.status(), 503);
        assert!(began.elapsed() >= PATIENCE);
        drop(held);
        assert!(places.enter(RequestClass::Export).await.is_ok(), "those who left hold none");
    }

    #[tokio::test]
    async fn the_most_important_is_next_and_then_the_newest() {
        let places = Places::of_at_most(4);
        let held = fill(&places, RequestClass::Ingest).await;
        let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
        for (name, class) in [
            ("report", RequestClass::Export),
            ("older", RequestClass::Read),
            ("newer", RequestClass::Read),
            ("readings", RequestClass::Ingest),
        ] {
            let (places, told) = (places.clone(), told.clone());
            tokio::spawn(async move {
                let place = places.enter(class).await.expect("a place");
                told.send(name).expect("a listener");
                drop(place);
            });
            tokio::task::yield_now().await;
        }
        drop(held);
        for expected in ["readings", "newer", "older", "report"] {
            assert_eq!(order.recv().await, Some(expected));
        }
    }

    #[tokio::test]
    async fn a_line_has_an_end() {
        let places = Places::of_at_most(2);
        let held = fill(&places, RequestClass::Ingest).await;
        let began = Instant::now();
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let places = places.clone();
                tokio::spawn(
                    async move { (places.enter(RequestClass::Ingest).await.is_ok(), Instant::now()) },
                )
            })
            .collect();
        let mut left = Vec::new();
        for one in waiting {
            left.push(one.await.expect("an end"));
        }
        let [(_, first), (_, second), _] = left[..] else { panic!("three") };
        assert!(first - began < PATIENCE / 2, "the oldest makes room at once");
        assert!(second - began >= PATIENCE);
        assert!(left.iter().all(|(entered, _)| !entered));
        drop(held);
    }
}
