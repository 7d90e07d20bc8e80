//! The plan as data: segments in, the next rollup out.

use super::*;
use crate::segment::DAY_MS;

const HOUR_MS: i64 = 3_600_000;

fn segment(name: &str, kind: SegmentKind, day: i64, sequence: u64, purged: u64) -> Surveyed {
    let mut meta = SegmentMeta::begin(name.to_owned(), day * DAY_MS, sequence, TimestampMs(0));
    (meta.kind, meta.level, meta.purged, meta.rows) = (kind, 2, purged, 80);
    Surveyed {
        meta,
        expired_rows: 0,
        deletes: 0,
        delete_asked_ms: None,
        is_damaged: false,
    }
}

fn rows(day: i64, sequence: u64, purged: u64) -> Surveyed {
    segment(
        &format!("rows{sequence}"),
        SegmentKind::Samples,
        day,
        sequence,
        purged,
    )
}

fn five(day: i64, sequence: u64, purged: u64) -> Surveyed {
    segment(
        &format!("5m-{sequence}-{purged}"),
        SegmentKind::FiveMinutes,
        day,
        sequence,
        purged,
    )
}

fn hour(day: i64, sequence: u64, purged: u64) -> Surveyed {
    segment(
        &format!("1h-{sequence}-{purged}"),
        SegmentKind::OneHour,
        day,
        sequence,
        purged,
    )
}

/// The next job as `day: rows -> width (replaced), ...`.
fn plan(segments: &[Surveyed]) -> String {
    plan_with(segments, &RollupOptions::default(), &NothingLeft::default())
}

fn plan_with(segments: &[Surveyed], options: &RollupOptions, nothing_left: &NothingLeft) -> String {
    let names = |metas: &[SegmentMeta]| metas.iter().map(|m| m.name.clone()).collect::<Vec<_>>().join(" ");
    let Some(job) = next_rollup(segments, options, nothing_left, TimestampMs(10 * HOUR_MS)) else {
        return String::new();
    };
    let targets = job.targets.iter();
    let targets = targets.map(|t| format!("{} ({})", t.width.as_str(), names(&t.replaced)));
    let day = job.day / DAY_MS;
    format!(
        "{day}: {} -> {}",
        names(&job.rows),
        targets.collect::<Vec<_>>().join(", ")
    )
}

#[test]
fn a_merged_day_gets_both_widths_and_then_rests() {
    assert_eq!(plan(&[rows(1, 5, 6)]), "1: rows5 -> 5m (), 1h ()");
    assert_eq!(plan(&[rows(1, 5, 6), five(1, 5, 7)]), "1: rows5 -> 1h ()");
    assert_eq!(plan(&[rows(1, 5, 6), five(1, 5, 7), hour(1, 5, 7)]), "");
    let mut window = rows(1, 5, 6);
    window.meta.level = 1;
    assert_eq!(plan(&[window]), "", "a window is no day");
    let off = RollupOptions::OFF;
    assert_eq!(plan_with(&[rows(1, 5, 6)], &off, &NothingLeft::default()), "");
}

#[test]
fn what_is_behind_its_rows_is_made_anew() {
    let made = [five(1, 5, 7), hour(1, 5, 7)];
    let later = [rows(1, 8, 9), made[0].clone(), made[1].clone()];
    assert_eq!(plan(&later), "1: rows8 -> 5m (5m-5-7), 1h (1h-5-7)");
    // Written anew, perhaps with deletes carried out.
    let purged = [rows(1, 5, 9), made[0].clone(), made[1].clone()];
    assert_eq!(plan(&purged), "1: rows5 -> 5m (5m-5-7), 1h (1h-5-7)");
    // Without rows there is nothing to make it of.
    assert_eq!(plan(&made), "");
}

#[test]
fn deletes_wait_and_expired_buckets_go() {
    let mut all = [rows(1, 5, 6), five(1, 5, 7), hour(1, 5, 7)];
    all[1].deletes = 1;
    all[1].delete_asked_ms = Some(9 * HOUR_MS + 1);
    assert_eq!(plan(&all), "");
    all[1].delete_asked_ms = Some(9 * HOUR_MS);
    assert_eq!(plan(&all), "1: rows5 -> 5m (5m-5-7)");
    assert_eq!(
        plan(&all[1..]),
        "1:  -> 5m (5m-5-7)",
        "also when the rows are gone"
    );
    all[1].delete_asked_ms = None;
    all[2].expired_rows = 10;
    assert_eq!(plan(&all), "1: rows5 -> 1h (1h-5-7)");
}

#[test]
fn the_newest_is_carried_over_and_leftovers_go() {
    let all = [rows(1, 5, 6), five(1, 4, 9), five(1, 5, 7), hour(1, 5, 7)];
    let job = next_rollup(
        &all,
        &RollupOptions::default(),
        &NothingLeft::default(),
        TimestampMs(0),
    )
    .unwrap();
    assert_eq!(job.targets.len(), 1);
    assert_eq!(job.targets[0].carried, [all[2].meta.clone()]);
    assert_eq!(job.targets[0].replaced.len(), 2);
}

#[test]
fn damaged_days_and_empty_ones_are_left_alone() {
    let mut damaged = rows(1, 5, 6);
    damaged.is_damaged = true;
    assert_eq!(
        plan(&[damaged.clone(), rows(2, 3, 0)]),
        "2: rows3 -> 5m (), 1h ()"
    );
    let mut nothing_left = NothingLeft::default();
    let job = RollupJob {
        day: 2 * DAY_MS,
        rows: vec![rows(2, 3, 0).meta],
        targets: Vec::new(),
    };
    nothing_left.enter(&job, RollupWidth::OneHour);
    let options = RollupOptions::default();
    assert_eq!(
        plan_with(&[damaged.clone(), rows(2, 3, 0)], &options, &nothing_left),
        "2: rows3 -> 5m ()"
    );
    nothing_left.enter(&job, RollupWidth::FiveMinutes);
    assert_eq!(
        plan_with(&[damaged.clone(), rows(2, 3, 0)], &options, &nothing_left),
        ""
    );
    assert_ne!(
        plan_with(&[damaged, rows(2, 4, 0)], &options, &nothing_left),
        "",
        "late samples"
    );
}
