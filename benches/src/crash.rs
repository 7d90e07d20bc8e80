//! What is left after kill -9 right behind the last acknowledgement, and after a power cut at the same moment.

use anyhow::{Context, Result};

use crate::contestant::Contestant;
use crate::figures::Figures;
use crate::image::Image;
use crate::life::Life;
use crate::parity::found_at_rest;
use crate::send::send;
use crate::workload::Workload;

/// What is shown of a reason why a program does not start.
const REASON_BYTES_SHOWN: usize = 600;

/// Kills a fresh contestant after it has acknowledged everything, and counts what it has when it is started again: on
/// the same files, and, where `with_power_cut`, on what of them had been synced.
///
/// # Errors
/// When it does not start, or refuses samples. That it does not start on what a power cut left is no error: it has lost
/// everything then.
pub(crate) fn crash(
    contestant: &Contestant,
    workload: &Workload,
    connections: usize,
    with_power_cut: bool,
    figures: &mut Figures,
) -> Result<()> {
    let outer = tempfile::tempdir().context("no temporary folder")?;
    let image = match with_power_cut {
        true => Some(Image::create(outer.path())?),
        false => None,
    };
    let folder = image.as_ref().map_or(outer.path(), Image::folder);
    let bodies = &workload.bodies;
    let mut life = Life::new(contestant, folder)?;
    let (running, _) = life.start()?;
    send(
        contestant.kind,
        life.listen,
        bodies,
        0..bodies.rounds.len(),
        connections,
    )?;
    running.kill()?;
    let after = image.as_ref().map(Image::after_power_cut).transpose()?;

    let (running, seconds) = life.start()?;
    let found = found_at_rest(contestant.kind, life.listen, bodies)?;
    running.kill()?;
    figures.push("kill -9: ready after, s", seconds);
    figures.push("kill -9: samples lost", bodies.samples() as f64 - found as f64);

    let Some(after) = after else {
        figures.push("power cut: ready after, s", f64::NAN);
        figures.push("power cut: samples lost", f64::NAN);
        return Ok(());
    };
    life.move_to(after.folder());
    let (seconds, found) = match life.start() {
        Ok((running, seconds)) => {
            let found = found_at_rest(contestant.kind, life.listen, bodies)?;
            running.kill()?;
            (seconds, found)
        }
        Err(error) => {
            let why = format!("{error:#}");
            figures.remark(format!(
                "{} does not start after the power cut: {}",
                contestant.kind.program(),
                &why[..why.floor_char_boundary(REASON_BYTES_SHOWN)]
            ));
            (f64::NAN, 0)
        }
    };
    figures.push("power cut: ready after, s", seconds);
    figures.push("power cut: samples lost", bodies.samples() as f64 - found as f64);
    Ok(())
}

/// Why power cuts cannot be measured here, if so.
#[must_use]
pub(crate) fn why_no_power_cut() -> Option<String> {
    let tried = tempfile::tempdir()
        .context("no temporary folder")
        .and_then(|folder| Image::create(folder.path())?.after_power_cut().map(drop));
    tried.err().map(|error| format!("{error:#}"))
}
