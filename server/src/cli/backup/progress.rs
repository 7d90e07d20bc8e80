//! How far a backup or restore is: a bar on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `bytes`; it draws on stderr, and only where that is a terminal.
pub(super) fn bar(verb: &'static str, bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let template = "  {msg} {bar:32} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left";
    // The template above is right; a broken one would only cost its looks.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    bar.set_message(verb);
    bar
}
