//! What a join finds while it runs spares its other side the reading, and changes no answer.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::fixture::HOUR_MS;
use super::{Store, counts};

#[test]
fn a_join_reads_the_samples_of_the_series_that_it_wants() {
    let store = Store::filled();
    // Rows of memory are not sorted by series yet, and would all count as selected.
    store.engine.flush().unwrap();
    let by = |condition: &str| {
        let rows = store.rows(&format!(
            "EXPLAIN ANALYZE SELECT s.ts, value FROM samples s JOIN series USING (series_id) WHERE {condition}"
        ));
        let counts = counts(&rows, "SamplesExec");
        move |name: &str| counts.iter().find(|(n, _)| n == name).map(|(_, count)| *count)
    };
    let count = by("labels['code'] = '404'");
    assert!(count("series_matched").is_some_and(|series| series > 10));
    assert_eq!(count("narrowed_series_matched"), Some(1));
    assert_eq!(count("narrowed_rows_selected"), Some(48));
    // Nothing is wanted, so nothing is read.
    let count = by("labels['code'] = 'none'");
    assert_eq!(count("narrowed_series_matched").unwrap_or(0), 0);
    assert_eq!(count("output_rows"), Some(0));
}

#[test]
fn a_join_by_time_reads_that_time() {
    let store = Store::filled();
    let rows = store.rows(
        "EXPLAIN ANALYZE SELECT u.value FROM samples u JOIN \
         (SELECT ts FROM odd_values WHERE value = 0.1) o ON u.ts = o.ts",
    );
    let counts = counts(&rows, "SamplesExec: matchers={}");
    let count = |name: &str| counts.iter().find(|(n, _)| n == name).map(|(_, count)| *count);
    assert!(
        count("rows_selected") > count("narrowed_rows_selected"),
        "{rows:?}"
    );
}

fn store(rng: &mut ChaCha8Rng) -> Store {
    let store = Store::new();
    for i in 0..rng.random_range(2..40) {
        let mut labels = format!(r#"series="{i}""#);
        for name in ["x", "y"] {
            if rng.random_bool(0.7) {
                labels += &format!(", {name}=\"{}\"", ["a", "b", "ab"].choose(rng).unwrap());
            }
        }
        let samples: Vec<_> = (0..48)
            .map(|hour| (hour * HOUR_MS, f64::from(rng.random_range(0..12))))
            .filter(|(_, value)| *value < 5.0)
            .collect();
        if !samples.is_empty() {
            store.write(
                &format!("{}{{{labels}}}", ["m", "n"].choose(rng).unwrap()),
                &samples,
            );
        }
        if rng.random_bool(0.3) {
            store.engine.flush().unwrap();
        }
    }
    // Both are there, with all labels.
    for metric in ["m", "n"] {
        store.write(&format!(r#"{metric}{{series="s", x="a", y="b"}}"#), &[(0, 1.0)]);
    }
    store
}

/// A question about `{m}`, `{n}`, `{samples}` and `{series}`.
fn question(rng: &mut ChaCha8Rng) -> String {
    let k = rng.random_range(0..5);
    let label = *["x", "y"].choose(rng).unwrap();
    let value = *["a", "b", "ab", "nowhere"].choose(rng).unwrap();
    let join = *["", "LEFT ", "RIGHT ", "FULL "].choose(rng).unwrap();
    match rng.random_range(0..9) {
        0 => format!(
            "SELECT s.ts, s.metric, s.value FROM {{samples}} s {join}JOIN {{series}} d ON s.series_id = d.series_id \
             WHERE d.labels['{label}'] = '{value}'"
        ),
        1 => format!(
            "SELECT a.ts, a.value, b.value FROM {{m}} a {join}JOIN \
             (SELECT * FROM {{n}} WHERE value > {k}) b ON a.{label} = b.{label} AND a.ts = b.ts"
        ),
        2 => format!("SELECT ts, value FROM {{m}} WHERE {label} IN (SELECT x FROM {{n}} WHERE value = {k})"),
        3 => format!(
            "SELECT ts, value FROM {{m}} WHERE {label} NOT IN (SELECT y FROM {{n}} WHERE value > {k})"
        ),
        4 => format!(
            "SELECT ts, value FROM {{m}} a WHERE NOT EXISTS \
             (SELECT 1 FROM {{n}} b WHERE a.{label} = b.{label} AND b.value = {k} AND b.ts = a.ts)"
        ),
        5 => format!(
            "SELECT metric, series_id FROM {{series}} WHERE series_id IN \
             (SELECT series_id FROM {{samples}} WHERE value = {k} AND metric = 'm')"
        ),
        6 => format!(
            "SELECT a.ts, d.labels['series'] FROM (SELECT ts, series_id FROM {{samples}} WHERE value = {k}) a \
             {join}JOIN {{series}} d ON a.series_id = d.series_id AND d.labels['{label}'] = '{value}'"
        ),
        7 => format!(
            "SELECT a.{label}, sum(s.value) FROM {{samples}} s {join}JOIN \
             (SELECT {label}, max(ts) AS newest FROM {{m}} WHERE value = {k} GROUP BY 1) a ON s.ts = a.newest GROUP BY 1"
        ),
        _ => format!(
            "WITH wanted AS (SELECT series_id FROM {{series}} WHERE labels['{label}'] = '{value}') \
             SELECT s.ts, s.value, o.value FROM {{samples}} s JOIN wanted w ON s.series_id = w.series_id \
             {join}JOIN {{m}} o ON o.ts = s.ts AND o.value > {k}"
        ),
    }
}

#[test]
fn random_joins_keep_their_meaning() {
    for seed in 0..2 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let store = store(&mut rng);
        // The same rows behind a sum that no condition passes.
        let closed = |table: &str, by: &str| {
            format!(
                "(SELECT * FROM (SELECT *, row_number() OVER (ORDER BY {by}) AS n FROM {table}) AS t WHERE n > 0)"
            )
        };
        let tables = [
            ("{m}", "m", "ts"),
            ("{n}", "n", "ts"),
            ("{samples}", "samples", "ts"),
            ("{series}", "series", "series_id"),
        ];
        for _ in 0..4 {
            let question = question(&mut rng);
            let ask = |with: &dyn Fn(&str, &str) -> String| {
                let sql = tables.iter().fold(question.clone(), |sql, (mark, table, by)| {
                    sql.replace(mark, &with(table, by))
                });
                let mut rows = store.rows(&sql);
                rows.sort();
                rows
            };
            assert_eq!(
                ask(&|table, _| table.to_owned()),
                ask(&closed),
                "seed {seed}: {question}"
            );
        }
    }
}
