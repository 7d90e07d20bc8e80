//! Queries by kind, asked of settled data over one kept connection.

use std::net::SocketAddr;

use anyhow::{Result, bail};

use crate::asking::{Answer, Asking, PromQl, Question, agree, answer};
use crate::contestant::{Kind, Language};
use crate::figures::Figures;
use crate::parity::{count_of_all, within};
use crate::stopwatch::Stopwatch;
use crate::table::median;
use crate::workload::Workload;

/// Each is asked so often; the median counts.
const REPEATS: usize = 7;
const BUCKET_MS: i64 = 60_000;

/// The questions about a workload. All windows end at its end, where no sample is.
#[must_use]
pub(crate) fn questions(workload: &Workload) -> Vec<Question> {
    let (from, until) = (workload.bodies.from.0, workload.bodies.until.0);
    let (metric, by) = (workload.subject.metric, workload.subject.by);
    let (target, target_value) = &workload.subject.target;
    let one = &workload.subject.one;
    let window = format!("{}ms", until - from);
    let within = within(from, until);
    let buckets = (until - from).div_euclid(BUCKET_MS) + i64::from((until - from) % BUCKET_MS != 0);
    let selector: Vec<_> = one
        .iter()
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    let condition: Vec<_> = one
        .iter()
        .map(|(name, value)| format!("\"{name}\" = '{value}'"))
        .collect();
    let instant = |expr: String| PromQl::Instant {
        expr,
        at_ms: until - 1,
    };
    vec![
        count_of_all(&workload.bodies),
        Question {
            name: "one series, its samples",
            promql: instant(format!("{metric}{{{}}}[{window}]", selector.join(","))),
            sql: format!(
                "SELECT CAST(ts AS BIGINT) AS ms, value FROM metrics.{metric} WHERE {} AND {within} ORDER BY ts",
                condition.join(" AND ")
            ),
        },
        Question {
            name: "one target, its last values by metric",
            promql: instant(format!(
                "sum by (__name__) (last_over_time({{{target}=\"{target_value}\"}}[{window}]))"
            )),
            sql: format!(
                "SELECT metric, sum(newest) FROM (SELECT samples.metric, series_id, \
                 last_value(value ORDER BY ts) AS newest FROM samples JOIN series s USING (series_id) \
                 WHERE s.labels['{target}'] = '{target_value}' AND {within} GROUP BY 1, 2) GROUP BY 1"
            ),
        },
        Question {
            name: "one metric, sum by label",
            promql: instant(format!("sum by ({by}) (sum_over_time({metric}[{window}]))")),
            sql: format!("SELECT \"{by}\", sum(value) FROM metrics.{metric} WHERE {within} GROUP BY 1"),
        },
        Question {
            name: "one metric, sum of each series' maximum",
            promql: instant(format!("sum(max_over_time({metric}[{window}]))")),
            sql: format!(
                "SELECT '', sum(highest) FROM (SELECT series_id, max(value) AS highest FROM samples \
                 WHERE metric = '{metric}' AND {within} GROUP BY 1)"
            ),
        },
        Question {
            name: "one metric, sum by minute",
            promql: PromQl::Range {
                expr: format!("sum(sum_over_time({metric}[{BUCKET_MS}ms]))"),
                start_ms: until - 1 - (buckets - 1) * BUCKET_MS,
                end_ms: until - 1,
                step_ms: BUCKET_MS,
            },
            // The key is the last millisecond of the minute, as in PromQL.
            sql: format!(
                "SELECT CAST(time_bucket('1m', ts) AS BIGINT) + {}, sum(value) FROM metrics.{metric} \
                 WHERE {within} GROUP BY 1",
                BUCKET_MS - 1
            ),
        },
        Question {
            name: "one metric, values of a label",
            promql: PromQl::LabelValues {
                label: by.to_owned(),
                selector: metric.to_owned(),
                start_ms: from,
                end_ms: until,
            },
            sql: format!("SELECT DISTINCT labels['{by}'], 1 FROM series WHERE metric = '{metric}'"),
        },
    ]
}

/// Asks everything, and gives the answers in the order of the questions.
///
/// # Errors
/// When a question is refused.
pub(crate) fn ask_all(
    kind: Kind,
    listen: SocketAddr,
    questions: &[Question],
    figures: &mut Figures,
) -> Result<Vec<Answer>> {
    let mut asking = Asking::open(kind, listen)?;
    let mut answers = Vec::new();
    for question in questions {
        for (place, &language) in kind.languages().iter().enumerate() {
            let mut seconds = Vec::new();
            let mut text = String::new();
            for _ in 0..REPEATS {
                let since = Stopwatch::start();
                text = asking.raw(question, language)?;
                seconds.push(since.seconds());
            }
            let answer = answer(&text, language)?;
            let ms = median(seconds) * 1e3;
            match (place, language) {
                (0, _) => {
                    figures.push(format!("query: {}, ms", question.name), ms);
                    answers.push(answer);
                    continue;
                }
                (_, Language::Sql) => figures.push(format!("query in SQL: {}, ms", question.name), ms),
                (_, Language::PromQl) => figures.push(format!("query in PromQL: {}, ms", question.name), ms),
            }
            if !answers.last().is_some_and(|first| agree(first, &answer)) {
                bail!(
                    "{} answers {:?} otherwise in {language:?}",
                    kind.program(),
                    question.name
                );
            }
        }
    }
    Ok(answers)
}

/// Holds the answers of two contestants against each other.
///
/// # Errors
/// When one differs, with the beginning of both.
pub(crate) fn expect_same(
    questions: &[Question],
    (name, answers): (&str, &[Answer]),
    (other_name, others): (&str, &[Answer]),
) -> Result<()> {
    for ((question, answer), other) in questions.iter().zip(answers).zip(others) {
        if !agree(answer, other) {
            let differing = answer.iter().zip(other).find(|(a, b)| a != b);
            bail!(
                "{:?}: {name} answers with {} rows and {other_name} with {}; the first that differ: {differing:?}",
                question.name,
                answer.len(),
                other.len()
            );
        }
    }
    Ok(())
}
