//! How many tests passed, from the lines that the test runners print.

use std::fmt;

/// A sum over test binaries. Displayed as `N passed, N failed, N skipped`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) passed: u64,
    failed: u64,
    skipped: u64,
}

impl Count {
    /// Adds `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
    pub(super) fn add_cargo(&mut self, line: &str) {
        if let Some(result) = line.trim_start().strip_prefix("test result:") {
            self.add(result);
        }
    }

    /// Adds `     Summary [   1.2s] 55 tests run: 54 passed (1 slow), 1 failed, 2 skipped`.
    pub(super) fn add_nextest(&mut self, line: &str) {
        let line = without_colour(line);
        if line.trim_start().starts_with("Summary [")
            && let Some((_, counts)) = line.split_once("run:")
        {
            self.add(counts);
        }
    }

    /// A run that failed must not end with a line that says nothing did.
    pub(super) fn fail_at_least_one(&mut self) {
        self.failed = self.failed.max(1);
    }

    fn add(&mut self, counts: &str) {
        let words: Vec<&str> = counts
            .split([' ', ';', ',', '.', '(', ')'])
            .filter(|w| !w.is_empty())
            .collect();
        for pair in words.windows(2) {
            let Ok(number) = pair[0].parse::<u64>() else {
                continue;
            };
            match pair[1] {
                "passed" => self.passed += number,
                "failed" | "timed" => self.failed += number,
                "ignored" | "skipped" => self.skipped += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// The line without the escape sequences that colour it.
fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        if c == '\u{1b}' {
            characters.by_ref().find(|c| c.is_ascii_alphabetic());
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_what_cargo_prints() {
        let mut count = Count::default();
        count.add_cargo("running 6 tests");
        count.add_cargo(
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        );
        count.add_cargo(
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 2s",
        );
        assert_eq!(count.to_string(), "6 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn adds_what_nextest_prints() {
        let mut count = Count::default();
        count.add_nextest("\u{1b}[32;1m     Summary\u{1b}[0m [   1.214s] 55 tests run: 54 passed (1 slow), 1 failed, 2 skipped");
        count.add_nextest("        PASS [   0.1s] model run: 3 passed");
        assert_eq!(count.to_string(), "54 passed, 1 failed, 2 skipped");
    }
}
