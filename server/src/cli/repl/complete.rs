//! What Tab offers: tables after `FROM` and `JOIN`, columns of the tables that the statement names, keywords and
//! functions, and the prompt's own commands.

use super::catalog::Catalog;
use super::command;
use super::statement::{Place, split};

const KEYWORDS: [&str; 45] = [
    "ALL",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COUNT",
    "CROSS",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXPLAIN",
    "EXPLAIN ANALYZE",
    "FROM",
    "FULL",
    "GROUP BY",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INTERVAL",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER BY",
    "OVER",
    "PARTITION BY",
    "SELECT",
    "SHOW TABLES",
    "THEN",
    "UNION",
    "WHEN",
    "WHERE",
    "WITH",
];

const FUNCTIONS: [&str; 15] = [
    "abs(",
    "approx_percentile_cont(",
    "avg(",
    "coalesce(",
    "count(",
    "date_bin(",
    "date_trunc(",
    "first_value(",
    "last_value(",
    "max(",
    "min(",
    "now()",
    "round(",
    "stddev(",
    "sum(",
];

/// Words that a table's name follows.
const BEFORE_TABLE: [&str; 4] = ["from", "join", "describe", "table"];

/// Offers for the word that ends at byte `pos` of `line`: where that word begins, and what may replace it.
pub(super) fn complete(line: &str, pos: usize, catalog: &Catalog) -> (usize, Vec<String>) {
    let before = line.get(..pos).unwrap_or(line);
    let trimmed = before.trim_start();
    if trimmed.starts_with('\\') {
        return complete_command(before, trimmed, catalog);
    }
    if !matches!(split(before).end, Place::Plain | Place::Name) {
        return (pos, Vec::new());
    }
    let start = word_start(before);
    let word = &before[start..];
    let (qualifier, dot) = match word.rfind('.') {
        Some(dot) => (Some(&word[..dot]), start + dot + 1),
        None => (None, start),
    };
    let typed = &before[dot..];
    let mut offers: Vec<String> = match qualifier {
        Some(name) => qualified(name, line, catalog),
        None if expects_table(&before[..start]) => catalog
            .tables
            .keys()
            .cloned()
            .chain(catalog.schemas.keys().map(|schema| format!("{schema}.")))
            .collect(),
        None => {
            let columns = tables_in(line, catalog).flat_map(|(_, columns)| columns).cloned();
            let words = KEYWORDS.iter().chain(&FUNCTIONS).map(|word| keyword(word, typed));
            // Without a first letter every keyword fits, which helps nobody.
            if typed.is_empty() {
                columns.collect()
            } else {
                columns.chain(words).collect()
            }
        }
    };
    offers.retain(|offer| fits(offer, typed));
    offers.sort();
    offers.dedup();
    (dot, offers)
}

fn complete_command(before: &str, trimmed: &str, catalog: &Catalog) -> (usize, Vec<String>) {
    let Some((name, argument)) = trimmed.split_once(' ') else {
        let names = command::NAMES.iter().filter(|name| name.starts_with(trimmed));
        return (
            before.len() - trimmed.len(),
            names.map(|name| (*name).to_owned()).collect(),
        );
    };
    let argument = argument.trim_start();
    let offers: Vec<String> = match name {
        "\\d" => catalog.tables.keys().cloned().collect(),
        "\\format" => ["table", "csv", "json"].map(str::to_owned).to_vec(),
        _ => Vec::new(),
    };
    (
        before.len() - argument.len(),
        offers.into_iter().filter(|offer| fits(offer, argument)).collect(),
    )
}

/// Whether an offer begins with what is typed, whatever the case, and with or without the opening quote.
fn fits(offer: &str, typed: &str) -> bool {
    let starts = |offer: &str| {
        offer
            .get(..typed.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(typed))
    };
    starts(offer) || starts(offer.trim_start_matches('"'))
}

/// A keyword in the case that the user types in.
fn keyword(word: &str, typed: &str) -> String {
    let is_lower = typed.starts_with(|c: char| c.is_ascii_lowercase());
    if is_lower {
        word.to_ascii_lowercase()
    } else {
        word.to_owned()
    }
}

/// Where the word before the cursor begins: letters, digits, `_`, `.`, and whatever stands in double quotes.
fn word_start(before: &str) -> usize {
    let mut start = before.len();
    let mut quoted = before.matches('"').count() % 2 == 1;
    for (at, c) in before.char_indices().rev() {
        match c {
            '"' => quoted = !quoted,
            c if quoted || c.is_alphanumeric() || matches!(c, '_' | '.') => {}
            _ => break,
        }
        start = at;
    }
    start
}

/// Whether the next word is a table: after `FROM` or `JOIN`, or after a comma in a list of tables.
fn expects_table(before: &str) -> bool {
    let lower = before.to_ascii_lowercase();
    let trimmed = lower.trim_end();
    if let Some(list) = trimmed.strip_suffix(',') {
        let from = list.rfind("from ");
        let later = ["where ", "group ", "order ", "select "]
            .iter()
            .filter_map(|word| list.rfind(word))
            .max();
        return from.is_some() && from > later;
    }
    let last = trimmed
        .rsplit(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
        .unwrap_or_default();
    BEFORE_TABLE.contains(&last) && lower.ends_with(char::is_whitespace)
}

/// After `name.`: the tables of a schema, or the columns of a table or of its alias.
fn qualified(name: &str, line: &str, catalog: &Catalog) -> Vec<String> {
    if let Some(tables) = catalog.schemas.get(name) {
        return tables.clone();
    }
    let table = name.rsplit('.').next().unwrap_or(name);
    if let Some(columns) = catalog.tables.get(table) {
        return columns.clone();
    }
    tables_in(line, catalog)
        .filter(|(aliases, _)| aliases.contains(&table))
        .flat_map(|(_, c)| c)
        .cloned()
        .collect()
}

/// The tables that a statement names, each with the word or two after it (its alias) and its columns.
fn tables_in<'a>(
    line: &'a str,
    catalog: &'a Catalog,
) -> impl Iterator<Item = (Vec<&'a str>, &'a Vec<String>)> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | ':');
    let words: Vec<&str> = line
        .split(move |c| !is_part(c))
        .filter(|word| !word.is_empty())
        .collect();
    (0..words.len()).filter_map(move |i| {
        let columns = catalog.tables.get(words[i])?;
        let is_as = |word: &str| word.eq_ignore_ascii_case("as");
        Some((
            words[i + 1..]
                .iter()
                .filter(|word| !is_as(word))
                .take(1)
                .copied()
                .collect(),
            columns,
        ))
    })
}
