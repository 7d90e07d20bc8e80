//! The Numenta Anomaly Benchmark's files: series as CSV, labels as windows in JSON.
//!
//! Pure parsers: the caller opens the files. Format: <https://github.com/numenta/NAB>, `data/` and `labels/`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use barograph_model::{Sample, TimeRange, TimestampMs};
use chrono::NaiveDateTime;
use thiserror::Error;

/// The first share of a file is for learning; NAB scores nothing in it.
pub const PROBATION: f64 = 0.15;

/// Why a file of the benchmark cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NabError {
    /// The reader given failed.
    #[error("line {line}: {source}")]
    Read {
        /// The line, counted from 1.
        line: usize,
        /// What the reader said.
        source: std::io::Error,
    },
    /// A line is not `timestamp,value`.
    #[error("line {line}: {text:?} is not a row like \"2014-04-01 00:05:00,20.5\"")]
    Row {
        /// The line, counted from 1.
        line: usize,
        /// Its text.
        text: String,
    },
    /// The labels are not an object of lists of pairs of timestamps.
    #[error("labels: {0}; expected {{\"folder/file.csv\": [[\"start\", \"end\"], ...]}}")]
    Labels(#[from] serde_json::Error),
    /// A window's end is not a timestamp.
    #[error("labels of {file}: {text:?} is not a timestamp like \"2014-04-10 16:15:00.000000\"")]
    Window {
        /// The file that the window labels.
        file: String,
        /// The text.
        text: String,
    },
}

/// Reads a series: a header, then `YYYY-MM-DD HH:MM:SS,value` per line, in UTC. Rows stay in the file's order; a
/// few files of the benchmark hold an instant twice.
///
/// # Errors
/// [`NabError::Read`] and [`NabError::Row`], with the line.
pub fn read_series(csv: impl Read) -> Result<Vec<Sample>, NabError> {
    let mut samples = Vec::new();
    for (i, line) in BufReader::new(csv).lines().enumerate() {
        let text = line.map_err(|source| NabError::Read { line: i + 1, source })?;
        if i == 0 || text.trim().is_empty() {
            continue;
        }
        let row = text.split_once(',').and_then(|(ts, value)| {
            Some(Sample {
                ts: instant(ts)?,
                value: value.trim().parse().ok()?,
            })
        });
        samples.push(row.ok_or(NabError::Row { line: i + 1, text })?);
    }
    Ok(samples)
}

/// Reads `combined_windows.json`: by file (`realTweets/Twitter_volume_GOOG.csv`) the windows, both ends inside,
/// around its anomalies.
///
/// # Errors
/// [`NabError::Labels`] for text of another shape, [`NabError::Window`] for a bad timestamp.
pub fn read_windows(json: &str) -> Result<BTreeMap<String, Vec<TimeRange>>, NabError> {
    let raw: BTreeMap<String, Vec<(String, String)>> = serde_json::from_str(json)?;
    let mut windows = BTreeMap::new();
    for (file, pairs) in raw {
        let read = |text: String| {
            instant(&text).ok_or_else(|| NabError::Window {
                file: file.clone(),
                text,
            })
        };
        let of_file = pairs
            .into_iter()
            .map(|(start, end)| {
                Ok(TimeRange {
                    start: read(start)?,
                    end: read(end)?,
                })
            })
            .collect::<Result<Vec<_>, NabError>>()?;
        windows.insert(file, of_file);
    }
    Ok(windows)
}

fn instant(text: &str) -> Option<TimestampMs> {
    let at = NaiveDateTime::parse_from_str(text.trim(), "%Y-%m-%d %H:%M:%S%.f").ok()?;
    Some(TimestampMs(at.and_utc().timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rows_and_names_the_bad_one() {
        let good =
            read_series("timestamp,value\n1970-01-01 00:05:00,20.5\n\n1970-01-01 00:10:00,-1\n".as_bytes());
        assert_eq!(
            good.unwrap(),
            [Sample::new(300_000, 20.5), Sample::new(600_000, -1.0)]
        );
        let bad = read_series("timestamp,value\n1970-01-01 00:05:00,x\n".as_bytes()).unwrap_err();
        assert!(
            bad.to_string().starts_with("line 2: \"1970-01-01 00:05:00,x\""),
            "{bad}"
        );
        assert!(matches!(
            read_series([0xffu8, b'\n'].as_slice()),
            Err(NabError::Read { line: 1, .. })
        ));
    }

    #[test]
    fn reads_windows() {
        let json =
            r#"{"a/b.csv": [["1970-01-01 00:00:01.500000", "1970-01-01 00:00:02.000000"]], "a/c.csv": []}"#;
        let windows = read_windows(json).unwrap();
        assert_eq!(windows["a/b.csv"], [TimeRange::new(1_500, 2_000)]);
        assert!(windows["a/c.csv"].is_empty());
        assert!(matches!(read_windows("[1]"), Err(NabError::Labels(_))));
        assert!(matches!(
            read_windows(r#"{"a": [["x", "y"]]}"#),
            Err(NabError::Window { .. })
        ));
    }

    /// Reads the benchmark itself where the checkout has it beside it.
    #[test]
    fn reads_the_benchmark() {
        let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/nab"));
        let Ok(json) = std::fs::read_to_string(root.join("labels/combined_windows.json")) else {
            return;
        };
        let windows = read_windows(&json).unwrap();
        assert_eq!(windows.len(), 58);
        for (file, of_file) in windows {
            let csv = std::fs::File::open(root.join("data").join(&file)).unwrap();
            let samples = read_series(csv).unwrap();
            assert!(samples.len() > 1_000, "{file}");
            for window in of_file {
                assert!(
                    samples.iter().any(|s| window.contains(s.ts)),
                    "{file}: {window:?} holds no row"
                );
            }
        }
    }
}
