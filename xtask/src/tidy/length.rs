//! No file above 500 lines of code that is not a test.

use anyhow::Result;

use crate::workspace;

const LINES_MAX: usize = 500;

pub(super) fn check() -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for path in workspace::files(&workspace::root(), "rs")? {
        let shown = workspace::shown(&path);
        if is_exempt(&shown) {
            continue;
        }
        let lines = lines_outside_tests(&workspace::read(&path)?);
        if lines > LINES_MAX {
            complaints.push(format!(
                "{shown}: {lines} lines without tests, at most {LINES_MAX}: split it by noun, one a file"
            ));
        }
    }
    Ok(complaints)
}

/// Test files, and code that nobody wrote.
fn is_exempt(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.contains("/generated/")
}

/// Lines of a file without its `#[cfg(test)] mod tests { ... }` blocks. rustfmt closes such a block with a
/// brace at the indentation of its `mod`, which is what is looked for.
fn lines_outside_tests(text: &str) -> usize {
    let mut lines = text.lines().peekable();
    let mut count = 0;
    while let Some(line) = lines.next() {
        let opens_block = line.trim() == "#[cfg(test)]"
            && lines
                .peek()
                .is_some_and(|next| next.trim_start().starts_with("mod ") && next.ends_with('{'));
        if opens_block {
            let indentation = line.len() - line.trim_start().len();
            let end = format!("{}}}", " ".repeat(indentation));
            lines.by_ref().find(|line| *line == end);
        } else {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_do_not_count() {
        let text = "//! A.\nfn a() {}\n#[cfg(test)]\nmod tests {\n    fn t() {\n    }\n}\nfn b() {}\n";
        assert_eq!(lines_outside_tests(text), 3);
        assert_eq!(lines_outside_tests("#[cfg(test)]\nmod tests;\nfn a() {}\n"), 3);
    }

    #[test]
    fn test_files_and_generated_code_are_exempt() {
        assert!(is_exempt("engine/src/wal/tests.rs") && is_exempt("server/tests/e2e.rs"));
        assert!(is_exempt("proto/src/generated/prometheus.rs") && !is_exempt("engine/src/wal/reader.rs"));
    }
}
