//! Where fuzzing begins: small bytes of each kind, made by the program itself, committed in `corpus/`.

mod message;
mod sql;
mod text;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::Arc;

use barograph_alerts::{AlertStore, Finding, Options, Outcome, RuleSet};
use barograph_engine::journal::Journal;
use barograph_engine::vfs::{SimVfs, Vfs};
use barograph_engine::{Engine, SampleColumns};
use barograph_model::{Labels, ManualClock, TimestampMs, stale_nan};

use crate::edge::NOW_MS;
use crate::journal::PREFIX;
use crate::target::{TARGETS, Target, corpus};
use message::{remote_read, remote_read_answer, remote_write_1, remote_write_2};

/// The committed seeds of a target, in the order of their names.
///
/// # Errors
/// What the system says.
pub fn read(target: &Target) -> io::Result<Vec<Vec<u8>>> {
    let mut seeds = BTreeMap::new();
    for entry in fs::read_dir(corpus(target))? {
        let path = entry?.path();
        let bytes = fs::read(&path)?;
        seeds.insert(path, bytes);
    }
    Ok(seeds.into_values().collect())
}

/// Makes the seeds anew that encoders make; those that were added by hand stay.
///
/// # Errors
/// What the system says.
pub fn write_all() -> io::Result<()> {
    for (name, seeds) in made()? {
        let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
            return Err(io::Error::other(format!("there is no target {name}")));
        };
        fs::create_dir_all(corpus(target))?;
        for (i, seed) in seeds.iter().enumerate() {
            fs::write(corpus(target).join(format!("made-{i:02}")), seed)?;
        }
    }
    Ok(())
}

/// Expressions that have a bit of everything.
const PROMQL: [&str; 6] = [
    "sum by (job, \"a.b\") (rate(x_total{a=\"b\",c!~'d|e',`f`=~\"g.*\"}[5m] offset -1h30m)) / on (job) group_left (b) y",
    "-(a ^ -2 ^ 1e3) > bool 0x1F or topk without (c) (3, b @ start()) unless ignoring () c atan2 d % 5m",
    "max_over_time((a and b)[1h:5m] @ 1603774568.5 offset 1d)[2h:]",
    "label_replace(a:b, 'c', \"$1\\n\\u00e9\\x41\", `d`, \"(.*)\") # remark\n+ fill_left (1) fill_right (-2) e",
    "rate(a[5m] smoothed) + b anchored * sum(vector(step())) ^ NaN",
    "x[min(5m, 2 * (1h - 30m)) % 7m:1m + 30] offset -(1m)",
];

type Made = Vec<(&'static str, Vec<Vec<u8>>)>;

fn made() -> io::Result<Made> {
    let disk = store(4, 40)?;
    let files = |ending: &str| files(&disk, ending);
    let logs = files(".wal")?;
    let mut segments = files(".samples.parquet")?;
    segments.extend(files(".series.parquet")?);
    segments.extend(files(".index")?);
    let manifests = files("MANIFEST")?;
    let fields = manifests.iter().map(|bytes| {
        let start = bytes.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
        bytes[start..].to_vec()
    });
    let message = remote_write_1();
    let (transactions, checkpoint) = alerts()?;
    // So many series that a set of them is a bitmap.
    let mut indexes = self::files(&store(70, 1)?, ".index")?;
    indexes.extend(files(".index")?);
    let mut made = vec![
        ("log-record", logs.iter().flat_map(|log| records(log)).collect()),
        ("log-file", logs),
        ("checkpoint", files("/checkpoint")?),
        ("manifest-fields", fields.collect()),
        ("manifest", manifests),
        ("segment", segments),
        ("index", indexes),
        ("snappy", vec![compressed(&message)?]),
        ("remote-write-1", vec![message]),
        ("remote-write-2", vec![remote_write_2()]),
        ("remote-read", vec![remote_read(&[1, 0]), remote_read(&[])]),
        ("remote-read-answer", vec![compressed(&remote_read_answer())?]),
        ("alert-transaction", transactions),
        ("alert-checkpoint", vec![checkpoint]),
        (
            "selector",
            vec![
                br#"up{job=~"a|b",instance!="",x!~".+"}"#.to_vec(),
                b"{\"a.b\"}".to_vec(),
            ],
        ),
        (
            "promql",
            PROMQL.iter().map(|text| text.as_bytes().to_vec()).collect(),
        ),
    ];
    made.extend(text::made());
    made.extend(sql::made()?);
    Ok(made)
}

fn compressed(message: &[u8]) -> io::Result<Vec<u8>> {
    let block = snap::raw::Encoder::new().compress_vec(message);
    block.map_err(io::Error::other)
}

/// The files of a disk whose names end so.
fn files(disk: &SimVfs, ending: &str) -> io::Result<Vec<Vec<u8>>> {
    let files = disk.files();
    let named = files.iter().filter(|(path, _)| path.ends_with(ending));
    named
        .map(|(path, _)| {
            let bytes = disk.read(path)?.to_vec();
            Ok(match path.ends_with(".wal") {
                true => cut_zeros(bytes),
                false => bytes,
            })
        })
        .collect()
}

/// A store with a segment, a log and a journal; of so many series with so many samples each.
fn store(series: u32, samples: i32) -> io::Result<SimVfs> {
    let disk = SimVfs::new(7);
    let options = barograph_engine::Options {
        wal_file_bytes: 1 << 16,
        row_group_rows: 64,
        background: false,
        ..barograph_engine::Options::default()
    };
    let clock = Arc::new(ManualClock::new(TimestampMs(NOW_MS)));
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let engine = Engine::open(Arc::clone(&vfs), clock, options).map_err(io::Error::other)?;
    for round in 0..2 {
        let mut columns = SampleColumns::new(&engine.head());
        for series in 0..series {
            let instance = format!("host-{series}");
            let labels = Labels::from_pairs([
                ("__name__", "up"),
                ("instance", instance.as_str()),
                ("job", "node"),
            ]);
            let series = engine.head().series(&labels.map_err(io::Error::other)?);
            for i in 0..samples {
                let value = match i % 5 {
                    0 => stale_nan(),
                    1 => 1.0 / 3.0,
                    _ => f64::from(i) / 4.0,
                };
                columns.push(series, NOW_MS - 1_000_000 + i64::from(i) * 15_000 + round, value);
            }
        }
        engine.append_blocking(columns).map_err(io::Error::other)?;
        if round == 0 {
            engine.flush().map_err(io::Error::other)?;
        }
    }
    drop(engine);
    let (journal, _) = Journal::open(vfs, "alerts").map_err(io::Error::other)?;
    journal
        .append(b"{\"number\":1,\"changes\":[]}")
        .map_err(io::Error::other)?;
    journal.checkpoint(b"the state").map_err(io::Error::other)?;
    journal
        .append(b"{\"number\":2,\"changes\":[]}")
        .map_err(io::Error::other)?;
    Ok(disk)
}

/// Without what is reserved at the end of a log file.
fn cut_zeros(mut bytes: Vec<u8>) -> Vec<u8> {
    let used = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    bytes.truncate(used);
    bytes
}

/// Kind and payload of each frame of a log file without damage.
fn records(log: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let mut rest = log.get(24..).unwrap_or_default();
    while let Some((header, behind)) = rest.split_first_chunk::<24>() {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let Some((payload, behind)) = behind.split_at_checked(length) else {
            break;
        };
        records.push([&header[12..13], payload].concat());
        rest = behind;
    }
    records
}

/// Transactions of a rule that fires and resolves, and the checkpoint behind them.
fn alerts() -> io::Result<(Vec<Vec<u8>>, Vec<u8>)> {
    let yaml =
        "groups:\n- name: g\n  rules:\n  - alert: Down\n    sql: SELECT 1\n    labels:\n      severity: P1\n";
    let rules = RuleSet::parse("seed.yml", yaml).map_err(io::Error::other)?;
    let rule = rules
        .rule("g", "Down")
        .ok_or_else(|| io::Error::other("the rule is there"))?;
    let mut store = AlertStore::new(Options::default());
    let mut records = Vec::new();
    for (second, hosts) in [(15, &["a", "b"][..]), (30, &["a"]), (45, &[])] {
        let finding = |host: &&str| {
            Ok(Finding {
                labels: Labels::from_pairs([("host", *host)]).map_err(io::Error::other)?,
                value: 1.0,
                evidence: format!("{host} does not answer"),
            })
        };
        let findings = hosts.iter().map(finding).collect::<io::Result<_>>()?;
        let transaction = store.plan(
            TimestampMs(NOW_MS + second * 1000),
            rule,
            &Outcome::Findings(findings),
        );
        store.apply(&transaction).map_err(io::Error::other)?;
        records.push(transaction.to_record());
    }
    let checkpoint = [PREFIX, store.to_checkpoint().as_slice()].concat();
    Ok((records, checkpoint))
}
