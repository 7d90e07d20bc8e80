//! Reads CSV: a header line, then a row a line; cells may be quoted. A cell without a value (empty, `NaN`,
//! `NA`, `N/A`, `null`, `None`) is missing. Blank lines are skipped.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::StringBuilder;
use csv::{ByteRecord, ReaderBuilder, Trim};

use super::DetectFailure;
use super::input::{Input, Time, choose};
use super::instant::parse_instant_ms;

const MISSING: [&str; 6] = ["", "nan", "na", "n/a", "null", "none"];

pub(super) fn read(path: &Path, chosen: &[String]) -> Result<Input, DetectFailure> {
    let file = File::open(path).map_err(DetectFailure::io("read", path))?;
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(file);
    let line_error = |line, message| DetectFailure::Line {
        path: path.to_owned(),
        line,
        message,
    };
    let csv_error = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(source) => DetectFailure::Io {
            action: "read",
            path: path.to_owned(),
            source,
        },
        kind => DetectFailure::File {
            path: path.to_owned(),
            message: format!("{kind:?}"),
        },
    };
    let mut record = ByteRecord::new();
    if !reader.read_byte_record(&mut record).map_err(csv_error)? {
        let message = "the file is empty; its first line must name the columns".to_owned();
        return Err(DetectFailure::File {
            path: path.to_owned(),
            message,
        });
    }
    let names = header(&record).map_err(|message| line_error(1, message))?;
    let (time, metrics) = choose(path, &names, chosen)?;
    let mut columns: Vec<(String, Vec<f64>)> =
        metrics.iter().map(|i| (names[*i].clone(), Vec::new())).collect();
    let mut ms = Vec::new();
    let mut written = StringBuilder::new();
    while reader.read_byte_record(&mut record).map_err(csv_error)? {
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != names.len() {
            let message = format!("{} cells where the header has {}", record.len(), names.len());
            return Err(line_error(line, message));
        }
        if let Some(place) = time {
            let text =
                text(&record[place]).map_err(|why| line_error(line, format!("column \"time\": {why}")))?;
            let instant = parse_instant_ms(text)
                .map_err(|why| line_error(line, format!("column \"time\": {text:?} {why}")))?;
            ms.push(instant);
            written.append_value(text);
        }
        for (place, (name, values)) in metrics.iter().zip(&mut columns) {
            let value = number(&record[*place]).map_err(|why| {
                line_error(
                    line,
                    format!("column {name:?}: {why}{}", advice(name, &record[*place])),
                )
            })?;
            values.push(value);
        }
    }
    Ok(Input {
        time: time.map(|_| Time {
            ms,
            written: Arc::new(written.finish()),
        }),
        columns,
    })
}

fn header(record: &ByteRecord) -> Result<Vec<String>, String> {
    let mut names = Vec::with_capacity(record.len());
    for (i, cell) in record.iter().enumerate() {
        // Spreadsheets put a byte order mark before the first name.
        let name = text(cell)?.trim_start_matches('\u{feff}').trim();
        if name.is_empty() {
            return Err(format!("column {} has no name", i + 1));
        }
        names.push(name.to_owned());
    }
    if names
        .iter()
        .all(|name| number(name.as_bytes()).is_ok() || parse_instant_ms(name).is_ok())
    {
        return Err("the first line must name the columns, and this one holds only values".to_owned());
    }
    Ok(names)
}

fn text(cell: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(cell).map_err(|_| format!("{:?} is not UTF-8", String::from_utf8_lossy(cell)))
}

fn number(cell: &[u8]) -> Result<f64, String> {
    let text = text(cell)?;
    match text.parse::<f64>() {
        Ok(value) => Ok(value),
        Err(_) if MISSING.iter().any(|missing| text.eq_ignore_ascii_case(missing)) => Ok(f64::NAN),
        Err(_) => Err(format!("{text:?} is not a number")),
    }
}

/// What to do about a column that is not numbers: most often it is the time under another name, or a label.
fn advice(name: &str, cell: &[u8]) -> &'static str {
    let is_time = std::str::from_utf8(cell).is_ok_and(|text| parse_instant_ms(text).is_ok());
    match is_time || name.eq_ignore_ascii_case("time") {
        true => " (the time column must be called \"time\")",
        false => " (choose the metrics with --columns)",
    }
}
