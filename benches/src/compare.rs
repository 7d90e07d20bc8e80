//! One workload for all contestants, round about, every run on a fresh folder.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::asking::{Answer, Asking, Question, agree};
use crate::contestant::Contestant;
use crate::crash::{crash, why_no_power_cut};
use crate::figures::{Comparison, Figures};
use crate::life::Life;
use crate::parity::{count_of_all, expect_all};
use crate::queries::{ask_all, expect_same, questions};
use crate::send::send;
use crate::settle::settle;
use crate::stopwatch::Stopwatch;
use crate::table::median;
use crate::visible::probe;
use crate::workload::Workload;

/// How a workload is run.
#[derive(Debug, Clone, Copy)]
pub struct Procedure {
    /// Runs of each contestant.
    pub runs: u32,
    /// Connections that send; as many as the workload was made for.
    pub connections: usize,
    /// A Barograph in which nothing changed for so long counts as settled.
    pub quiet: Duration,
    /// Whether power cuts are tried, where this machine and user can.
    pub power_cuts: bool,
}

/// Runs a workload; `tell` hears how each run went.
///
/// # Errors
/// When a contestant does not start or stop, refuses samples, has not kept what it acknowledged, or answers otherwise than
/// the first.
pub fn compare(
    contestants: &[Contestant],
    workload: &Workload,
    procedure: Procedure,
    mut tell: impl FnMut(&str),
) -> Result<Comparison> {
    let mut power_cuts = procedure.power_cuts;
    if let Some(reason) = power_cuts.then(why_no_power_cut).flatten() {
        tell(&format!("power cuts are left out: {reason}"));
        power_cuts = false;
    }
    let questions = questions(workload);
    let mut measured = vec![Vec::new(); contestants.len()];
    // One after the other and round about, so that what else the machine does meets all of them.
    for run in 1..=procedure.runs {
        let mut first: Option<Vec<Answer>> = None;
        for (contestant, measured) in contestants.iter().zip(&mut measured) {
            let name = contestant.kind.program();
            let mut figures = Figures::default();
            let answers = whole_life(contestant, workload, procedure, &questions, &mut figures)
                .and_then(|answers| {
                    crash(
                        contestant,
                        workload,
                        procedure.connections,
                        power_cuts,
                        &mut figures,
                    )?;
                    Ok(answers)
                })
                .with_context(|| format!("{} with {name}", workload.name))?;
            tell(&format!(
                "{} run {run}: {name} {}",
                workload.name,
                brief(&figures)
            ));
            match &first {
                None => first = Some(answers),
                Some(first) => {
                    let of_first = contestants[0].kind.program();
                    expect_same(&questions, (of_first, first), (name, &answers))?;
                }
            }
            measured.push(figures);
        }
    }
    let heading = |c: &Contestant| format!("{} {}", c.kind.program(), c.version);
    Ok(Comparison {
        workload: workload.name.clone(),
        about: workload.about.clone(),
        columns: contestants.iter().map(heading).collect(),
        runs: measured,
    })
}

/// After a restart all samples must be there within this time.
const RIGHT_PATIENCE: Duration = Duration::from_secs(60);

const STEADY: &str = "later rounds, samples/s";

fn brief(figures: &Figures) -> String {
    format!("took {:.0} samples/s in later rounds", figures.get(STEADY))
}

/// Everything but crashes: it takes all samples, shows new ones, settles, is started again and asked.
fn whole_life(
    contestant: &Contestant,
    workload: &Workload,
    procedure: Procedure,
    questions: &[Question],
    figures: &mut Figures,
) -> Result<Vec<Answer>> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let life = Life::new(contestant, folder.path())?;
    let (kind, listen, bodies) = (contestant.kind, life.listen, &workload.bodies);
    let connections = procedure.connections;
    let (running, _) = life.start()?;
    let begun = running.usage()?;
    let first = send(kind, listen, bodies, 0..1, connections)?;
    let between = running.usage()?;
    let later = send(kind, listen, bodies, 1..bodies.rounds.len(), connections)?;
    let ended = running.usage()?;
    let peak_bytes = running.peak_bytes()?;
    let samples = bodies.samples() as f64;
    let of_first = bodies.samples_of_round[0] as f64;
    let of_later = samples - of_first;
    let own = first.own_cpu_seconds + later.own_cpu_seconds;
    let cpu = ended.since(begun).cpu_seconds;
    figures.push("first round, samples/s", of_first / first.seconds);
    figures.push(STEADY, of_later / later.seconds);
    figures.push(
        "first round, CPU s / M samples",
        between.since(begun).cpu_seconds / of_first * 1e6,
    );
    figures.push(
        "later rounds, CPU s / M samples",
        ended.since(between).cpu_seconds / of_later * 1e6,
    );
    figures.push("acknowledged within, p50, ms", later.quantile(0.5) * 1e3);
    figures.push("acknowledged within, p99, ms", later.quantile(0.99) * 1e3);
    figures.push("generator, % of the CPU used", own / (own + cpu) * 1e2);
    figures.push("peak RSS, MiB", peak_bytes / f64::from(1 << 20));
    let visible = probe(kind, listen)?;
    expect_all(kind, listen, bodies, "after the last acknowledgement")?;

    figures.push(
        "first sample of a series visible after, ms",
        visible.of_new_series * 1e3,
    );
    figures.push(
        "newest sample visible after, p50, ms",
        median(visible.of_known_series) * 1e3,
    );

    let settled = settle(&life, running, procedure.quiet)?;
    figures.push("SIGTERM to exit, s", settled.stop_seconds);
    figures.push("bytes / sample, settled", settled.data_bytes / samples);
    figures.push("bytes / sample, whole folder", settled.folder_bytes / samples);
    figures.push("bytes written / sample", settled.usage.written_bytes / samples);
    figures.push(
        "CPU s / M samples until settled",
        settled.usage.cpu_seconds / samples * 1e6,
    );

    let since = Stopwatch::start();
    let (running, _) = life.start()?;
    let right = vec![(String::new(), samples)];
    let count = count_of_all(bodies);
    let mut asking = Asking::open(kind, listen)?;
    while !agree(&asking.ask(&count)?, &right) {
        if since.elapsed() > RIGHT_PATIENCE {
            expect_all(kind, listen, bodies, "after a clean restart")?;
        }
    }
    figures.push("restart to the first right answer, s", since.seconds());
    let answers = ask_all(kind, listen, questions, figures)?;
    running.stop()?;
    Ok(answers)
}

#[cfg(test)]
mod tests;
