//! What came out of a part: times, verdicts, tables.

use serde_json::{Value, json};

use crate::contestant::{Contestant, Kind};
use crate::table::{Table, quantile, rounded};

/// What a contestant's answers to a kind of query are worth.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// Not asked yet.
    Unasked,
    /// It is Prometheus. The first variant's answer has so many series and points.
    Right { series: usize, points: usize },
    /// The same as Prometheus'.
    Same,
    /// Not the same; the first difference.
    Differs(String),
    /// Prometheus has no answer to hold it against.
    Unchecked,
    /// No answer; what it said.
    Refused(String),
}

/// One contestant at one kind of query.
#[derive(Debug, Clone)]
pub(crate) struct Score {
    /// Of its answers.
    pub(crate) verdict: Verdict,
    /// Seconds of each query that was asked warm.
    pub(crate) warm: Vec<f64>,
    /// Of each that was asked cold.
    pub(crate) cold: Vec<f64>,
}

impl Score {
    /// Whether it has no answer.
    #[must_use]
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.verdict, Verdict::Refused(_))
    }
}

/// One contestant.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    kind: Kind,
    heading: String,
    /// By kind of query.
    pub(crate) scores: Vec<Score>,
}

impl Column {
    /// Nothing asked yet.
    #[must_use]
    pub(crate) fn new(contestant: &Contestant, cases: usize) -> Self {
        let score = Score {
            verdict: Verdict::Unasked,
            warm: Vec::new(),
            cold: Vec::new(),
        };
        Self {
            kind: contestant.kind,
            heading: format!("{} {}", contestant.kind.program(), contestant.version),
            scores: vec![score; cases],
        }
    }
}

/// Everything about one part.
#[derive(Debug, Clone)]
pub struct QueryScores {
    /// Its name.
    pub(crate) part: &'static str,
    /// Names of the kinds of queries.
    pub(crate) cases: Vec<&'static str>,
    /// The contestants, each with a score for each kind.
    pub(crate) columns: Vec<Column>,
}

type Times = fn(&Score) -> &Vec<f64>;

impl QueryScores {
    /// Milliseconds of queries asked again and again: p50 / p99, and how many times the best peer's p50 Barograph's is.
    #[must_use]
    pub fn warm_table(&self) -> Table {
        self.table("warm, p50 / p99 in ms", |score| &score.warm, 0.99)
    }

    /// Milliseconds of first queries: the median and the slowest; nothing where none was asked.
    #[must_use]
    pub fn cold_table(&self) -> Option<Table> {
        let asked = |column: &Column| column.scores.iter().any(|score| !score.cold.is_empty());
        self.columns
            .iter()
            .any(asked)
            .then(|| self.table("cold, median / slowest in ms", |score| &score.cold, 1.0))
    }

    /// What has to be known beside the tables: who answers otherwise than Prometheus, and how.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for column in &self.columns {
            for (case, score) in self.cases.iter().zip(&column.scores) {
                let (name, part) = (column.kind.program(), self.part);
                remarks.extend(match &score.verdict {
                    Verdict::Differs(how) => Some(format!(
                        "* {part}, {case}: {name} answers otherwise than prometheus: {how}"
                    )),
                    Verdict::Refused(why) => Some(format!("{part}, {case}: {name} does not answer: {why}")),
                    Verdict::Unchecked => Some(format!(
                        "{part}, {case}: {name}'s answers are not held against prometheus'"
                    )),
                    _ => None,
                });
            }
        }
        remarks
    }

    /// Whether Barograph has answered everything as Prometheus did, as far as Prometheus has answered.
    #[must_use]
    pub fn barograph_is_right(&self) -> bool {
        let own = self
            .columns
            .iter()
            .filter(|column| column.kind == Kind::Barograph);
        let mut verdicts = own.flat_map(|column| &column.scores).map(|score| &score.verdict);
        verdicts.all(|verdict| matches!(verdict, Verdict::Same | Verdict::Unchecked))
    }

    fn table(&self, what: &str, times: Times, tail: f64) -> Table {
        let mut header = vec![format!("{}, {what}", self.part)];
        header.extend(self.columns.iter().map(|column| column.heading.clone()));
        header.push("to the best peer".to_owned());
        let mut table = Table::new(header);
        for (c, case) in self.cases.iter().enumerate() {
            let cell = |column: &Column| {
                let score = &column.scores[c];
                let seconds = times(score);
                if seconds.is_empty() {
                    return "-".to_owned();
                }
                let mark = if matches!(score.verdict, Verdict::Differs(_)) {
                    "*"
                } else {
                    ""
                };
                let [middle, tail] = [0.5, tail].map(|q| rounded(quantile(seconds, q) * 1e3));
                format!("{middle} / {tail}{mark}")
            };
            let mut cells = vec![self.with_size(c, case)];
            cells.extend(self.columns.iter().map(cell));
            cells.push(shown(self.to_best_peer(c, times)));
            table.row(cells);
        }
        let mut cells = vec!["geometric mean of barograph's over theirs".to_owned()];
        for column in &self.columns {
            cells.push(match column.kind {
                Kind::Barograph => String::new(),
                kind => shown(geometric_mean(&self.ratios(kind, times))),
            });
        }
        let best: Vec<f64> = (0..self.cases.len())
            .map(|c| self.to_best_peer(c, times))
            .collect();
        cells.push(shown(geometric_mean(&best)));
        table.row(cells);
        table
    }

    fn with_size(&self, c: usize, case: &str) -> String {
        let verdicts = self.columns.iter().map(|column| &column.scores[c].verdict);
        for verdict in verdicts {
            if let Verdict::Right { series, points } = verdict {
                return format!(
                    "{case} ({} x {})",
                    rounded(*series as f64),
                    points / (*series).max(1)
                );
            }
        }
        case.to_owned()
    }

    fn middle(&self, kind: Kind, c: usize, times: Times) -> f64 {
        let column = self.columns.iter().find(|column| column.kind == kind);
        column.map_or(f64::NAN, |column| quantile(times(&column.scores[c]), 0.5))
    }

    fn to_best_peer(&self, c: usize, times: Times) -> f64 {
        // `min` gives the other where one is NaN.
        let best = f64::min(
            self.middle(Kind::Prometheus, c, times),
            self.middle(Kind::VictoriaMetrics, c, times),
        );
        self.middle(Kind::Barograph, c, times) / best
    }

    /// How many times a peer's p50 Barograph's is, by kind of query; NaN where one is missing.
    fn ratios(&self, peer: Kind, times: Times) -> Vec<f64> {
        let of_case = |c| self.middle(Kind::Barograph, c, times) / self.middle(peer, c, times);
        (0..self.cases.len()).map(of_case).collect()
    }

    /// Every time that was measured, in seconds, and every verdict.
    #[must_use]
    pub fn json(&self) -> Value {
        let of_column = |column: &Column| {
            let scores = self.cases.iter().zip(&column.scores).map(|(case, score)| {
                json!({
                    "query": case,
                    "verdict": format!("{:?}", score.verdict),
                    "warm_seconds": score.warm,
                    "cold_seconds": score.cold,
                })
            });
            json!({ "name": column.heading, "queries": scores.collect::<Vec<_>>() })
        };
        json!({ "part": self.part, "contestants": self.columns.iter().map(of_column).collect::<Vec<_>>() })
    }
}

/// Over all parts, by peer: its name, and the geometric mean of Barograph's warm p50 over the peer's; only of peers that
/// were asked beside it.
#[must_use]
pub fn geometric_means(all: &[QueryScores]) -> Vec<(&'static str, f64)> {
    let peers = [Kind::Prometheus, Kind::VictoriaMetrics];
    let means = peers.map(|peer| {
        let ratios: Vec<f64> = all
            .iter()
            .flat_map(|scores| scores.ratios(peer, |score| &score.warm))
            .collect();
        (peer.program(), geometric_mean(&ratios))
    });
    means.into_iter().filter(|(_, mean)| !mean.is_nan()).collect()
}

/// Of what is a number; NaN of nothing.
fn geometric_mean(ratios: &[f64]) -> f64 {
    let logarithms: Vec<f64> = ratios
        .iter()
        .filter(|ratio| !ratio.is_nan())
        .map(|ratio| ratio.ln())
        .collect();
    (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp()
}

fn shown(ratio: f64) -> String {
    if ratio.is_nan() {
        "-".to_owned()
    } else {
        rounded(ratio)
    }
}
