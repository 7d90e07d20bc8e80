//! The loop that runs everywhere: the seeds, then changes of them, as many as `BAROGRAPH_FUZZ_MUTATIONS` says.

use super::*;

/// Mutations of a target in an ordinary test run: a second or two for each.
const MUTATIONS: u64 = 1_000;

fn mutations() -> u64 {
    let asked = std::env::var("BAROGRAPH_FUZZ_MUTATIONS").ok();
    asked.map_or(MUTATIONS, |text| {
        text.parse().expect("BAROGRAPH_FUZZ_MUTATIONS is a number")
    })
}

/// Runs a target on bytes; keeps them when it panics.
fn feed(target: &Target, what: &str, bytes: &[u8]) {
    let Err(panic) = std::panic::catch_unwind(|| (target.run)(bytes)) else {
        return;
    };
    let path = std::env::temp_dir().join(format!("barograph-fuzz-{}-{what}", target.name));
    let kept = match std::fs::write(&path, bytes) {
        Ok(()) => format!("its bytes are in {}", path.display()),
        Err(error) => format!("its bytes could not be kept: {error}"),
    };
    // The hook is silent, see `run`.
    let _ = std::panic::take_hook();
    panic!(
        "{} fails on {what} ({}); {kept}",
        target.name,
        message(panic.as_ref())
    );
}

fn run(name: &str) {
    let target = find(name).unwrap();
    let seeds = seeds::read(target).unwrap();
    assert!(!seeds.is_empty(), "{name} has no seeds");
    assert!(
        seeds.iter().map(Vec::len).sum::<usize>() < 64 << 10,
        "seeds of {name} are small"
    );
    // Panics that the program foresees and turns into errors are many here, and printing each takes its time.
    std::panic::set_hook(Box::new(|_| {}));
    for (i, seed) in seeds.iter().enumerate() {
        feed(target, &format!("seed-{i}"), seed);
    }
    for number in 0..mutations() {
        feed(
            target,
            &format!("mutation-{number}"),
            &mutate::mutation(&seeds, number),
        );
    }
    let _ = std::panic::take_hook();
}

macro_rules! fuzz {
    ($($test:ident $name:literal)*) => {
        $(#[test] fn $test() { run($name); })*
        #[test]
        fn every_target_is_run() {
            let run = [$($name),*];
            let all: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(all, run);
        }
    };
}

fuzz! {
    remote_write_1 "remote-write-1"
    remote_write_2 "remote-write-2"
    snappy "snappy"
    log_file "log-file"
    log_record "log-record"
    checkpoint "checkpoint"
    manifest "manifest"
    manifest_fields "manifest-fields"
    segment "segment"
    index "index"
    alert_checkpoint "alert-checkpoint"
    alert_transaction "alert-transaction"
    backup_list "backup-list"
    views "views"
    remote_read "remote-read"
    remote_read_answer "remote-read-answer"
    prometheus_form "prometheus-form"
    openmetrics "openmetrics"
    tsdb_dump "tsdb-dump"
    flight_handle "flight-handle"
    flight_values "flight-values"
    postgres_messages "postgres-messages"
    postgres_value "postgres-value"
    selector "selector"
    promql "promql"
}

#[test]
fn a_mutation_follows_from_its_number() {
    let seeds = [b"one".to_vec(), vec![7; 300]];
    let all: Vec<Vec<u8>> = (0..200).map(|n| mutate::mutation(&seeds, n)).collect();
    assert_eq!(
        all,
        (0..200).map(|n| mutate::mutation(&seeds, n)).collect::<Vec<_>>()
    );
    let changed = all.iter().filter(|bytes| !seeds.contains(bytes)).count();
    assert!(changed > 190, "{changed} of 200 differ from the seeds");
    drop(mutate::mutation(&[], 1));
}

/// Sealed bytes pass the checksums: what is fuzzed is what lies behind them.
#[test]
fn seals_are_what_the_formats_say() {
    use barograph::cli::backup::Backup;
    use barograph_engine::inspect::{Inspection, inspect_bytes};
    use barograph_query::sql::Views;
    let log = inspect_bytes("log", seal::log(&[2, 1, 2, 3]).into(), None).unwrap();
    let Inspection::Log(log) = log else {
        panic!("{log:?}")
    };
    assert_eq!(
        (log.first_seq, log.unreadable_frames, log.holes.len()),
        (Some(1), 1, 0)
    );
    let manifest = find("manifest-fields").unwrap();
    let fields = &seeds::read(manifest).unwrap()[0];
    let manifest = inspect_bytes("manifest", seal::manifest(fields).into(), None).unwrap();
    assert!(matches!(manifest, Inspection::Manifest(_)), "{manifest:?}");
    for seed in seeds::read(find("index").unwrap()).unwrap() {
        let mut damaged = seed.clone();
        // Of the header, and of each section.
        (12..16).for_each(|at| damaged[at] ^= 1);
        (72..224).step_by(24).for_each(|at| damaged[at] ^= 1);
        assert_eq!(seal::index(&damaged), seed);
        let index = inspect_bytes("index", seed.into(), None).unwrap();
        assert!(matches!(index, Inspection::Index(_)), "{index:?}");
    }
    let backup = &seeds::read(find("backup-list").unwrap()).unwrap()[0];
    assert_eq!(Backup::decode(&seal::backup(backup)).unwrap().files.len(), 2);
    let views = &seeds::read(find("views").unwrap()).unwrap()[0];
    assert_eq!(Views::check(&seal::views(views)), Ok(2));
}
