//! Labelled series from the data folder beside the repository, as tables with labels.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use barograph_detectors::Table;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

/// One labelled series.
#[derive(Debug)]
pub(crate) struct Labelled {
    /// The file's name without folder and ending.
    pub(crate) name: String,
    /// Time and values.
    pub(crate) table: Table,
    /// One flag a row.
    pub(crate) labels: Vec<bool>,
    /// Rows at the start that may be learned from.
    pub(crate) train_rows: usize,
}

/// Where the data lies: `shared/data` beside the workspace.
///
/// # Panics
/// Where it does not exist.
pub(crate) fn data_folder() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let given = std::env::var_os("BAROGRAPH_DATA").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| workspace.join("../shared/data"));
    assert!(
        folder.join("ucr/index.csv").is_file(),
        "labelled data is missing: {} has no ucr/index.csv; put the data there or set BAROGRAPH_DATA",
        folder.display()
    );
    folder
}

/// The series of a set, in order of name: `nab`, or a folder of Parquet files.
pub(crate) fn files(set: &str) -> Vec<PathBuf> {
    let folder = data_folder().join(set);
    let folders = if set == "nab" {
        list(&folder.join("data"))
            .into_iter()
            .filter(|path| path.is_dir())
            .collect()
    } else {
        vec![folder]
    };
    let wanted = if set == "nab" { "csv" } else { "parquet" };
    let files = folders.iter().flat_map(|folder| list(folder));
    files
        .filter(|path| path.extension().is_some_and(|ending| ending == wanted))
        .collect()
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    paths.sort();
    paths
}

/// Reads one file of a set.
pub(crate) fn read(set: &str, path: &Path) -> Labelled {
    if set == "nab" {
        read_nab(path)
    } else {
        read_parquet(path)
    }
}

fn read_parquet(path: &Path) -> Labelled {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let reader = SerializedFileReader::new(file).expect("a Parquet file");
    let mut labelled = Labelled {
        name: stem(path),
        table: Table::default(),
        labels: Vec::new(),
        train_rows: 0,
    };
    let mut time_ms = Vec::new();
    for row in reader.get_row_iter(None).expect("rows") {
        let row = row.expect("a row");
        let mut column = 0;
        for (name, field) in row.get_column_iter() {
            match name.as_str() {
                "label" => labelled.labels.push(number(field) > 0.0),
                "is_train" => labelled.train_rows += usize::from(number(field) > 0.0),
                "is_ignored" => {}
                "ts" => time_ms.push(number(field) as i64 * 1000),
                _ => {
                    if labelled.table.columns.len() == column {
                        labelled.table.columns.push((name.clone(), Vec::new()));
                    }
                    labelled.table.columns[column].1.push(number(field));
                    column += 1;
                }
            }
        }
    }
    labelled.table.time_ms = (!time_ms.is_empty()).then_some(time_ms);
    labelled
}

fn number(field: &Field) -> f64 {
    match field {
        Field::Bool(value) => f64::from(u8::from(*value)),
        Field::Byte(value) => f64::from(*value),
        Field::Short(value) => f64::from(*value),
        Field::Int(value) => f64::from(*value),
        Field::Long(value) => *value as f64,
        Field::Float(value) => f64::from(*value),
        Field::Double(value) => *value,
        Field::Null => f64::NAN,
        other => panic!("a number was expected, not {other:?}"),
    }
}

fn read_nab(path: &Path) -> Labelled {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let group = path
        .parent()
        .and_then(Path::file_name)
        .map(|name| name.to_string_lossy().into_owned());
    let key = format!("{}/{}.csv", group.expect("a group"), stem(path));
    let windows = fs::read_to_string(data_folder().join("nab/labels/combined_windows.json")).expect("labels");
    let windows: serde_json::Value = serde_json::from_str(&windows).expect("JSON");
    let windows: Vec<(i64, i64)> = (windows[&key]
        .as_array()
        .unwrap_or_else(|| panic!("no labels of {key}")))
    .iter()
    .map(|pair| {
        (
            instant_ms(pair[0].as_str().expect("text")),
            instant_ms(pair[1].as_str().expect("text")),
        )
    })
    .collect();
    let (mut time_ms, mut values) = (Vec::new(), Vec::new());
    for line in text.lines().skip(1) {
        let (time, value) = line.split_once(',').expect("two columns");
        time_ms.push(instant_ms(time));
        values.push(value.trim().parse().expect("a number"));
    }
    let inside = |ts: &i64| windows.iter().any(|(start, end)| start <= ts && ts <= end);
    let labels: Vec<bool> = time_ms.iter().map(inside).collect();
    let train_rows = (labels.len() * 15 / 100).min(750);
    Labelled {
        name: stem(path),
        table: Table {
            time_ms: Some(time_ms),
            columns: vec![("value".to_owned(), values)],
        },
        labels,
        train_rows,
    }
}

/// `YYYY-MM-DD HH:MM:SS`, a fraction of a second ignored, as milliseconds since the epoch.
fn instant_ms(text: &str) -> i64 {
    let part = |from: usize, to: usize| text[from..to].parse::<i64>().expect("digits");
    let (year, month, day) = (part(0, 4), part(5, 7), part(8, 10));
    // Days from civil, with the year starting in March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days =
        shifted.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    ((days * 24 + part(11, 13)) * 60 + part(14, 16)) * 60_000 + part(17, 19) * 1000
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}
