//! Writes verdicts: `time,score,is_anomaly,expected,lower,upper`, a row for each row of the input.
//!
//! `is_anomaly` is 1 or 0; a row without an opinion is empty but for its time. Without a time in the input,
//! `time` is empty. In CSV the time stands as it stood in the input; in Parquet it keeps its type, and texts
//! become timestamps. A file is written beside its name and renamed when it is complete.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int8Array, Int64Array, RecordBatch, TimestampMillisecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use barograph_detectors::Verdict;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::DetectFailure;
use super::input::Format;

const BATCH_ROWS: usize = 65_536;

/// Writes one verdict a row to `target`; `-` is stdout. `written` and `ms` are the times of the input.
pub(super) fn write(
    target: &Path,
    format: Format,
    written: Option<&ArrayRef>,
    ms: Option<&[i64]>,
    verdicts: &[Option<Verdict>],
) -> Result<(), DetectFailure> {
    let failed = |source| DetectFailure::Io {
        action: "write",
        path: target.to_owned(),
        source,
    };
    if target == Path::new("-") {
        let mut out = BufWriter::new(io::stdout().lock());
        return match write_csv(&mut out, written, verdicts).and_then(|()| out.flush()) {
            // Whoever reads has seen enough: `barograph detect ... | head`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(failed),
        };
    }
    // A pipe or a device has nothing to be renamed over.
    let is_special = std::fs::metadata(target).is_ok_and(|metadata| !metadata.is_file());
    let beside = if is_special {
        target.to_owned()
    } else {
        beside(target)
    };
    let file = File::create(&beside).map_err(failed)?;
    let result = match format {
        Format::Csv => {
            let mut out = BufWriter::new(&file);
            write_csv(&mut out, written, verdicts)
                .and_then(|()| out.flush())
                .map_err(failed)
        }
        Format::Parquet => {
            write_parquet(&file, written, ms, verdicts).map_err(|source| DetectFailure::Parquet {
                path: target.to_owned(),
                source,
            })
        }
    };
    let result = match (&result, is_special) {
        (Ok(()), false) => std::fs::rename(&beside, target).map_err(failed),
        _ => result,
    };
    if result.is_err() && !is_special {
        // The error that matters is the first one; a left-over file is only untidy.
        let _ = std::fs::remove_file(&beside);
    }
    result
}

fn beside(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    target.with_file_name(name)
}

fn write_csv(
    out: &mut dyn Write,
    written: Option<&ArrayRef>,
    verdicts: &[Option<Verdict>],
) -> io::Result<()> {
    // Timestamps as RFC 3339; everything else as it is.
    let options = FormatOptions::new().with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"));
    let in_utc = written
        .map(timestamps_in_utc)
        .transpose()
        .map_err(io::Error::other)?;
    let times = in_utc
        .as_ref()
        .map(|array| ArrayFormatter::try_new(array.as_ref(), &options))
        .transpose()
        .map_err(io::Error::other)?;
    writeln!(out, "time,score,is_anomaly,expected,lower,upper")?;
    for (row, verdict) in verdicts.iter().enumerate() {
        if let Some(times) = &times {
            write!(out, "{}", quoted(&times.value(row).to_string()))?;
        }
        match verdict {
            Some(verdict) => {
                write!(
                    out,
                    ",{},{}",
                    Shortest(verdict.score),
                    u8::from(verdict.is_anomaly)
                )?;
                for value in [verdict.expected, verdict.lower, verdict.upper] {
                    match value {
                        Some(value) => write!(out, ",{}", Shortest(value))?,
                        None => write!(out, ",")?,
                    }
                }
                writeln!(out)?;
            }
            None => writeln!(out, ",,,,,")?,
        }
    }
    Ok(())
}

/// Timestamps without a zone, so that the format above may end in `Z`.
fn timestamps_in_utc(times: &ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError> {
    match times.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            let in_utc = cast(times, &DataType::Timestamp(*unit, Some("UTC".into())))?;
            cast(&in_utc, &DataType::Timestamp(*unit, None))
        }
        _ => Ok(times.clone()),
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// A float in the fewest digits that read back to it, with an exponent where it would be long.
struct Shortest(f64);

impl std::fmt::Display for Shortest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let magnitude = self.0.abs();
        if magnitude != 0.0 && magnitude.is_finite() && !(1e-5..1e16).contains(&magnitude) {
            write!(f, "{:e}", self.0)
        } else {
            write!(f, "{}", self.0)
        }
    }
}

fn write_parquet(
    file: &File,
    written: Option<&ArrayRef>,
    ms: Option<&[i64]>,
    verdicts: &[Option<Verdict>],
) -> parquet::errors::Result<()> {
    let times = typed_times(written, ms, verdicts.len());
    let first = batch(
        times.slice(0, verdicts.len().min(BATCH_ROWS)),
        &verdicts[..verdicts.len().min(BATCH_ROWS)],
    )?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .build();
    let mut writer = ArrowWriter::try_new(file, first.schema(), Some(properties))?;
    writer.write(&first)?;
    for start in (BATCH_ROWS..verdicts.len()).step_by(BATCH_ROWS) {
        let rows = BATCH_ROWS.min(verdicts.len() - start);
        writer.write(&batch(times.slice(start, rows), &verdicts[start..start + rows])?)?;
    }
    writer.close()?;
    Ok(())
}

/// The times with a type of their own: texts become timestamps in UTC, or integers when all of them are.
fn typed_times(written: Option<&ArrayRef>, ms: Option<&[i64]>, rows: usize) -> ArrayRef {
    let (Some(written), Some(ms)) = (written, ms) else {
        return Arc::new(TimestampMillisecondArray::new_null(rows).with_timezone("UTC"));
    };
    let texts = (*written.data_type() == DataType::Utf8).then(|| written.as_string::<i32>());
    match texts {
        None => written.clone(),
        Some(texts) if texts.iter().flatten().all(|text| text.parse::<i64>().is_ok()) => {
            Arc::new(Int64Array::from(ms.to_vec()))
        }
        Some(_) => Arc::new(TimestampMillisecondArray::from(ms.to_vec()).with_timezone("UTC")),
    }
}

fn batch(times: ArrayRef, verdicts: &[Option<Verdict>]) -> parquet::errors::Result<RecordBatch> {
    let floats = |value: fn(&Verdict) -> Option<f64>| -> ArrayRef {
        Arc::new(
            verdicts
                .iter()
                .map(|verdict| verdict.as_ref().and_then(value))
                .collect::<Float64Array>(),
        )
    };
    let is_anomaly: Int8Array = verdicts
        .iter()
        .map(|v| v.as_ref().map(|v| i8::from(v.is_anomaly)))
        .collect();
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("time", times, true),
        ("score", floats(|v| Some(v.score)), true),
        ("is_anomaly", Arc::new(is_anomaly) as ArrayRef, true),
        ("expected", floats(|v| v.expected), true),
        ("lower", floats(|v| v.lower), true),
        ("upper", floats(|v| v.upper), true),
    ])?)
}
