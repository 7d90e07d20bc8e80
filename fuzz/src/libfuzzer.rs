//! The binary that libFuzzer drives: one for all targets, `BAROGRAPH_FUZZ_TARGET` says which.

#![no_main]
#![allow(clippy::print_stderr, reason = "this program talks to a terminal")]

use std::sync::LazyLock;

use barograph_fuzz::{Target, find, message};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("BAROGRAPH_FUZZ_TARGET").unwrap_or_default();
    let Some(target) = find(&name) else {
        eprintln!("BAROGRAPH_FUZZ_TARGET={name:?} is no target (see cargo xtask fuzz --list)");
        std::process::exit(1);
    };
    std::panic::set_hook(Box::new(|_| {}));
    target
});

fuzz_target!(|bytes: &[u8]| {
    let target = *TARGET;
    // libFuzzer's own hook ends the process at every panic, also at those that the program foresees and turns into
    // errors. Only one that leaves the target is a finding.
    let outcome = std::panic::catch_unwind(|| (target.run)(bytes));
    if let Err(panic) = outcome {
        eprintln!("{} has panicked: {}", target.name, message(panic.as_ref()));
        std::process::abort();
    }
});
