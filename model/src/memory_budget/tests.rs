use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;

const MIB: usize = 1 << 20;

#[test]
fn a_share_ends_at_its_limit_and_what_was_refused_is_not_taken() {
    let budget = MemoryBudget::new(256 * MIB);
    budget.try_grow(MemoryShare::Ingest, 32 * MIB).unwrap();
    let refusal = budget.try_grow(MemoryShare::Ingest, 1).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "1 more bytes for ingest do not fit: its share may hold 33554432, and 33554432 are taken"
    );
    assert!(budget.is_full(MemoryShare::Ingest));
    budget.shrink(MemoryShare::Ingest, 32 * MIB);
    assert!(
        budget.try_grow(MemoryShare::Ingest, usize::MAX).is_err(),
        "a sum that overflows is too much"
    );
    let ingest = budget.shares().next().unwrap();
    assert_eq!(
        (ingest.used_bytes, ingest.peak_bytes, ingest.refusals),
        (0, 32 * MIB, 2)
    );
}

#[test]
fn queries_take_what_others_leave_but_not_what_is_kept_for_writing() {
    let budget = Arc::new(MemoryBudget::new(256 * MIB));
    // 208 MiB for all: 64 are kept for the memtable, 32 for compaction, 16 each for ingest and the queue.
    let queries = budget.reserve(MemoryShare::Queries, 80 * MIB).unwrap();
    let refusal = budget.reserve(MemoryShare::Queries, 1).unwrap_err();
    assert!(refusal.to_string().contains("all shares together"), "{refusal}");
    budget.try_grow(MemoryShare::Memtable, 64 * MIB).unwrap();
    budget.try_grow(MemoryShare::CommitQueue, 16 * MIB).unwrap();
    assert!(
        budget.try_grow(MemoryShare::CommitQueue, 1).is_err(),
        "more than is kept for it"
    );
    drop(queries);
    budget.try_grow(MemoryShare::CommitQueue, 16 * MIB).unwrap();
}

#[test]
fn what_is_there_is_counted_though_it_is_too_much() {
    let budget = MemoryBudget::new(64 * MIB);
    budget.set(MemoryShare::Memtable, 100 * MIB);
    assert!(budget.is_full(MemoryShare::Memtable));
    assert!(budget.try_grow(MemoryShare::Queries, 1).is_err());
    // What is kept for a share is given to it nevertheless: it is how memory comes free again.
    budget.try_grow(MemoryShare::Compaction, 4 * MIB).unwrap();
    budget.set(MemoryShare::Memtable, 0);
    budget.try_grow(MemoryShare::Queries, MIB).unwrap();
}

#[test]
fn the_process_as_a_whole_may_be_over_it() {
    let budget = MemoryBudget::new(64 * MIB);
    assert!(!budget.is_pressed());
    budget.observe_resident(64 * MIB + 1);
    assert!(budget.is_pressed());
    assert!(!MemoryBudget::unlimited().is_pressed());
}

#[test]
fn another_limit_for_a_share() {
    let budget = MemoryBudget::new(256 * MIB).with_max(MemoryShare::Queries, 7);
    assert!(budget.try_grow(MemoryShare::Queries, 8).is_err());
    budget.try_grow(MemoryShare::Queries, 7).unwrap();
    let unlimited = MemoryBudget::unlimited();
    unlimited.try_grow(MemoryShare::Queries, 1 << 40).unwrap();
}

#[test]
fn threads_never_take_more_than_there_is() {
    let budget = Arc::new(MemoryBudget::new(64 * MIB));
    let (held, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for share in [
            MemoryShare::Queries,
            MemoryShare::Head,
            MemoryShare::Queries,
            MemoryShare::Ingest,
        ] {
            let (budget, held, most) = (&budget, &held, &most);
            scope.spawn(move || {
                for step in 0..20_000usize {
                    let bytes = (step % 7 + 1) * MIB;
                    if budget.try_grow(share, bytes).is_ok() {
                        most.fetch_max(held.fetch_add(bytes, Ordering::SeqCst) + bytes, Ordering::SeqCst);
                        held.fetch_sub(bytes, Ordering::SeqCst);
                        budget.shrink(share, bytes);
                    }
                }
            });
        }
    });
    let usable = 64 * MIB - 8 * MIB - PROGRAM_BYTES;
    assert!(most.into_inner() <= usable);
    assert!(budget.shares().all(|share| share.used_bytes == 0));
    assert_eq!(
        budget.promised.load(Relaxed),
        MemoryBudget::new(64 * MIB).promised.load(Relaxed)
    );
}

proptest! {
    /// Against plain sums: whatever is asked in whatever order, limits hold and everything comes back.
    #[test]
    fn as_plain_sums_would_have_it(
        steps in proptest::collection::vec((0..7usize, 0..4u8, 0..40 * MIB), 0..200),
    ) {
        let budget = MemoryBudget::new(128 * MIB);
        let usable = 128 * MIB - 16 * MIB - PROGRAM_BYTES;
        let mut held = [0usize; 7];
        for (at, kind, bytes) in steps {
            let share = MemoryShare::ALL[at];
            let (max, _) = share.of(128 * MIB);
            let promised = |held: &[usize; 7]| -> usize {
                MemoryShare::ALL.iter().zip(held).map(|(s, h)| (*h).max(s.of(128 * MIB).1)).sum()
            };
            match kind {
                0 | 1 => {
                    let before = promised(&held);
                    let mut grown = held;
                    grown[at] += bytes;
                    let fits = grown[at] <= max && (promised(&grown) <= usable || promised(&grown) == before);
                    prop_assert_eq!(budget.try_grow(share, bytes).is_ok(), fits);
                    if fits {
                        held = grown;
                    }
                }
                2 => {
                    let bytes = bytes.min(held[at]);
                    budget.shrink(share, bytes);
                    held[at] -= bytes;
                }
                _ => {
                    budget.set(share, bytes);
                    held[at] = bytes;
                }
            }
            prop_assert_eq!(budget.used_bytes(share), held[at]);
            prop_assert_eq!(budget.promised.load(Relaxed), promised(&held) as i64);
        }
    }
}
