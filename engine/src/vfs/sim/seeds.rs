//! Which seeds a simulation runs, and how it says which one failed.

use std::ops::Range;

/// Runs a simulation on some seeds: as many as `default`, unless the environment variable
/// `BAROGRAPH_SIM_SEEDS` says how many (`500`) or which (`17..18`). When `run` panics, the seed is printed
/// with the way to run it alone.
///
/// # Panics
/// When `run` does, and when the variable is neither.
pub fn for_each_seed(default: u64, mut run: impl FnMut(u64)) {
    for seed in asked(std::env::var("BAROGRAPH_SIM_SEEDS").ok().as_deref(), default) {
        let guard = Announce(seed);
        run(seed);
        drop(guard);
    }
}

fn asked(variable: Option<&str>, default: u64) -> Range<u64> {
    let Some(text) = variable else { return 0..default };
    let number = |text: &str| match text.trim().parse() {
        Ok(number) => number,
        Err(_) => {
            panic!("BAROGRAPH_SIM_SEEDS={text:?} is neither a number of seeds (500) nor a range (17..18)")
        }
    };
    match text.split_once("..") {
        Some((start, end)) => number(start)..number(end),
        None => 0..number(text),
    }
}

/// Says its seed when it is dropped by a panic.
struct Announce(u64);

impl Drop for Announce {
    #[allow(
        clippy::print_stderr,
        reason = "a failing simulation must say its seed, and this is only run by tests"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "failed on seed {0}; run it alone with BAROGRAPH_SIM_SEEDS={0}..{1}",
                self.0,
                self.0 + 1
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_number_or_a_range() {
        assert_eq!(asked(None, 3), 0..3);
        assert_eq!(asked(Some("500"), 3), 0..500);
        assert_eq!(asked(Some("17..18"), 3), 17..18);
        assert!(std::panic::catch_unwind(|| asked(Some("many"), 3)).is_err());
    }
}
