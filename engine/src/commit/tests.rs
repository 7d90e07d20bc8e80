use std::sync::Arc;

use super::*;
use crate::SampleColumns;

fn pending() -> Pending {
    Pending::new(SampleColumns::new(&Head::new(1)), Vec::new(), Box::new(drop))
}

fn push(queue: &CommitQueue) {
    let pushed = queue.push(pending(), &MemoryBudget::unlimited());
    assert!(pushed.is_ok());
}

#[test]
fn nobody_is_waited_for_who_was_not_there_or_where_a_sync_costs_nothing() {
    let slow = 8_000_000;
    let company = |batches, took_ns| Company { batches, took_ns };
    assert_eq!(Company::default().patience(1), None);
    assert_eq!(company(4, slow).patience(4), None);
    assert_eq!(company(4, 1000).patience(1), None);
    assert_eq!(company(4, slow).patience(3), Some(Duration::from_millis(2)));
}

#[test]
fn a_commit_goes_on_as_soon_as_its_company_is_complete() {
    let queue = Arc::new(CommitQueue::default());
    let mut batches = vec![pending()];
    let others = Arc::clone(&queue);
    let sender = std::thread::spawn(move || (0..2).for_each(|_| push(&others)));
    // An hour's patience: the test ends because the others come.
    let company = Company {
        batches: 3,
        took_ns: 4 * 3_600_000_000_000,
    };
    queue.gather(&mut batches, &company);
    assert_eq!(batches.len(), 3);
    sender.join().unwrap();
}

#[test]
fn a_queue_that_closes_is_not_waited_at() {
    let queue = CommitQueue::default();
    push(&queue);
    queue.close();
    let mut batches = vec![pending()];
    let company = Company {
        batches: 9,
        took_ns: 4 * 3_600_000_000_000,
    };
    queue.gather(&mut batches, &company);
    assert_eq!((batches.len(), queue.len()), (2, 0));
}
