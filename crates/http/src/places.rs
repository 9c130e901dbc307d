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
/// One in so many places is each class's own, however full all others are.
const FLOOR: usize = 16;
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
    /// By class, in the order of importance.
    of_class: [usize; BY_IMPORTANCE.len()],
    /// By class, in the order of importance; the newest is the last.
    waiting: [VecDeque<oneshot::Sender<Place>>; BY_IMPORTANCE.len()],
}

/// A place that is taken until it is dropped, and the line of its class.
pub(crate) struct Place(Arc<House>, usize);

impl Places {
    /// So many, at least one for each class.
    pub(crate) fn of_at_most(places: usize) -> Self {
        Self(Arc::new(House { places: places.max(1), state: Mutex::default() }))
    }

    /// Tells that nobody was turned away yet: a figure that only appears with the first one shows no rise.
    pub(crate) fn begin_count() {
        for class in BY_IMPORTANCE {
            metrics::counter!("http_requests_shed_total", "class" => class.name()).increment(0);
        }
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
            if self.0.has_room(&state, line) {
                state.take(line);
                return Ok(Place(Arc::clone(&self.0), line));
            }
            state.join(line, self.0.places)
        };
        if let Some(turn) = turn
            && let Ok(Ok(place)) = timeout(PATIENCE, turn).await
        {
            return Ok(place);
        }
        metrics::counter!("http_requests_shed_total", "class" => class.name()).increment(1);
        Err(ApiError::crowded())
    }
}

impl House {
    /// Whether one more of this class may be let in: while fewer than its part of all places are taken, by whichever class; and in any case
    /// a few at a time, so that no crowd keeps another class out altogether.
    fn has_room(&self, state: &State, line: usize) -> bool {
        let percent = match BY_IMPORTANCE.get(line) {
            Some(RequestClass::Ingest) => 100,
            Some(RequestClass::Auth | RequestClass::Write) => 90,
            Some(RequestClass::Read) => 80,
            Some(RequestClass::Export) | None => 25,
        };
        let own = state.of_class.get(line).copied().unwrap_or_default();
        state.taken < (self.places * percent / 100).max(1) || own < (self.places / FLOOR).max(1)
    }

    fn held(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Frees a place; who has one next, if anybody waits that may.
    fn free(&self, line: usize) -> Option<(oneshot::Sender<Place>, usize)> {
        let mut state = self.held();
        state.give_back(line);
        for line in 0..BY_IMPORTANCE.len() {
            if !self.has_room(&state, line) {
                continue;
            }
            while let Some(next) = state.waiting.get_mut(line).and_then(VecDeque::pop_back) {
                if !next.is_closed() {
                    state.take(line);
                    return Some((next, line));
                }
            }
        }
        None
    }
}

impl State {
    fn take(&mut self, line: usize) {
        self.taken += 1;
        if let Some(own) = self.of_class.get_mut(line) {
            *own += 1;
        }
    }

    fn give_back(&mut self, line: usize) {
        self.taken = self.taken.saturating_sub(1);
        if let Some(own) = self.of_class.get_mut(line) {
            *own = own.saturating_sub(1);
        }
    }

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
        if let Some((next, line)) = self.0.free(self.1) {
            // Whoever has left meanwhile has it dropped, which frees it again.
            drop(next.send(Place(Arc::clone(&self.0), line)));
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
            (RequestClass::Auth, 19),
            (RequestClass::Ingest, 20),
        ] {
            held.extend(fill(&places, class).await);
            assert_eq!(held.len(), expected, "{class:?}");
        }
        drop(held);
        let readings = fill(&places, RequestClass::Ingest).await;
        assert_eq!(readings.len(), 20, "all are free again");
        for class in [RequestClass::Auth, RequestClass::Write, RequestClass::Read, RequestClass::Export] {
            assert_eq!(fill(&places, class).await.len(), 1, "{class:?} has a place of its own");
        }
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
        let refused = places.enter(RequestClass::Read).await.err().expect("no place");
        assert_eq!(refused.status(), 503);
        assert!(began.elapsed() >= PATIENCE);
        drop(held);
        assert!(places.enter(RequestClass::Export).await.is_ok(), "those who left hold none");
    }

    #[tokio::test]
    async fn the_most_important_is_next_and_then_the_newest() {
        let places = Places::of_at_most(4);
        let mut held = fill(&places, RequestClass::Ingest).await;
        // Those that are the classes' own.
        held.extend(fill(&places, RequestClass::Export).await);
        held.extend(fill(&places, RequestClass::Read).await);
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
        assert!(first < second, "the oldest makes room");
        assert!(second - began >= PATIENCE);
        assert!(left.iter().all(|(entered, _)| !entered));
        drop(held);
    }
}
