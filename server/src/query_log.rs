//! The query log: a line of JSON for every PromQL query, with the keys of Prometheus' own, and what each selector read.
//!
//! ```text
//! {"params":{"query","start","end","step"},"stats":{"timings":{...},"samples":{...},"selectors":[...]},
//!  "ts":"2026-01-01T00:00:00.000Z","client":"10.0.0.1","errorType":"timeout","error":"..."}
//! ```
//!
//! A thread of its own writes, so that a slow disk delays no answer. What does not fit its queue is counted and left out.
//! When the file is moved away it is opened anew, so that logrotate needs no signal.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use barograph_model::TimestampMs;
use barograph_query::promql::{QueryRecord, SelectorCost};
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

/// Lines that wait to be written.
const WAITING_MAX: usize = 4096;
/// Bytes of a query that are written down.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// What is told of every query that has ended.
type Observer = Box<dyn Fn(&QueryRecord) + Send + Sync>;

/// Why there is no log.
#[derive(Debug, Error)]
#[error("cannot open the query log {}: {source} (set another query_log in [promql])", path.display())]
pub struct QueryLogError {
    path: PathBuf,
    source: io::Error,
}

/// A log that is open; its thread ends with the last observer.
#[derive(Debug)]
pub struct QueryLog {
    lines: SyncSender<Vec<u8>>,
    lost: Arc<AtomicU64>,
}

impl QueryLog {
    /// Opens the file, or makes it, and starts the thread that writes to it.
    ///
    /// # Errors
    /// [`QueryLogError`] names the file.
    pub fn open(path: &Path) -> Result<Self, QueryLogError> {
        let failed = |source| QueryLogError {
            path: path.to_owned(),
            source,
        };
        let file = open(path).map_err(failed)?;
        let (lines, receiver) = sync_channel(WAITING_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            path: path.to_owned(),
            file,
            lost: Arc::clone(&lost),
        };
        std::thread::Builder::new()
            .name("barograph-qlog".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(failed)?;
        Ok(Self { lines, lost })
    }

    /// What tells the log of queries.
    #[must_use]
    pub fn observer(self) -> Observer {
        Box::new(move |record| {
            if self.lines.try_send(line(record)).is_err() {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        })
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

struct Writer {
    path: PathBuf,
    file: File,
    lost: Arc<AtomicU64>,
}

impl Writer {
    fn run(mut self, lines: &Receiver<Vec<u8>>) {
        while let Ok(mut batch) = lines.recv() {
            // Whatever waits is written at once.
            batch.extend(lines.try_iter().flatten());
            if let Err(error) = self.write(&batch) {
                tracing::warn!(path = %self.path.display(), %error, "queries are missing from the query log");
            }
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                tracing::warn!(
                    queries = lost,
                    "the disk is too slow for the query log: queries are missing from it"
                );
            }
        }
    }

    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        let is_same = |at: &Path, file: &File| -> io::Result<bool> {
            let (named, held) = (std::fs::metadata(at)?, file.metadata()?);
            Ok((named.dev(), named.ino()) == (held.dev(), held.ino()))
        };
        if !is_same(&self.path, &self.file).unwrap_or(false) {
            self.file = open(&self.path)?;
        }
        self.file.write_all(batch)
    }
}

fn date(ms: i64) -> String {
    let instant = DateTime::from_timestamp_millis(ms).unwrap_or_default();
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The line of a query, its end included.
fn line(record: &QueryRecord) -> Vec<u8> {
    let seconds = |ns: u64| ns as f64 / 1e9;
    let times = &record.times;
    let text = &record.text[..record.text.floor_char_boundary(TEXT_BYTES_MAX)];
    let TimestampMs(started_ms) = record.started_at;
    let mut entry = json!({
        "params": {
            "query": text,
            "start": date(record.start_ms),
            "end": date(record.end_ms),
            "step": record.step_ms as f64 / 1e3,
        },
        "stats": {
            "timings": {
                "evalTotalTime": seconds(times.prepared_ns.saturating_add(times.evaluated_ns)),
                "queryPreparationTime": seconds(times.prepared_ns),
                "innerEvalTime": seconds(times.evaluated_ns),
                "execQueueTime": seconds(times.queued_ns),
                "execTotalTime": seconds(times.total_ns),
            },
            "samples": {
                "totalQueryableSamples": record.samples_total,
                "peakSamples": record.samples_peak,
            },
            "selectors": record.selectors.iter().map(Selector::of).collect::<Vec<_>>(),
        },
        "ts": date(started_ms),
        "client": &*record.client,
    });
    if let Some((kind, message)) = &record.error {
        entry["errorType"] = Value::from(*kind);
        entry["error"] = Value::from(message.as_str());
    }
    let mut line = entry.to_string().into_bytes();
    line.push(b'\n');
    line
}

/// A selector of a query and what its scan had before it. Not part of Prometheus' answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Selector<'a> {
    selector: &'a str,
    series_matched: usize,
    rows_total: u64,
    rows_selected: u64,
    files_total: usize,
    files_pruned: usize,
    /// Where a rollup answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    rollup: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buckets_selected: Option<u64>,
}

impl<'a> Selector<'a> {
    pub(crate) fn of(cost: &'a SelectorCost) -> Self {
        Self {
            selector: &cost.text,
            series_matched: cost.scan.series_matched,
            rows_total: cost.scan.rows_total,
            rows_selected: cost.scan.rows_selected,
            files_total: cost.scan.files_total,
            files_pruned: cost.scan.files_pruned,
            rollup: cost.rollup.map(|(width, _)| width),
            buckets_selected: cost.rollup.map(|(_, buckets)| buckets),
        }
    }
}

#[cfg(test)]
mod tests {
    use barograph_query::promql::QueryTimes;

    use super::*;

    fn record(text: &str) -> QueryRecord {
        QueryRecord {
            text: Arc::from(text),
            client: Arc::from("10.0.0.1"),
            is_range: true,
            start_ms: 1_767_225_600_000,
            end_ms: 1_767_229_200_000,
            step_ms: 15_000,
            started_at: TimestampMs(1_767_229_200_000),
            times: QueryTimes::default(),
            samples_total: 7,
            samples_peak: 3,
            selectors: Vec::new(),
            error: Some(("timeout", "too slow".to_owned())),
        }
    }

    #[test]
    fn a_line_has_prometheus_keys() {
        let line: Value = serde_json::from_slice(&line(&record("up\n+ 1"))).unwrap();
        assert_eq!(line["params"]["query"], "up\n+ 1");
        assert_eq!(line["params"]["start"], "2026-01-01T00:00:00.000Z");
        assert_eq!(line["params"]["step"], 15.0);
        assert_eq!(line["stats"]["samples"]["totalQueryableSamples"], 7);
        assert_eq!(
            (&line["errorType"], &line["error"]),
            (&json!("timeout"), &json!("too slow"))
        );
    }

    #[test]
    fn a_file_that_was_moved_away_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queries.jsonl");
        let mut writer = Writer {
            path: path.clone(),
            file: open(&path).unwrap(),
            lost: Arc::default(),
        };
        writer.write(b"a\n").unwrap();
        std::fs::rename(&path, folder.path().join("old")).unwrap();
        writer.write(b"b\n").unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(
            (read("old"), read("queries.jsonl")),
            ("a\n".to_owned(), "b\n".to_owned())
        );
        assert!(QueryLog::open(&folder.path().join("no/such/folder")).is_err());
    }
}
