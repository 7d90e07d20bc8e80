//! Reading texts line by line: a file, stdin, or what promtool writes.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;

use barograph_model::Labels;
use tokio::sync::mpsc::Sender;

use super::ImportFailure;
use super::batch::{Batch, Batcher, Position};
use super::labels::Escapes;
use super::line::Line;
use super::promtool::BlockDump;
use super::{dump, openmetrics};

/// A longer line is not read.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Bad lines that are told; the others are counted.
const TOLD_MAX: u64 = 10;

/// How a text is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics with timestamps.
    OpenMetrics,
    /// What `promtool tsdb dump` writes.
    Dump,
}

/// A series of a text with its samples, as they stand there: milliseconds since the epoch, and the value.
pub type TextSeries = (Labels, Vec<(i64, f64)>);

/// The series of a text, as an import would take them: in the order of their first samples, and again every twenty thousand
/// samples. Bad lines are left out and counted where it `skips_bad`. `name` is what messages call the text.
///
/// # Errors
/// [`ImportFailure`] names the line.
pub fn read_text(
    name: &str,
    text: &mut dyn BufRead,
    format: Format,
    skips_bad: bool,
) -> Result<(Vec<TextSeries>, u64), ImportFailure> {
    let (mut series, mut bad) = (Vec::new(), 0);
    let mut reading = Reading::new(name.to_owned(), format, skips_bad);
    // They are counted, and telling is for programs that talk to a person.
    reading.told = TOLD_MAX;
    reading.run(text, Position::default(), &mut |batch| {
        bad += batch.tally.bad;
        series.extend(
            batch
                .series
                .into_iter()
                .map(|series| (series.labels, series.samples)),
        );
        true
    })?;
    Ok((series, bad))
}

/// Where a text comes from.
#[derive(Debug)]
pub(super) enum Input {
    File(PathBuf),
    Stdin,
    Blocks(BlockDump),
}

/// A text.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) input: Input,
    pub(super) format: Format,
    pub(super) skips_bad: bool,
}

impl Text {
    /// What messages call it.
    pub(super) fn name(&self) -> String {
        match &self.input {
            Input::File(path) => path.display().to_string(),
            Input::Stdin => "-".to_owned(),
            Input::Blocks(blocks) => blocks.dir.display().to_string(),
        }
    }

    /// Reads from a position to the end and sends batches. Blocks. Ends early where nobody receives any more.
    ///
    /// # Errors
    /// [`ImportFailure`]; what was read before it has been sent.
    pub(super) fn read(
        self,
        from: Position,
        batches: &Sender<Result<Batch, ImportFailure>>,
    ) -> Result<(), ImportFailure> {
        let mut reading = Reading::new(self.name(), self.format, self.skips_bad);
        let emit = &mut |batch| batches.blocking_send(Ok(batch)).is_ok();
        match self.input {
            Input::File(path) => {
                let mut file = File::open(&path).map_err(ImportFailure::io("open", &path))?;
                file.seek(SeekFrom::Start(from.offset.unsigned_abs()))
                    .map_err(ImportFailure::io("read", &path))?;
                reading.position = from;
                reading.run(&mut BufReader::with_capacity(1 << 20, file), from, emit)
            }
            Input::Stdin => reading.run(&mut BufReader::new(std::io::stdin()), from, emit),
            Input::Blocks(blocks) => {
                let mut running = blocks.start()?;
                let output = running.output()?;
                reading.run(&mut BufReader::with_capacity(1 << 20, output), from, emit)?;
                running.finish()
            }
        }
    }
}

struct Reading {
    name: String,
    format: Format,
    skips_bad: bool,
    position: Position,
    batcher: Batcher,
    has_ended: bool,
    told: u64,
}

impl Reading {
    fn new(name: String, format: Format, skips_bad: bool) -> Self {
        Self {
            name,
            format,
            skips_bad,
            position: Position::default(),
            batcher: Batcher::default(),
            has_ended: false,
            told: 0,
        }
    }

    /// Gives each batch to `emit`, which says whether more is wanted.
    fn run(
        &mut self,
        input: &mut dyn BufRead,
        from: Position,
        emit: &mut dyn FnMut(Batch) -> bool,
    ) -> Result<(), ImportFailure> {
        let result = self.lines(input, from, emit);
        // Whoever does not want any more has failed and says so itself.
        emit(self.batcher.take(Some(self.position)));
        result
    }

    fn lines(
        &mut self,
        input: &mut dyn BufRead,
        from: Position,
        emit: &mut dyn FnMut(Batch) -> bool,
    ) -> Result<(), ImportFailure> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let read = input.take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes);
            let len = read.map_err(ImportFailure::io("read", self.name.as_ref()))? as u64;
            if len == 0 {
                break;
            }
            if len == LINE_BYTES_MAX && bytes.last() != Some(&b'\n') {
                return Err(self.bad(format!("the line is longer than {LINE_BYTES_MAX} bytes")));
            }
            if self.position.lines >= from.lines {
                let taken = match std::str::from_utf8(&bytes) {
                    Ok(line) => self.line(line),
                    Err(_) => Err("the line is not UTF-8".to_owned()),
                };
                if let Err(what) = taken {
                    let bad = self.bad(what);
                    if !self.skips_bad {
                        return Err(bad);
                    }
                    self.batcher.skip();
                    self.told += 1;
                    if self.told <= TOLD_MAX {
                        crate::cli::say(&bad.to_string());
                    }
                }
            }
            self.position.offset += len as i64;
            self.position.lines += 1;
            if self.batcher.is_full() && !emit(self.batcher.take(Some(self.position))) {
                return Ok(());
            }
        }
        // A resumed import may begin behind the last line.
        let is_resumed_at_end = from.lines > 0 && self.position == from;
        if self.format == Format::OpenMetrics && !self.has_ended && !self.skips_bad && !is_resumed_at_end {
            return Err(ImportFailure::NoEof {
                source_name: self.name.clone(),
                line: self.position.lines,
            });
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let (parsed, escapes) = match self.format {
            Format::OpenMetrics => (openmetrics::parse(line)?, Escapes::OpenMetrics),
            Format::Dump => (dump::parse(line)?, Escapes::Go),
        };
        if self.has_ended && parsed != Line::Other {
            return Err("there is more behind \"# EOF\"".to_owned());
        }
        match parsed {
            Line::Sample(sample) => self.batcher.add(&sample, escapes)?,
            Line::Eof => self.has_ended = true,
            Line::Other => {}
        }
        Ok(())
    }

    fn bad(&self, what: String) -> ImportFailure {
        ImportFailure::BadLine {
            source_name: self.name.clone(),
            line: self.position.lines + 1,
            what,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a text from a position on; gives the batches and how it ended.
    fn read(text: &str, format: Format, skips_bad: bool, from: Position) -> (Vec<Batch>, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, text).unwrap();
        let text = Text {
            input: Input::File(path),
            format,
            skips_bad,
        };
        let (sender, mut receiver) = tokio::sync::mpsc::channel(100);
        let error = text.read(from, &sender).err().map(|error| error.to_string());
        drop(sender);
        let mut batches = Vec::new();
        while let Some(batch) = receiver.blocking_recv() {
            batches.push(batch.unwrap());
        }
        (batches, error)
    }

    #[test]
    fn a_bad_line_is_named_and_what_was_before_it_is_kept() {
        let text = "{a=\"1\"} 1 5\nx\n{a=\"1\"} 2 6\n";
        let (batches, error) = read(text, Format::Dump, false, Position::default());
        let error = error.unwrap();
        assert!(
            error.contains("text:2: ") && error.contains("--skip-bad"),
            "{error}"
        );
        assert_eq!(batches[0].tally.samples, 1);
        assert_eq!(batches[0].end, Some(Position { offset: 12, lines: 1 }));
        let (batches, error) = read(text, Format::Dump, true, Position::default());
        assert_eq!(
            (error, batches[0].tally.samples, batches[0].tally.bad),
            (None, 2, 1)
        );
    }

    #[test]
    fn an_interrupted_text_is_read_on_from_its_position() {
        let mut text: String = (0..45_000)
            .map(|i| format!("up{{i=\"{}\"}} {i} {}\n", i % 7, 1000 + i / 7))
            .collect();
        text.push_str("# EOF\n");
        let (batches, error) = read(&text, Format::OpenMetrics, false, Position::default());
        assert_eq!((batches.len(), error), (3, None));
        let rest = batches[0].end.unwrap();
        assert_eq!(rest.lines, 20_000);
        let (resumed, error) = read(&text, Format::OpenMetrics, false, rest);
        assert_eq!((resumed.len(), error), (2, None));
        assert_eq!(resumed[1].end, batches[2].end);
        assert_eq!(resumed[0].series[0].samples, batches[1].series[0].samples);
        let (nothing, error) = read(&text, Format::OpenMetrics, false, batches[2].end.unwrap());
        assert_eq!((nothing[0].tally.samples, error), (0, None));
    }

    #[test]
    fn a_text_that_was_cut_short_is_told() {
        let cut = read("up 1 1\n", Format::OpenMetrics, false, Position::default());
        assert!(cut.1.unwrap().contains("# EOF"));
        let more = read(
            "up 1 1\n# EOF\nup 2 2\n",
            Format::OpenMetrics,
            false,
            Position::default(),
        );
        assert!(more.1.unwrap().contains("behind"));
        let binary = "\u{0}\u{1}";
        let bad = read(binary, Format::Dump, false, Position::default());
        assert!(bad.1.unwrap().contains("--openmetrics"));
    }
}
