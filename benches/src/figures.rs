//! Named figures of one run of one contestant, and all of them side by side.

use serde_json::{Value, json};

use crate::table::{Table, median, rounded};

/// Figures in the order in which tables show them. NaN is one that could not be measured.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    named: Vec<(String, f64)>,
    remarks: Vec<String>,
}

impl Figures {
    /// Adds one; its name ends with its unit.
    pub fn push(&mut self, name: impl Into<String>, value: f64) {
        self.named.push((name.into(), value));
    }

    /// Something that a reader of the table has to know.
    pub fn remark(&mut self, text: String) {
        self.remarks.push(text);
    }

    /// A figure, or NaN.
    #[must_use]
    pub fn get(&self, name: &str) -> f64 {
        let mut named = self.named.iter();
        named
            .find(|(n, _)| n == name)
            .map_or(f64::NAN, |(_, value)| *value)
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(|(name, _)| name.as_str())
    }
}

/// The runs of all contestants on one workload.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The name of the workload.
    pub workload: String,
    /// What it is.
    pub about: String,
    /// The heading of each contestant's column, that of Barograph first.
    pub columns: Vec<String>,
    /// Of each contestant, each run.
    pub runs: Vec<Vec<Figures>>,
}

impl Comparison {
    /// The median of a figure of a contestant over its runs.
    #[must_use]
    pub fn median(&self, column: usize, name: &str) -> f64 {
        let values = self.runs[column].iter().map(|figures| figures.get(name));
        median(values.filter(|value| !value.is_nan()).collect())
    }

    /// Each figure's name once, in order.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.runs.iter().flatten().flat_map(Figures::names) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// A column for each contestant, and for each but the first how many times its figure the first one's is.
    #[must_use]
    pub fn table(&self) -> Table {
        let shown = |value: f64| match value.is_nan() {
            true => "-".to_owned(),
            false => rounded(value),
        };
        let mut header = vec![self.workload.clone()];
        for (i, column) in self.columns.iter().enumerate() {
            header.push(column.clone());
            if i > 0 {
                header.push("ratio".to_owned());
            }
        }
        let mut table = Table::new(header);
        for name in self.names() {
            let first = self.median(0, name);
            let mut cells = vec![name.to_owned(), shown(first)];
            for column in 1..self.columns.len() {
                let value = self.median(column, name);
                cells.push(shown(value));
                cells.push(match value == 0.0 {
                    true => "-".to_owned(),
                    false => shown(first / value),
                });
            }
            table.row(cells);
        }
        table
    }

    /// What has to be known beside the table.
    pub fn remarks(&self) -> impl Iterator<Item = &str> {
        self.runs
            .iter()
            .flatten()
            .flat_map(|figures| &figures.remarks)
            .map(String::as_str)
    }

    /// Everything, each run on its own; a figure that was not measured is null.
    #[must_use]
    pub fn json(&self) -> Value {
        let of = |figures: &Figures| -> Value {
            let pairs = figures
                .named
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)));
            Value::Object(pairs.collect())
        };
        let contestants: Vec<_> = self
            .columns
            .iter()
            .zip(&self.runs)
            .map(|(name, runs)| json!({ "name": name, "runs": runs.iter().map(of).collect::<Vec<_>>() }))
            .collect();
        json!({
            "workload": self.workload,
            "about": self.about,
            "contestants": contestants,
            "remarks": self.remarks().collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_held_against_the_others() {
        let of = |pairs: &[(&str, f64)]| {
            let mut figures = Figures::default();
            for (name, value) in pairs {
                figures.push(*name, *value);
            }
            figures
        };
        let comparison = Comparison {
            workload: "w".to_owned(),
            about: String::new(),
            columns: vec!["a".to_owned(), "b".to_owned()],
            runs: vec![
                vec![
                    of(&[("x", 1.0), ("y", f64::NAN)]),
                    of(&[("x", 3.0)]),
                    of(&[("x", 2.0)]),
                ],
                vec![of(&[("x", 4.0), ("lost", 0.0)])],
            ],
        };
        let expected = "| w    |    a |    b | ratio |\n|------|-----:|-----:|------:|\n\
                        | x    | 2.00 | 4.00 |  0.50 |\n| y    |    - |    - |     - |\n\
                        | lost |    - |    0 |     - |\n";
        assert_eq!(comparison.table().to_string(), expected);
        let json = comparison.json();
        assert_eq!(json["contestants"][0]["runs"][1]["x"], 3.0);
        assert!(json["contestants"][0]["runs"][0]["y"].is_null());
    }
}
