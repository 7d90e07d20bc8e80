//! Figures of a file, in words.

use std::path::Path;

use barograph_engine::inspect::{
    IndexFigures, Inspection, LogFigures, ManifestFigures, ParquetFigures, RollupFigures, SamplesFigures,
    SeriesFigures,
};

use super::table::table;

/// What is inside a file, for people.
pub(super) fn text(file: &Path, inspection: &Inspection, left_out: usize) -> String {
    let mut parts = match inspection {
        Inspection::Samples(figures) => samples(figures),
        Inspection::Rollup(figures) => rollup(figures),
        Inspection::Series(figures) => series(figures),
        Inspection::Parquet(figures) => {
            let whose = match &figures.format {
                Some(format) => format!("histograms or exemplars of a segment, format {format}"),
                None => "a Parquet file that is not of a segment".to_owned(),
            };
            vec![whose, columns(figures)]
        }
        Inspection::Log(figures) => log(figures),
        Inspection::Index(figures) => index(figures),
        Inspection::Checkpoint(c) => vec![format!(
            "a checkpoint of {} bytes: a state of {} bytes before record {}",
            c.bytes, c.state_bytes, c.next_seq
        )],
        Inspection::Manifest(figures) => manifest(figures),
        other => vec![format!("{other:?}")],
    };
    parts[0] = format!("{}: {}", file.display(), parts[0]);
    if left_out > 0 {
        parts.push(format!(
            "  and {left_out} more (--top {} shows all)",
            left_out + rows_shown(inspection)
        ));
    }
    parts.join("\n")
}

fn rows_shown(inspection: &Inspection) -> usize {
    match inspection {
        Inspection::Samples(figures) => figures.metrics.as_ref().map_or(0, Vec::len),
        Inspection::Series(figures) => figures.metrics.len(),
        Inspection::Manifest(figures) => figures.segments.len(),
        _ => 0,
    }
}

fn columns(file: &ParquetFigures) -> String {
    let rows: Vec<Vec<String>> = file
        .columns
        .iter()
        .map(|c| {
            let or_blank = |count: Option<u64>| count.map_or(String::new(), |count| count.to_string());
            vec![
                c.name.clone(),
                c.physical_type.clone(),
                c.encodings.join(","),
                c.compression.clone(),
                or_blank(c.pages),
                or_blank(c.nulls),
                c.uncompressed_bytes.to_string(),
                c.compressed_bytes.to_string(),
                per(c.compressed_bytes as f64, file.rows),
                c.min.clone().unwrap_or_default(),
                c.max.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let heads = [
        "column",
        "type",
        "encodings",
        "compression",
        "pages",
        "nulls",
        "raw bytes",
        "bytes",
        "bytes a row",
        "min",
        "max",
    ];
    let more = format!(
        "{} rows in {} row groups, {} bytes, of which {} are footer and page index; written by {}",
        file.rows,
        file.row_groups,
        file.bytes,
        file.footer_bytes,
        file.created_by.as_deref().unwrap_or("an unknown program")
    );
    format!("{more}\n\n{}", table(&heads, &rows))
}

fn rollup(figures: &RollupFigures) -> Vec<String> {
    let file = &figures.file;
    let mut parts = vec![
        format!(
            "buckets of a rollup, format {}: {:.3} bytes a bucket, {:.3} bytes for each of the {} samples in them",
            file.format.as_deref().unwrap_or("unknown"),
            figures.bytes_per_bucket,
            figures.bytes_per_sample,
            figures.samples
        ),
        columns(file),
        format!(
            "\n{} series; {} buckets end with a staleness marker; {} resets of counters inside buckets",
            figures.series, figures.stale_buckets, figures.resets
        ),
    ];
    if figures.unreadable_buckets > 0 {
        parts.push(format!("{} buckets cannot be", figures.unreadable_buckets));
    }
    parts.extend(figures.read_otherwise.as_deref().map(read_otherwise));
    parts
}

fn read_otherwise(found: &str) -> String {
    format!("\nQueries cannot read it as it is: {found}")
}

fn samples(figures: &SamplesFigures) -> Vec<String> {
    let file = &figures.file;
    let share = |part: u64, whole: u64| match whole {
        0 => "0 %".to_owned(),
        _ => format!("{:.1} %", part as f64 * 100.0 / whole as f64),
    };
    let mut parts = vec![
        format!(
            "samples of a segment, format {}: {:.3} bytes a sample",
            file.format.as_deref().unwrap_or("unknown"),
            figures.bytes_per_sample
        ),
        columns(file),
        format!(
            "\n{} series: {} are exact decimals throughout, {} are constant (staleness markers apart)",
            figures.series,
            share(figures.decimal_series, figures.series),
            share(figures.constant_series, figures.series)
        ),
        format!(
            "{} of the samples are exact decimals, {} are staleness markers",
            share(figures.decimal_samples, file.rows),
            share(figures.stale_samples, file.rows)
        ),
    ];
    parts.extend(figures.read_otherwise.as_deref().map(read_otherwise));
    match (&figures.metrics, &figures.metrics_missing) {
        (Some(metrics), _) => {
            let rows: Vec<Vec<String>> = metrics
                .iter()
                .map(|m| {
                    vec![
                        m.metric.clone(),
                        m.series.to_string(),
                        m.samples.to_string(),
                        format!("{:.0}", m.bytes),
                        share(m.bytes as u64, file.bytes),
                        format!("{:.3}", m.bytes_per_sample),
                    ]
                })
                .collect();
            parts.push(
                "\nBy metric (a page that several metrics share is counted by their rows, which is an estimate):"
                    .to_owned(),
            );
            parts.push(table(
                &["metric", "series", "samples", "bytes", "share", "bytes a sample"],
                &rows,
            ));
        }
        (None, why) => parts.push(format!(
            "\nNothing is known by metric: {}",
            why.as_deref().unwrap_or("the series file could not be read")
        )),
    }
    parts
}

fn series(figures: &SeriesFigures) -> Vec<String> {
    let metrics: Vec<Vec<String>> = figures
        .metrics
        .iter()
        .map(|m| vec![m.metric.clone(), m.series.to_string(), m.samples.to_string()])
        .collect();
    let labels: Vec<Vec<String>> = figures
        .labels
        .iter()
        .map(|l| {
            vec![
                l.name.clone(),
                l.series.to_string(),
                l.values.to_string(),
                l.text_bytes.to_string(),
            ]
        })
        .collect();
    vec![
        format!(
            "series of a segment, format {}: {:.1} bytes a series, for {} samples",
            figures.file.format.as_deref().unwrap_or("unknown"),
            figures.bytes_per_series,
            figures.samples
        ),
        columns(&figures.file),
        String::new(),
        table(&["label", "series", "values", "bytes of text"], &labels),
        String::new(),
        table(&["metric", "series", "samples"], &metrics),
    ]
}

fn index(figures: &IndexFigures) -> Vec<String> {
    let sections: Vec<Vec<String>> = figures
        .sections
        .iter()
        .map(|(name, bytes)| vec![(*name).to_owned(), bytes.to_string()])
        .collect();
    vec![
        format!(
            "the index of a segment: {} series with {} samples in {} groups, {} pairs of a label and a value, {:.1} bytes a series",
            figures.series, figures.rows, figures.groups, figures.label_pairs, figures.bytes_per_series
        ),
        table(&["section", "bytes"], &sections),
    ]
}

fn log(figures: &LogFigures) -> Vec<String> {
    let number = |seq: Option<u64>| seq.map_or_else(|| "unknown".to_owned(), |seq| seq.to_string());
    let kinds: Vec<Vec<String>> = figures
        .kinds
        .iter()
        .map(|k| {
            vec![
                k.name.to_owned(),
                k.kind.to_string(),
                k.frames.to_string(),
                k.bytes.to_string(),
            ]
        })
        .collect();
    let mut parts = vec![
        format!(
            "a log of {} bytes, {} of them behind the last record: records {} to {}",
            figures.bytes,
            figures.spare_bytes,
            number(figures.first_seq),
            number(figures.last_seq)
        ),
        table(&["record", "kind", "records", "bytes"], &kinds),
    ];
    if let Some((from, to)) = figures.ts_range {
        parts.push(format!(
            "{} samples at {:.2} bytes, from {from} to {to}; {} series defined",
            figures.samples, figures.bytes_per_sample, figures.series
        ));
    }
    for (at, bytes) in &figures.holes {
        parts.push(format!("damage: {bytes} unreadable bytes at byte {at}"));
    }
    if let Some(at) = figures.torn_at {
        parts.push(format!("an unfinished write at byte {at}"));
    }
    if figures.unreadable_frames > 0 {
        parts.push(format!(
            "{} records hold something else than their kind promises",
            figures.unreadable_frames
        ));
    }
    parts
}

fn manifest(figures: &ManifestFigures) -> Vec<String> {
    let rows: Vec<Vec<String>> = figures
        .segments
        .iter()
        .map(|s| {
            vec![
                s.name.clone(),
                s.sequence.to_string(),
                s.series.to_string(),
                s.samples.to_string(),
                s.bytes.to_string(),
                format!("{:.3}", s.bytes_per_sample),
                s.ts_min.to_string(),
                s.ts_max.to_string(),
            ]
        })
        .collect();
    let heads = [
        "segment",
        "sequence",
        "series",
        "samples",
        "bytes",
        "bytes a sample",
        "from",
        "to",
    ];
    vec![
        format!(
            "a manifest of {} bytes: {} samples in {} bytes of segments ({:.3} bytes a sample), the log counts from record {}",
            figures.bytes,
            figures.samples,
            figures.segment_bytes,
            figures.bytes_per_sample,
            figures.wal_floor
        ),
        table(&heads, &rows),
    ]
}

fn per(bytes: f64, rows: u64) -> String {
    match rows {
        0 => String::new(),
        _ => format!("{:.4}", bytes / rows as f64),
    }
}
