//! Places for running queries, and a bounded queue before them in which callers take turns.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::PromqlError;

/// The queue. Clones are the same queue.
#[derive(Debug, Clone)]
pub(super) struct FairQueue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    places: usize,
    waiting_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    waiting: usize,
    next_id: u64,
    /// who waits, by caller, first come first
    callers: HashMap<Arc<str>, VecDeque<Waiter>>,
    /// callers with someone waiting, each once, the next to be served first
    turns: VecDeque<Arc<str>>,
}

#[derive(Debug)]
struct Waiter {
    id: u64,
    sender: oneshot::Sender<Place>,
}

/// A place among the running queries; dropping it gives it to the next.
#[derive(Debug)]
pub(super) struct Place(Option<FairQueue>);

/// A place, or the wait for one; dropping it leaves the queue.
#[derive(Debug)]
pub(super) enum Entry {
    Now(Place),
    Later(Waiting),
}

#[derive(Debug)]
pub(super) struct Waiting {
    queue: FairQueue,
    caller: Arc<str>,
    id: u64,
    receiver: oneshot::Receiver<Place>,
}

impl FairQueue {
    pub(super) fn new(running_max: usize, waiting_max: usize) -> Self {
        Self(Arc::new(Inner {
            places: running_max.max(1),
            waiting_max,
            state: Mutex::default(),
        }))
    }

    /// Enters the queue, at once.
    ///
    /// # Errors
    /// [`PromqlError::Overloaded`] where as many wait as may.
    pub(super) fn enter(&self, caller: &Arc<str>) -> Result<Entry, PromqlError> {
        let mut state = self.state();
        if state.running < self.0.places {
            state.running += 1;
            return Ok(Entry::Now(Place(Some(self.clone()))));
        }
        if state.waiting >= self.0.waiting_max {
            return Err(PromqlError::Overloaded {
                running: self.0.places,
                waiting: self.0.waiting_max,
            });
        }
        let (sender, receiver) = oneshot::channel();
        let id = state.next_id;
        state.next_id += 1;
        state.waiting += 1;
        let line = state.callers.entry(Arc::clone(caller)).or_default();
        let is_first = line.is_empty();
        line.push_back(Waiter { id, sender });
        if is_first {
            state.turns.push_back(Arc::clone(caller));
        }
        drop(state);
        Ok(Entry::Later(Waiting {
            queue: self.clone(),
            caller: Arc::clone(caller),
            id,
            receiver,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a place that has become free to whoever's turn it is.
    fn pass_on(&self) {
        let mut state = self.state();
        while let Some(waiter) = state.next_waiter() {
            match waiter.sender.send(Place(Some(self.clone()))) {
                Ok(()) => return,
                // Nobody waits there any more. The place must not pass itself on while the state is locked.
                Err(mut place) => place.0 = None,
            }
        }
        state.running -= 1;
    }
}

impl State {
    /// The first in the line of the caller whose turn it is; the caller goes behind the others.
    fn next_waiter(&mut self) -> Option<Waiter> {
        let caller = self.turns.pop_front()?;
        let line = self.callers.get_mut(&caller)?;
        let waiter = line.pop_front()?;
        self.waiting -= 1;
        if line.is_empty() {
            self.callers.remove(&caller);
        } else {
            self.turns.push_back(caller);
        }
        Some(waiter)
    }
}

impl Entry {
    /// Waits for the place.
    pub(super) async fn place(self) -> Result<Place, PromqlError> {
        match self {
            Self::Now(place) => Ok(place),
            // The sender goes only with the queue.
            Self::Later(mut waiting) => (&mut waiting.receiver).await.map_err(|_| PromqlError::Panicked),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        let Some(line) = state.callers.get_mut(&self.caller) else {
            return;
        };
        let Some(at) = line.iter().position(|waiter| waiter.id == self.id) else {
            return;
        };
        line.remove(at);
        if line.is_empty() {
            state.callers.remove(&self.caller);
            state.turns.retain(|caller| *caller != self.caller);
        }
        state.waiting -= 1;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn caller(name: &str) -> Arc<str> {
        Arc::from(name)
    }

    #[test]
    fn callers_take_turns() {
        let queue = FairQueue::new(1, 10);
        let first = queue.enter(&caller("a")).unwrap().place().now_or_never();
        let mut waiting: Vec<_> = ["a", "a", "a", "b", "c"]
            .into_iter()
            .map(|name| (name, Box::pin(queue.enter(&caller(name)).unwrap().place())))
            .collect();
        let mut order = Vec::new();
        let mut place = first;
        while !waiting.is_empty() {
            drop(place.take());
            let served = waiting
                .iter_mut()
                .position(|(_, waiting)| match waiting.now_or_never() {
                    Some(found) => {
                        place = Some(found);
                        true
                    }
                    None => false,
                })
                .unwrap();
            order.push(waiting.remove(served).0);
        }
        assert_eq!(order, ["a", "b", "c", "a", "a"]);
        drop(place);
        assert_eq!(queue.state().running, 0);
    }

    #[test]
    fn one_who_gives_up_leaves_no_gap() {
        let queue = FairQueue::new(1, 2);
        let place = queue.enter(&caller("a")).unwrap().place().now_or_never();
        let gone = queue.enter(&caller("b")).unwrap();
        let stays = queue.enter(&caller("c")).unwrap();
        let refused = queue.enter(&caller("d")).unwrap_err();
        assert_eq!(refused.kind(), "unavailable");
        drop(gone);
        let late = queue.enter(&caller("d")).unwrap();
        drop(place);
        let place = stays.place().now_or_never();
        assert!(place.is_some());
        // The place that was sent to one who never looked goes on as well.
        drop(place);
        drop(late);
        assert!(
            queue
                .enter(&caller("e"))
                .unwrap()
                .place()
                .now_or_never()
                .is_some()
        );
    }
}
