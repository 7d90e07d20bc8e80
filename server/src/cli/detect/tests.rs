use std::fs;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Float64Type, Int8Type, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use super::*;

const MINUTE_MS: i64 = 60_000;
const START_MS: i64 = 1_700_000_000_000;

struct Fixture {
    dir: TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn args(&self, input: &str, output: &str) -> DetectArgs {
        DetectArgs {
            input: self.path(input),
            output: self.path(output),
            detector: "auto".to_owned(),
            mode: DetectMode::Causal,
            train_rows: 0,
            params: Vec::new(),
            columns: Vec::new(),
        }
    }

    /// Judges a CSV text and gives the error without the folder.
    fn error(&self, text: &str) -> String {
        self.write("in.csv", text);
        self.error_of(&self.args("in.csv", "out.csv"))
    }

    fn error_of(&self, args: &DetectArgs) -> String {
        let message = run(args).expect_err("must be refused").to_string();
        message.replace(&format!("{}/", self.dir.path().display()), "")
    }

    fn lines(&self, name: &str) -> Vec<String> {
        fs::read_to_string(self.path(name))
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

/// A daily wave with a spike, deterministic.
fn wave(row: usize) -> f64 {
    let phase = row as f64 / 96.0 * std::f64::consts::TAU;
    let noise = ((row * 7919) % 101) as f64 / 101.0;
    100.0 + 20.0 * phase.sin() + noise + if row == 1_500 { 80.0 } else { 0.0 }
}

fn wave_csv(rows: usize) -> String {
    let row = |i: usize| format!("{},{}\n", START_MS + i as i64 * 15 * MINUTE_MS, wave(i));
    format!("time,value\n{}", (0..rows).map(row).collect::<String>())
}

#[test]
fn a_row_out_for_each_row_in_with_the_spike_found() {
    for mode in [DetectMode::Causal, DetectMode::Offline] {
        let f = Fixture::new();
        f.write("in.csv", &wave_csv(1_600));
        let args = DetectArgs {
            mode,
            ..f.args("in.csv", "out.csv")
        };
        assert_eq!(run(&args).unwrap(), [""; 0]);
        let lines = f.lines("out.csv");
        assert_eq!(lines[0], "time,score,is_anomaly,expected,lower,upper");
        assert_eq!(lines.len(), 1_601);
        let scores: Vec<f64> = lines[1..]
            .iter()
            .map(|line| line.split(',').nth(1).unwrap().parse().unwrap_or(f64::NAN))
            .collect();
        let best = (0..scores.len())
            .filter(|i| scores[*i].is_finite())
            .max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        assert_eq!(best, Some(1_500), "{mode:?}");
        assert_eq!(lines[1_501].split(',').next(), Some("1701350000000"));
        assert_eq!(lines[1_501].split(',').nth(2), Some("1"), "{}", lines[1_501]);
        assert!(!f.path("out.csv.part").exists());
    }
}

#[test]
fn causal_scores_do_not_know_the_future() {
    let f = Fixture::new();
    f.write("all.csv", &wave_csv(1_600));
    f.write("start.csv", &wave_csv(1_100));
    run(&f.args("all.csv", "all_out.csv")).unwrap();
    run(&f.args("start.csv", "start_out.csv")).unwrap();
    assert_eq!(f.lines("all_out.csv")[..1_101], f.lines("start_out.csv")[..]);
}

#[test]
fn csv_and_parquet_agree() {
    let f = Fixture::new();
    f.write("in.csv", &wave_csv(1_600));
    let times: Int64Array = (0..1_600).map(|i| Some(START_MS + i * 15 * MINUTE_MS)).collect();
    let values: Float64Array = (0..1_600).map(|i| Some(wave(i))).collect();
    write_parquet(
        &f.path("in.parquet"),
        vec![("time", Arc::new(times)), ("value", Arc::new(values))],
    );
    run(&f.args("in.csv", "from_csv.csv")).unwrap();
    run(&f.args("in.parquet", "from_parquet.csv")).unwrap();
    assert_eq!(f.lines("from_csv.csv"), f.lines("from_parquet.csv"));

    run(&f.args("in.csv", "out.parquet")).unwrap();
    let batch = read_parquet(&f.path("out.parquet"));
    assert_eq!(batch.num_rows(), 1_600);
    let names: Vec<_> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(names.join(","), "time,score,is_anomaly,expected,lower,upper");
    assert_eq!(
        batch.column(0).data_type(),
        &DataType::Int64,
        "integers stay integers"
    );
    assert_eq!(batch.column(2).as_primitive::<Int8Type>().value(1_500), 1);
    let line = &f.lines("from_csv.csv")[1_501];
    assert_eq!(
        line.split(',').nth(1).unwrap().parse(),
        Ok(batch.column(1).as_primitive::<Float64Type>().value(1_500))
    );
}

#[test]
fn times_come_out_as_they_went_in() {
    let f = Fixture::new();
    let text = "value,time\n1,2024-05-01T00:00:00+02:00\n2,2024-05-01 00:05:00\n3,1714521600000\n";
    f.write("in.csv", text);
    run(&f.args("in.csv", "out.csv")).unwrap();
    let lines = f.lines("out.csv");
    assert!(lines[1].starts_with("2024-05-01T00:00:00+02:00,"), "{lines:?}");
    assert!(lines[2].starts_with("2024-05-01 00:05:00,"), "{lines:?}");
    assert!(lines[3].starts_with("1714521600000,"), "{lines:?}");
    run(&f.args("in.csv", "out.parquet")).unwrap();
    let utc = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    assert_eq!(read_parquet(&f.path("out.parquet")).column(0).data_type(), &utc);

    let nanos = TimestampNanosecondArray::from(vec![1_714_514_400_250_000_000; 2]).with_timezone("+02:00");
    let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    write_parquet(
        &f.path("in.parquet"),
        vec![("time", Arc::new(nanos)), ("v", values)],
    );
    run(&f.args("in.parquet", "out.csv")).unwrap();
    assert!(
        f.lines("out.csv")[1].starts_with("2024-04-30T22:00:00.250Z,"),
        "{:?}",
        f.lines("out.csv")
    );
    run(&f.args("in.parquet", "out.parquet")).unwrap();
    let kept = DataType::Timestamp(TimeUnit::Nanosecond, Some("+02:00".into()));
    assert_eq!(read_parquet(&f.path("out.parquet")).column(0).data_type(), &kept);
}

#[test]
fn without_time_the_column_is_empty() {
    let f = Fixture::new();
    f.write("in.csv", "a,b\n1,2\n3,4\n");
    run(&f.args("in.csv", "out.csv")).unwrap();
    assert!(
        f.lines("out.csv")[1..].iter().all(|line| line.starts_with(',')),
        "{:?}",
        f.lines("out.csv")
    );
    run(&f.args("in.csv", "out.parquet")).unwrap();
    assert_eq!(read_parquet(&f.path("out.parquet")).column(0).null_count(), 2);
}

#[test]
fn missing_values_are_rows_without_an_opinion() {
    let f = Fixture::new();
    let mut text = wave_csv(1_400);
    for (i, missing) in ["", "NaN", "null", "N/A", "nan"].iter().enumerate() {
        text += &format!("{},{missing}\n", START_MS + (1_400 + i as i64) * 15 * MINUTE_MS);
    }
    f.write("in.csv", &text);
    run(&f.args("in.csv", "out.csv")).unwrap();
    let lines = f.lines("out.csv");
    assert_eq!(lines.len(), 1_406);
    assert!(
        lines[1_401..].iter().all(|line| line.ends_with(",,,,,")),
        "{:?}",
        &lines[1_401..]
    );
}

#[test]
fn a_header_alone_gives_a_header() {
    let f = Fixture::new();
    f.write("in.csv", "time,value\n");
    run(&f.args("in.csv", "out.csv")).unwrap();
    assert_eq!(f.lines("out.csv"), ["time,score,is_anomaly,expected,lower,upper"]);
    run(&f.args("in.csv", "out.parquet")).unwrap();
}

#[test]
fn bad_csv_names_file_line_and_column() {
    let f = Fixture::new();
    for (text, expected) in [
        (
            "",
            "in.csv: the file is empty; its first line must name the columns",
        ),
        (
            "1,2\n3,4\n",
            "in.csv:1: the first line must name the columns, and this one holds only values",
        ),
        ("a,\n1,2\n", "in.csv:1: column 2 has no name"),
        ("a,a\n1,2\n", "in.csv: there are two columns called \"a\""),
        (
            "time\n1\n",
            "in.csv: there is no column beside the time; at least one metric is needed",
        ),
        ("time,v\n1,2\n2,3,4\n", "in.csv:3: 3 cells where the header has 2"),
        ("time,v\n1,2\n2\n", "in.csv:3: 1 cells where the header has 2"),
        (
            "time,v,host\n1,2,a\n",
            "in.csv:2: column \"host\": \"a\" is not a number (choose the metrics with --columns)",
        ),
        (
            "timestamp,v\n2024-05-01 10:00:00,2\n",
            "in.csv:2: column \"timestamp\": \"2024-05-01 10:00:00\" is not a number (the time column must be called \
             \"time\")",
        ),
        (
            "time,v\n\n1,2\nsoon,3\n",
            "in.csv:4: column \"time\": \"soon\" is not a time (RFC 3339 such as 2024-05-01T10:00:00Z, or \
             milliseconds since 1970)",
        ),
        (
            "time,v\n,3\n",
            "in.csv:2: column \"time\": \"\" is not a time (RFC 3339 such as 2024-05-01T10:00:00Z, or milliseconds \
             since 1970)",
        ),
    ] {
        assert_eq!(f.error(text), expected);
        assert!(!f.path("out.csv").exists(), "nothing is written on failure");
    }
    fs::write(f.path("in.csv"), b"time,v\n1,\xff\n").unwrap();
    assert_eq!(
        f.error_of(&f.args("in.csv", "out.csv")),
        "in.csv:2: column \"v\": \"\u{fffd}\" is not UTF-8 (choose the metrics with --columns)"
    );
}

#[test]
fn bad_arguments_say_what_to_do() {
    let f = Fixture::new();
    f.write("in.csv", "time,value,load\n1,2,3\n");
    let columns = |name: &str| DetectArgs {
        columns: vec![name.to_owned()],
        ..f.args("in.csv", "out.csv")
    };
    assert_eq!(
        f.error_of(&columns("valu")),
        "in.csv: there is no column \"valu\" (did you mean \"value\"?)"
    );
    assert_eq!(
        f.error_of(&columns("zzzzzz")),
        "in.csv: there is no column \"zzzzzz\" (there are: time, value, load)"
    );
    assert_eq!(
        f.error_of(&columns("time")),
        "in.csv: time is not a metric; leave it out of --columns"
    );
    assert_eq!(
        f.error_of(&f.args("in.csv", "in.csv")),
        "in.csv: the output is the input itself; give it another name"
    );
    assert_eq!(
        f.error_of(&f.args("in.csv", "out.txt")),
        "out.txt: the name must end in .csv or .parquet"
    );
    let train = DetectArgs {
        train_rows: 2,
        ..f.args("in.csv", "out.csv")
    };
    assert_eq!(
        f.error_of(&train),
        "in.csv: --train-rows 2 is more than the 1 rows of the file"
    );
    let unknown = DetectArgs {
        detector: "seasonl".to_owned(),
        ..f.args("in.csv", "out.csv")
    };
    assert!(
        f.error_of(&unknown).contains("did you mean \"seasonal\""),
        "{}",
        f.error_of(&unknown)
    );
    assert!(
        f.error_of(&f.args("none.csv", "out.csv"))
            .starts_with("cannot read none.csv: ")
    );
    assert!(
        f.error_of(&f.args("in.csv", "none/out.csv"))
            .starts_with("cannot write none/out.csv: ")
    );
}

#[test]
fn only_the_chosen_columns_count() {
    let f = Fixture::new();
    f.write("in.csv", "host,time,v\na,1,2\nb,2,3\n");
    run(&DetectArgs {
        columns: vec!["v".to_owned()],
        ..f.args("in.csv", "out.csv")
    })
    .unwrap();
    assert_eq!(f.lines("out.csv").len(), 3);
}

#[test]
fn times_that_go_back_or_look_like_seconds_are_noted() {
    let f = Fixture::new();
    f.write(
        "in.csv",
        "time,v\n1714521600,1\n1714521660,2\n1714521660,2\n1714521600,3\n",
    );
    let notes = run(&f.args("in.csv", "out.csv")).unwrap();
    let notes: Vec<_> = notes
        .iter()
        .map(|note| note.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(
        notes,
        [
            "in.csv: the time goes back at 1 row(s), first at row 4; rows are judged in the order of the file",
            "in.csv: the time looks like seconds since 1970 and is read as milliseconds; multiply it by 1000",
        ]
    );
}

#[test]
fn bad_parquet_is_named() {
    let f = Fixture::new();
    f.write("in.parquet", "this is not Parquet");
    assert!(
        f.error_of(&f.args("in.parquet", "out.csv"))
            .starts_with("in.parquet: ")
    );
    f.write("in.parquet", "");
    assert!(
        f.error_of(&f.args("in.parquet", "out.csv"))
            .starts_with("in.parquet: ")
    );
    let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
    write_parquet(
        &f.path("in.parquet"),
        vec![("v", values.clone()), ("is_train", flags)],
    );
    assert_eq!(
        f.error_of(&f.args("in.parquet", "out.csv")),
        "in.parquet: column \"is_train\" holds Boolean, not numbers (choose the metrics with --columns)"
    );
    run(&DetectArgs {
        columns: vec!["v".to_owned()],
        ..f.args("in.parquet", "out.csv")
    })
    .unwrap();
    let times: ArrayRef = Arc::new(StringArray::from(vec![Some("2024-05-01"), None]));
    write_parquet(&f.path("in.parquet"), vec![("time", times), ("v", values)]);
    assert_eq!(
        f.error_of(&f.args("in.parquet", "out.csv")),
        "in.parquet: row 2: the time is missing"
    );
}

#[test]
fn a_folder_is_judged_file_by_file() {
    let f = Fixture::new();
    fs::create_dir(f.path("in")).unwrap();
    f.write("in/a.csv", "time,v\n1,2\n");
    f.write("in/b.csv", "time,v\n1,x\n");
    f.write("in/notes.txt", "no data");
    let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
    write_parquet(&f.path("in/c.parquet"), vec![("v", values)]);
    assert_eq!(
        f.error_of(&f.args("in", "out")),
        "in/b.csv:2: column \"v\": \"x\" is not a number (choose the metrics with --columns)\n1 of 3 files failed"
    );
    assert_eq!(f.lines("out/a.csv").len(), 2);
    assert_eq!(read_parquet(&f.path("out/c.parquet")).num_rows(), 2);
    assert!(!f.path("out/b.csv").exists());
    assert!(
        f.error_of(&f.args("in", "in/a.csv"))
            .contains("the output must be one too")
    );
    assert!(
        f.error_of(&f.args("in", "in"))
            .contains("the output is the input itself")
    );
    fs::create_dir(f.path("empty")).unwrap();
    assert!(
        f.error_of(&f.args("empty", "out"))
            .contains("there is no .csv or .parquet file in this folder")
    );
}

fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn read_parquet(path: &Path) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap();
    let mut reader = builder.with_batch_size(100_000).build().unwrap();
    reader.next().unwrap().unwrap()
}
