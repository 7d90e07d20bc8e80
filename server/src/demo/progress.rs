//! How far the back-fill is: a bar on a terminal, a log line every tenth elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// Progress through a known number of samples.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    total: u64,
    done: u64,
    tenths_told: u64,
}

impl Progress {
    /// Begins at 0; asks whether standard error is a terminal.
    pub(super) fn new(total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total);
            let template = "  back-fill {bar:32} {percent:>3} %  {human_pos} samples  {per_sec}  {eta} left";
            // The template above is right; a broken one would only cost its looks.
            bar.set_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar
        });
        Self {
            bar,
            total,
            done: 0,
            tenths_told: 0,
        }
    }

    /// So many samples more are in.
    pub(super) fn add(&mut self, samples: u64) {
        self.done += samples;
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
            return;
        }
        let tenths = self.done * 10 / self.total.max(1);
        if tenths > self.tenths_told {
            self.tenths_told = tenths;
            tracing::info!(
                samples = self.done,
                percent = tenths * 10,
                "back-filling the demo's fleet"
            );
        }
    }

    /// Takes the bar away; what was fed is told in the caller's words.
    pub(super) fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
