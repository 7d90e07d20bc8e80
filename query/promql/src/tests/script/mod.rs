//! Prometheus' language of test scripts.
//!
//! ```text
//! load 5m                                        series, a sample every five minutes from instant 0
//!   up{job="a"} 1 0+10x3 _x2 stale NaN           0+10x3 is 0 10 20 30, _ is no sample
//!   h {{schema:0 count:1 sum:1 buckets:[1]}}x4   five times the same histogram
//! clear                                          an empty store
//!
//! eval instant at 50m sum(up)                    an answer, in any order
//!   expect ordered                               ... in this order
//!   expect info msg: PromQL info: ...            or warn; or no_info, no_warn; or regex: in place of msg:
//!   expect string "text"
//!   {} 1                                         a scalar stands alone
//! eval range from 0 to 1h step 5m up
//!   up{job="a"} 1 0+10x3                         a value a step, _ is none
//! eval instant at 0 up + on(job) up
//!   expect fail msg: ...                         or regex: ..., or no more than: expect fail
//! ```
//! `eval_ordered`, `eval_fail` (then `expected_fail_message`, `expected_fail_regexp`), `eval_warn` and `eval_info` are
//! the older words for the same.
//!
//! Stricter than Prometheus: where nothing is said of warnings or infos there must be none. As there, each instant
//! query is asked as a step of a range query as well, unless its answer has an order or knows of its range.

mod case;
mod command;
mod compare;
mod notation;

use std::path::PathBuf;

use command::{Command, commands};

use super::store::{Layout, Store};

/// Runs a script in each layout, and says everything that is wrong.
pub(super) fn run(name: &str) {
    let text = read(name);
    let commands = commands(&text).unwrap_or_else(|wrong| panic!("{name}.test:{wrong}"));
    let mut failures = Vec::new();
    for layout in Layout::ALL {
        let mut store = Store::new(layout);
        for (line, command) in &commands {
            match command {
                Command::Clear => store = Store::new(layout),
                Command::Load(series) => store.load(series),
                Command::Eval(case) => {
                    if let Err(wrong) = case.check(&store) {
                        failures.push(format!(
                            "{name}.test:{line} ({layout:?}): {}\n  {wrong}",
                            case.expr
                        ));
                    }
                }
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} failures\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// The text of a script.
pub(super) fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/tests/scripts/{name}.test"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The expressions that a script evaluates.
pub(super) fn expressions(name: &str) -> Vec<String> {
    let commands = commands(&read(name)).unwrap_or_else(|wrong| panic!("{name}.test:{wrong}"));
    let expressions = commands.into_iter().filter_map(|(_, command)| match command {
        Command::Eval(case) => Some(case.expr),
        _ => None,
    });
    expressions.collect()
}
