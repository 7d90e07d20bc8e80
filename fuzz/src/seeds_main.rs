//! Writes the seeds of every target that are made by encoders; run it after a format has changed.

use std::io;

fn main() -> io::Result<()> {
    barograph_fuzz::seeds::write_all()
}
