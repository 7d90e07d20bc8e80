//! All contestants on the data of one part: loaded, checked against Prometheus, timed warm, timed cold.

use std::time::Duration;

use anyhow::{Context, Result};

use super::answer::Vectors;
use super::cases::Case;
use super::part::QueryPart;
use super::scores::{Column, QueryScores, Score, Verdict};
use super::stage::{Stage, ask};
use crate::contestant::{Contestant, Kind};
use crate::stopwatch::Stopwatch;
use crate::workload::Workload;

/// A query that takes long is asked so often all the same.
const REPEATS_MIN: usize = 3;

/// How a part is run.
#[derive(Debug, Clone)]
pub struct QueryProcedure {
    /// Times that each contestant is started and asked everything warm.
    pub runs: u32,
    /// Each time every kind of query is asked so often, but only three times once
    pub repeats: usize,
    /// so long has passed.
    pub case_time: Duration,
    /// Each kind of query is asked so often of a program that was just started, with its files out of the page cache.
    pub cold: usize,
    /// Queries of a kind, which differ in hosts and time.
    pub variants: usize,
    /// Connections that load the data; as many as the workload was made for.
    pub connections: usize,
    /// A Barograph in which nothing changed for so long counts as settled.
    pub quiet: Duration,
    /// Only kinds whose name holds this are asked.
    pub only: String,
}

/// Runs a part on its data; `tell` hears how far it is.
///
/// # Errors
/// When a contestant does not start or stop, refuses samples, or has lost some. That a query is refused or answered
/// otherwise is in the scores.
pub fn contest(
    contestants: &[Contestant],
    part: QueryPart,
    workload: &Workload,
    procedure: &QueryProcedure,
    mut tell: impl FnMut(&str),
) -> Result<QueryScores> {
    let mut cases = part.cases(workload, procedure.variants);
    cases.retain(|case| case.name.contains(&procedure.only));
    let mut columns = Vec::new();
    let mut stages = Vec::new();
    for contestant in contestants {
        let name = contestant.kind.program();
        let since = Stopwatch::start();
        let stage = Stage::load(contestant, workload, procedure.connections, procedure.quiet)
            .with_context(|| format!("{} with {name}", part.name()))?;
        tell(&format!(
            "{}: {name} has loaded and settled after {:.1} s",
            part.name(),
            since.seconds()
        ));
        stages.push(stage);
        columns.push(Column::new(contestant, cases.len()));
    }
    // Prometheus comes first, because what it answers is what the others are held against.
    let mut order: Vec<usize> = (0..stages.len()).collect();
    order.sort_by_key(|&i| stages[i].kind != Kind::Prometheus);
    let mut right = vec![Vec::new(); cases.len()];
    for run in 1..=procedure.runs {
        for &i in &order {
            let (stage, scores) = (&stages[i], &mut columns[i].scores);
            let running = stage.start()?;
            for ((case, score), right) in cases.iter().zip(scores).zip(&mut right) {
                if run == 1 {
                    score.verdict = check(stage, case, right);
                }
                warm(stage, case, score, procedure);
            }
            running.stop()?;
            tell(&format!(
                "{}: {} is asked, run {run}",
                part.name(),
                stage.kind.program()
            ));
        }
    }
    drop(right);
    for repeat in 0..procedure.cold {
        for (c, case) in cases.iter().enumerate() {
            for (stage, column) in stages.iter().zip(&mut columns) {
                cold(stage, case, repeat, &mut column.scores[c])
                    .with_context(|| format!("{} cold with {}", part.name(), stage.kind.program()))?;
            }
        }
        tell(&format!(
            "{}: everybody is asked cold, run {}",
            part.name(),
            repeat + 1
        ));
    }
    Ok(QueryScores {
        part: part.name(),
        cases: cases.iter().map(|case| case.name).collect(),
        columns,
    })
}

/// Asks every variant once, which warms everything up, and judges the answers. Prometheus' are kept in `right`.
fn check(stage: &Stage<'_>, case: &Case, right: &mut Vec<Vectors>) -> Verdict {
    let answers = stage.connect().and_then(|mut connection| {
        let each = case.variants.iter();
        each.map(|query| Vectors::read(&ask(&mut connection, query)?))
            .collect::<Result<Vec<_>>>()
    });
    let answers = match answers {
        Ok(answers) => answers,
        Err(error) => return Verdict::Refused(format!("{error:#}")),
    };
    if stage.kind == Kind::Prometheus {
        let (series, points) = answers.first().map_or((0, 0), Vectors::size);
        *right = answers;
        return Verdict::Right { series, points };
    }
    if right.is_empty() {
        return Verdict::Unchecked;
    }
    let differences = answers.iter().zip(right.iter()).zip(&case.variants);
    let mut differences =
        differences.filter_map(|((answer, right), query)| Some((query, answer.difference(right)?)));
    match differences.next() {
        Some((query, difference)) => Verdict::Differs(format!("{difference}, asked {}", query.shown())),
        None => Verdict::Same,
    }
}

fn warm(stage: &Stage<'_>, case: &Case, score: &mut Score, procedure: &QueryProcedure) {
    if score.is_refused() {
        return;
    }
    let begun = Stopwatch::start();
    let timed = stage.connect().and_then(|mut connection| {
        // The first of each process has caches of its own to fill.
        ask(&mut connection, &case.variants[0])?;
        let mut seconds = Vec::with_capacity(procedure.repeats);
        for repeat in 0..procedure.repeats {
            if repeat >= REPEATS_MIN && begun.elapsed() > procedure.case_time {
                break;
            }
            let query = &case.variants[repeat % case.variants.len()];
            let since = Stopwatch::start();
            ask(&mut connection, query)?;
            seconds.push(since.seconds());
        }
        Ok(seconds)
    });
    match timed {
        Ok(seconds) => score.warm.extend(seconds),
        Err(error) => score.verdict = Verdict::Refused(format!("{error:#}")),
    }
}

fn cold(stage: &Stage<'_>, case: &Case, repeat: usize, score: &mut Score) -> Result<()> {
    if score.is_refused() {
        return Ok(());
    }
    let running = stage.start_cold()?;
    let mut connection = stage.connect()?;
    let query = &case.variants[repeat % case.variants.len()];
    let since = Stopwatch::start();
    match ask(&mut connection, query) {
        Ok(_) => score.cold.push(since.seconds()),
        Err(error) => score.verdict = Verdict::Refused(format!("{error:#}")),
    }
    running.stop()?;
    Ok(())
}
