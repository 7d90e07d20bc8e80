//! Scrapes of the node_exporter that is installed, kept beside the bench's executable, below `target`.
//!
//! A file is what the exporter answered, scrape after scrape, each behind a line that counts it. It is written under
//! another name first, so that one that has its name is whole.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::exposition::{self, Line};
use crate::connection::Connection;
use crate::contestant::{find_program, free_address};
use crate::process::Running;
use crate::stopwatch::Stopwatch;

const PROGRAM: &str = "prometheus-node-exporter";
/// Between two scrapes. Shorter than 15 s, so counters grow by less than they would.
const PAUSE: Duration = Duration::from_millis(250);
const SCRAPE_LINE: &str = "# scrape ";

/// The series that every scrape has.
#[derive(Debug)]
pub(crate) struct Recording {
    /// One for each series.
    pub(crate) series: Vec<RecordedSeries>,
}

/// One series.
#[derive(Debug)]
pub(crate) struct RecordedSeries {
    /// The name of its metric.
    pub(crate) metric: String,
    /// Its labels, without those that a scraper adds.
    pub(crate) labels: Vec<(String, String)>,
    /// Its value at each scrape.
    pub(crate) values: Vec<f64>,
    /// The most digits behind the point of its values; not below zero.
    pub(crate) decimals: i32,
}

impl Recording {
    /// The recording of so many scrapes that was made before, or a new one, which takes a quarter of a second for
    /// each scrape.
    ///
    /// # Errors
    /// When the exporter is not installed, does not answer, or a file cannot be written or read.
    pub(crate) fn obtain(scrapes: usize) -> Result<Self> {
        let bench = std::env::current_exe().context("where this bench lies")?;
        let file = bench.with_file_name(format!("node-exporter-{scrapes}.recording"));
        if !file.is_file() {
            record(scrapes, &file)?;
        }
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text)
            .with_context(|| format!("{} is not a recording; remove it to make it anew", file.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let mut scrapes = text.split(SCRAPE_LINE);
        // Nothing is before the first.
        scrapes.next();
        let mut series: Vec<RecordedSeries> = Vec::new();
        let mut places = HashMap::new();
        let mut count = 0;
        for scrape in scrapes {
            // The rest of the counting line.
            let lines = exposition::parse(scrape.split_once('\n').context("a scrape is cut off")?.1)?;
            for line in lines {
                let key = (line.metric.clone(), line.labels.clone());
                match places.get(&key) {
                    Some(&place) => {
                        let known: &mut RecordedSeries = &mut series[place];
                        known.decimals = known.decimals.max(line.decimals);
                        known.values.push(line.value);
                    }
                    None if count == 0 => {
                        places.insert(key, series.len());
                        series.push(RecordedSeries::new(line));
                    }
                    None => {}
                }
            }
            count += 1;
        }
        series.retain(|series| series.values.len() == count);
        if series.is_empty() {
            bail!("it has no series that is in all of its {count} scrapes");
        }
        Ok(Self { series })
    }
}

impl RecordedSeries {
    fn new(line: Line) -> Self {
        Self {
            metric: line.metric,
            labels: line.labels,
            values: vec![line.value],
            decimals: line.decimals.max(0),
        }
    }
}

fn record(scrapes: usize, file: &Path) -> Result<()> {
    let path = find_program(PROGRAM)
        .with_context(|| format!("{PROGRAM} is not installed (apt-get install {PROGRAM})"))?;
    let listen = free_address()?;
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let mut command = Command::new(path);
    command.arg(format!("--web.listen-address={listen}"));
    let mut exporter = Running::start(PROGRAM, command, folder.path().join("log"))?;
    exporter.ready(listen, "/", &Stopwatch::start())?;
    let unfinished: PathBuf = file.with_extension("unfinished");
    let mut out = BufWriter::new(
        File::create(&unfinished).with_context(|| format!("cannot write {}", unfinished.display()))?,
    );
    let mut connection = Connection::open(listen)?;
    for scrape in 0..scrapes {
        let (status, text) = connection.get("/metrics")?;
        if status != 200 {
            bail!("{PROGRAM} answers {status}: {}", text.trim());
        }
        write!(out, "{SCRAPE_LINE}{scrape}\n{text}")?;
        std::thread::sleep(PAUSE);
    }
    out.into_inner()
        .context("cannot write the recording")?
        .sync_all()?;
    fs::rename(&unfinished, file).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_that_is_not_in_every_scrape_is_left_out() {
        let text = "# scrape 0\na 1\nb{x=\"1\"} 2\nc 3.25\n# scrape 1\na 1.5\na{new=\"1\"} 7\nc 3.5\n\
                    # scrape 2\na 1\nb{x=\"1\"} 2\nc 3\n";
        let recording = Recording::parse(text).unwrap();
        let found: Vec<_> = recording
            .series
            .iter()
            .map(|s| (s.metric.as_str(), s.values.as_slice(), s.decimals))
            .collect();
        let expected: [(&str, &[f64], i32); 2] = [("a", &[1.0, 1.5, 1.0], 1), ("c", &[3.25, 3.5, 3.0], 2)];
        assert_eq!(found, expected);
        assert!(Recording::parse("").is_err());
    }
}
