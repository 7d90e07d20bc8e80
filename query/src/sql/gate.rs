//! Lets so many queries run, so many wait, and refuses the rest.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{SqlError, SqlErrorCode};

/// A bounded queue in front of a bounded number of places.
#[derive(Debug)]
pub(crate) struct Gate {
    /// One permit for each query that runs or waits.
    admitted: Arc<Semaphore>,
    /// One permit for each query that runs.
    running: Arc<Semaphore>,
    places: usize,
}

/// A place among the running queries; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    _running: OwnedSemaphorePermit,
    _admitted: OwnedSemaphorePermit,
}

impl Gate {
    pub(crate) fn new(running_max: usize, waiting_max: usize) -> Self {
        let running_max = running_max.clamp(1, Semaphore::MAX_PERMITS / 2);
        let waiting_max = waiting_max.min(Semaphore::MAX_PERMITS / 2);
        Self {
            admitted: Arc::new(Semaphore::new(running_max + waiting_max)),
            running: Arc::new(Semaphore::new(running_max)),
            places: running_max,
        }
    }

    /// A ticket for the queue, at once.
    ///
    /// # Errors
    /// `overloaded` where the queue is full.
    pub(crate) fn enter(&self) -> Result<Ticket, SqlError> {
        let admitted = Arc::clone(&self.admitted)
            .try_acquire_owned()
            .map_err(|_| self.refusal())?;
        Ok(Ticket {
            admitted,
            running: Arc::clone(&self.running),
            places: self.places,
        })
    }

    fn refusal(&self) -> SqlError {
        overloaded(self.places)
    }
}

fn overloaded(places: usize) -> SqlError {
    SqlError::new(
        SqlErrorCode::Overloaded,
        format!("{places} queries run already and the queue is full"),
    )
    .with_hint("send the query again later")
}

/// A right to wait.
#[derive(Debug)]
pub(crate) struct Ticket {
    admitted: OwnedSemaphorePermit,
    running: Arc<Semaphore>,
    places: usize,
}

impl Ticket {
    /// Waits for a place, first come first served.
    pub(crate) async fn wait(self) -> Result<Place, SqlError> {
        // The semaphore is never closed, so that a failure can only mean that the gate has gone.
        let running = self
            .running
            .acquire_owned()
            .await
            .map_err(|_| overloaded(self.places))?;
        Ok(Place {
            _running: running,
            _admitted: self.admitted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn runs_queues_and_refuses() {
        let gate = Gate::new(1, 1);
        let first = gate.enter().unwrap().wait().await.unwrap();
        let second = gate.enter().unwrap();
        assert_eq!(gate.enter().unwrap_err().code, SqlErrorCode::Overloaded);
        drop(first);
        let second = second.wait().await.unwrap();
        assert!(gate.enter().is_ok());
        drop(second);
    }
}
