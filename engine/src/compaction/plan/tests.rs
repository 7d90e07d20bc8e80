//! The plan as data: segments in, the next merge out.

use super::*;

const HOUR_MS: i64 = 3_600_000;
/// A Tuesday at midnight.
const DAY: i64 = 1_699_920_000_000;

/// A segment of `rows` rows in the window that begins `hour` hours after [`DAY`].
fn segment(hour: i64, sequence: u64, level: u8, rows: u64) -> Surveyed {
    let window = DAY + hour * HOUR_MS;
    let mut meta = SegmentMeta::begin(
        format!("h{hour}-{sequence}"),
        window,
        sequence,
        TimestampMs(window + 2 * HOUR_MS),
    );
    meta.level = level;
    meta.rows = rows;
    Surveyed {
        meta,
        expired_rows: 0,
        deletes: 0,
        delete_asked_ms: None,
        is_damaged: false,
    }
}

/// The plan at `hour` hours after [`DAY`] as `reason level: names`, or nothing.
fn plan(segments: &[Surveyed], hour: i64) -> String {
    plan_with(segments, hour, 16)
}

fn plan_with(segments: &[Surveyed], hour: i64, inputs_max: usize) -> String {
    match next_job(segments, TimestampMs(DAY + hour * HOUR_MS), inputs_max) {
        Some(job) => {
            let names: Vec<&str> = job.inputs.iter().map(|meta| meta.name.as_str()).collect();
            format!("{:?} {}: {}", job.reason, job.level, names.join(" "))
        }
        None => String::new(),
    }
}

#[test]
fn four_of_a_size_become_one_and_larger_ones_wait() {
    let mut segments = vec![
        segment(0, 1, 0, 400),
        segment(0, 2, 0, 100),
        segment(0, 3, 0, 90),
        segment(0, 4, 0, 110),
    ];
    assert_eq!(plan(&segments, 1), "");
    segments.push(segment(0, 5, 0, 100));
    assert_eq!(plan(&segments, 1), "Tier 0: h0-1 h0-2 h0-3 h0-4 h0-5");
    segments[0].meta.rows = 1000;
    assert_eq!(plan(&segments, 1), "Tier 0: h0-2 h0-3 h0-4 h0-5");
    // A small one at the end does not hold the others up.
    segments.push(segment(0, 6, 0, 1));
    assert_eq!(plan(&segments, 1), "Tier 0: h0-2 h0-3 h0-4 h0-5");
    assert_eq!(plan(&[], 1), "");
}

#[test]
fn the_window_with_the_most_files_comes_first() {
    let mut segments: Vec<_> = (1..=4).map(|i| segment(0, i, 0, 10)).collect();
    segments.extend((5..=10).map(|i| segment(2, i, 0, 10)));
    assert_eq!(plan(&segments, 3), "Tier 0: h2-5 h2-6 h2-7 h2-8 h2-9 h2-10");
}

#[test]
fn a_window_that_has_ended_becomes_one() {
    let segments = [segment(0, 1, 0, 400), segment(0, 2, 0, 100), segment(2, 3, 0, 7)];
    assert_eq!(plan(&segments, 2), "");
    assert_eq!(plan(&segments, 3), "Window 1: h0-1 h0-2");
    assert_eq!(plan(&segments[..1], 3), "", "one file is merged already");
}

#[test]
fn late_samples_wait_until_they_are_many_or_old() {
    let mut segments = [segment(0, 2, 1, 800), segment(0, 3, 0, 99)];
    segments[1].meta.flushed_ms = DAY + 5 * HOUR_MS;
    assert_eq!(plan(&segments, 5), "");
    assert_eq!(plan(&segments, 6), "Window 1: h0-2 h0-3", "flushed an hour ago");
    segments[1].meta.rows = 100;
    assert_eq!(plan(&segments, 5), "Window 1: h0-2 h0-3", "an eighth");
}

#[test]
fn a_day_that_has_ended_becomes_one_from_whatever_level() {
    let mut segments: Vec<_> = (0..12)
        .map(|i| segment(i * 2, 20 - i as u64, (i % 2) as u8, 50))
        .collect();
    segments.push(segment(22, 21, 0, 5));
    let all = "h22-9 h20-10 h18-11 h16-12 h14-13 h12-14 h10-15 h8-16 h6-17 h4-18 h2-19 h0-20 h22-21";
    assert_eq!(plan(&segments, 25), format!("Day 2: {all}"), "oldest first");
    assert_eq!(plan(&segments, 24), "");
    assert_eq!(plan(&segments[..1], 25), "Day 2: h0-20", "also of one");
}

#[test]
fn late_samples_of_a_merged_day_wait_for_longer() {
    let mut segments = [segment(0, 2, 2, 800), segment(4, 3, 0, 20), segment(6, 4, 0, 20)];
    for late in &mut segments[1..] {
        late.meta.flushed_ms = DAY + 30 * HOUR_MS;
    }
    assert_eq!(plan(&segments, 53), "");
    assert_eq!(plan(&segments, 54), "Day 2: h0-2 h4-3 h6-4");
    segments[1].meta.rows = 80;
    assert_eq!(plan(&segments, 53), "Day 2: h0-2 h4-3 h6-4");
}

#[test]
fn more_files_than_can_be_read_at_once_become_fewer_first() {
    // Of sizes that no rule would merge while the day goes on.
    let mut segments: Vec<_> = (0..10).map(|i| segment(0, i + 1, 0, 1 << (12 - i))).collect();
    segments.extend((0..10).map(|i| segment(2, i + 11, 0, 1 << (12 - i))));
    assert_eq!(
        plan_with(&segments, 25, 8),
        "Window 0: h2-13 h2-14 h2-15 h2-16 h2-17 h2-18 h2-19 h2-20"
    );
    assert_eq!(
        plan_with(&segments, 4, 8),
        "Window 0: h0-3 h0-4 h0-5 h0-6 h0-7 h0-8 h0-9 h0-10"
    );
    assert!(plan_with(&segments, 25, 20).starts_with("Day 2: h0-1 h0-2"));
}

#[test]
fn the_files_of_one_merge_stay_together_and_need_no_further_one() {
    let part = |i: usize, level| {
        let mut part = segment(0, 7, level, 100);
        part.meta.name = format!("part{i}");
        part
    };
    let split = [part(0, 1), part(1, 1), part(2, 1)];
    assert_eq!(plan(&split, 5), "");
    let mut with_late = split.to_vec();
    with_late.push(segment(0, 9, 0, 100));
    assert_eq!(plan_with(&with_late, 5, 2), "Window 1: part0 part1 part2 h0-9");
    let day = [part(0, 2), part(1, 2)];
    assert_eq!(plan(&day, 100), "");
}

#[test]
fn what_expired_goes_when_it_is_a_large_part() {
    let mut segments = [segment(0, 1, 2, 800), segment(0, 2, 2, 800)];
    segments[1].meta.sequence = 1;
    segments[1].expired_rows = 99;
    assert_eq!(plan(&segments, 100), "");
    segments[1].expired_rows = 100;
    assert_eq!(
        plan(&segments, 100),
        "Expired 2: h0-2",
        "alone, although it has a sister"
    );
}

#[test]
fn deletes_are_carried_out_after_an_hour() {
    let mut segments = [segment(0, 1, 2, 800)];
    segments[0].delete_asked_ms = Some(DAY + 50 * HOUR_MS);
    assert_eq!(plan(&segments, 50), "");
    assert_eq!(plan(&segments, 51), "Deleted 2: h0-1");
    segments[0].deletes = 99;
    assert_eq!(plan(&segments, 50), "");
    segments[0].deletes = 100;
    assert_eq!(plan(&segments, 50), "Deleted 2: h0-1");
}

#[test]
fn what_overlaps_a_damaged_segment_is_left_alone() {
    let mut segments: Vec<_> = (1..=8).map(|i| segment(0, i, 0, 10)).collect();
    segments[7].is_damaged = true;
    segments[7].expired_rows = 10;
    assert_eq!(plan(&segments, 1), "");
    assert_eq!(plan(&segments, 25), "");
}

/// How often a row is written by merges when `flushes` equal flushes arrive in one window, and how many files there are
/// at most.
fn amplification(flushes: u64) -> (f64, usize) {
    let (mut segments, mut written, mut files_max) = (Vec::<Surveyed>::new(), 0, 0);
    let merge = |segments: &mut Vec<Surveyed>, hour| {
        let mut rows_written = 0;
        while let Some(job) = next_job(segments, TimestampMs(DAY + hour * HOUR_MS), 16) {
            segments.retain(|s| !job.inputs.contains(&s.meta));
            let rows = job.inputs.iter().map(|meta| meta.rows).sum();
            let sequence = job.inputs.iter().map(|meta| meta.sequence).max().unwrap();
            let mut merged = segment(0, sequence, job.level, rows);
            merged.meta.window = job.window;
            segments.push(merged);
            rows_written += rows;
        }
        rows_written
    };
    for i in 0..flushes {
        segments.push(segment(0, i + 1, 0, 1000));
        written += merge(&mut segments, 1);
        files_max = files_max.max(segments.len());
    }
    written += merge(&mut segments, 3);
    written += merge(&mut segments, 25);
    assert_eq!(
        (segments.len(), segments[0].meta.level, segments[0].meta.rows),
        (1, 2, flushes * 1000)
    );
    (written as f64 / (flushes * 1000) as f64, files_max)
}

#[test]
fn a_row_is_written_again_only_as_often_as_the_logarithm_of_the_flushes() {
    let figures: Vec<(u64, f64, usize)> = [1, 2, 4, 16, 100, 900]
        .into_iter()
        .map(|flushes| {
            let (times, files) = amplification(flushes);
            (flushes, times, files)
        })
        .collect();
    println!("{figures:?}");
    for (flushes, times, files) in figures {
        let levels = (flushes as f64).log(4.0).ceil();
        assert!(times <= 2.0 + levels, "{flushes} flushes: {times}");
        assert!(
            files <= 4 + 3 * levels as usize,
            "{flushes} flushes: {files} files"
        );
    }
}
