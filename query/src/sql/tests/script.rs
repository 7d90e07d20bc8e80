//! Scripts of queries and answers, in the manner of sqllogictest.
//!
//! ```text
//! query [rowsort]          or    error                or    statement
//! SELECT ...                     SELECT ...                 CREATE VIEW ...
//! ----                           ----                       ----
//! one line per row               code: message              what the statement is called
//!                                hint
//! ```
//! Records are separated by empty lines; `#` begins a comment. `BAROGRAPH_UPDATE_SCRIPTS=1` writes the answers
//! that were given into the file, to be read before they are committed.

use std::fs;
use std::path::PathBuf;

use super::Store;

pub(super) fn run(name: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/sql/tests/{name}.slt"));
    let text = fs::read_to_string(&path).unwrap();
    let update = std::env::var_os("BAROGRAPH_UPDATE_SCRIPTS").is_some();
    let store = Store::filled();
    let mut written = Vec::new();
    let mut failures = Vec::new();
    for record in text.trim_end().split("\n\n") {
        let comments = record.lines().take_while(|line| line.starts_with('#')).count();
        let body: Vec<_> = record.lines().skip(comments).collect();
        let Some((head, body)) = body.split_first() else {
            written.push(record.to_owned());
            continue;
        };
        let cut = body.iter().position(|line| *line == "----").unwrap_or(body.len());
        let (sql, expected) = (
            body[..cut].join("\n"),
            body.get(cut + 1..).unwrap_or_default().join("\n"),
        );
        let found = answer(&store, head, &sql);
        if found != expected {
            failures.push(format!("{sql}\nexpected:\n{expected}\nfound:\n{found}\n"));
        }
        let comments: String = record
            .lines()
            .take(comments)
            .flat_map(|line| [line, "\n"])
            .collect();
        written.push(
            format!("{comments}{head}\n{sql}\n----\n{found}")
                .trim_end()
                .to_owned(),
        );
    }
    if update {
        fs::write(&path, written.join("\n\n") + "\n").unwrap();
    } else {
        assert!(
            failures.is_empty(),
            "{}:\n{}",
            path.display(),
            failures.join("\n")
        );
    }
}

fn answer(store: &Store, head: &str, sql: &str) -> String {
    if head == "statement" {
        return match store.tag(sql) {
            Ok(tag) => tag.to_string(),
            Err(error) => format!("failed: {}: {error}", error.code),
        };
    }
    match (head, store.try_rows(sql)) {
        ("query", Ok(rows)) => rows.join("\n"),
        ("query rowsort", Ok(mut rows)) => {
            rows.sort();
            rows.join("\n")
        }
        ("error", Ok(rows)) => format!("no error but {} rows", rows.len()),
        ("error", Err(error)) => {
            let hint = error.hint.map(|hint| format!("\n{hint}")).unwrap_or_default();
            format!("{}: {}{hint}", error.code, error.message)
        }
        (_, Err(error)) => format!("failed: {}: {error}", error.code),
        (other, Ok(_)) => panic!("{other:?} is not the head of a record"),
    }
}
