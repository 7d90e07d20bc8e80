//! Rows in memory stay what they are while they are sorted and merged.

use std::collections::BTreeMap;
use std::sync::Arc;

use barograph_model::{Labels, TimeRange};

use super::{Memtable, Run};
use crate::index::Head;
use crate::{SampleColumns, SeriesRef};

/// Sorts and merges as the thread that commits does.
fn tidy(memtable: &mut Memtable) {
    for (window, chunks) in memtable.unsorted() {
        memtable.put_run(window, &chunks, Arc::new(Run::from_chunks(&chunks)));
    }
    for (window, runs) in memtable.fragmented() {
        memtable.put_merged(window, &runs, Arc::new(Run::merged(&runs)));
    }
}

#[test]
fn many_rows_become_few_runs_with_the_newest_values() {
    const SERIES: u32 = 1_000;
    let head = Head::new(1);
    let series: Vec<SeriesRef> = (0..SERIES)
        .map(|i| head.series(&Labels::from_pairs([("__name__", "m"), ("i", &i.to_string())]).unwrap()))
        .collect();
    let mut memtable = Memtable::new(head.clone());
    let mut model: BTreeMap<(SeriesRef, i64), f64> = BTreeMap::new();
    let mut rows = 0;
    // Rounds of 132 rows a series; every fifth round writes instants of the one before it anew.
    for round in 0..11 {
        let first = if round % 5 == 4 {
            (round - 1) * 132
        } else {
            round * 132
        };
        let mut columns = SampleColumns::with_capacity(&head, 132 * SERIES as usize);
        for ts in first..first + 132 {
            for s in &series {
                let value = (round * 1_000 + i64::from(s.0)) as f64;
                columns.push(*s, ts * 1_000, value);
                model.insert((*s, ts * 1_000), value);
                rows += 1;
            }
        }
        memtable.insert(columns);
        tidy(&mut memtable);
    }
    assert_eq!(memtable.rows(), rows);
    let windows: Vec<_> = memtable.windows().values().collect();
    let [window] = windows.as_slice() else {
        panic!("{} windows", windows.len());
    };
    // Five runs of two rounds each, four of which have become one, and a tail.
    let runs = window.sorted_runs();
    assert_eq!(
        runs.len(),
        3,
        "{:?}",
        runs.iter().map(|run| run.rows()).collect::<Vec<_>>()
    );
    assert_eq!(window.heap_bytes(), memtable.heap_bytes());
    let mut found: BTreeMap<(SeriesRef, i64), f64> = BTreeMap::new();
    for run in &runs {
        for s in run.series() {
            let (ts, values) = run.rows_of(*s);
            assert!(ts.windows(2).all(|pair| pair[0] < pair[1]));
            found.extend(ts.iter().zip(values).map(|(ts, value)| ((*s, *ts), *value)));
        }
    }
    assert!(found == model);
    // What ends before a range or begins after it is left alone.
    let all: Vec<_> = series.iter().copied().map(Some).collect();
    assert_eq!(window.runs_of(&all, &TimeRange::ALL).len(), 3);
    assert_eq!(window.runs_of(&all, &TimeRange::new(0, 5_000)).len(), 1);
    assert_eq!(window.runs_of(&all, &TimeRange::new(-9, -1)).len(), 0);
}
