//! The targets by their names.

use std::path::Path;

use barograph::cli::import::{Format, read_answer};
use barograph_alerts::Transaction;
use barograph_engine::inspect::{Inspection, inspect_bytes};
use barograph_engine::wal::Record;
use barograph_promql::syntax::{ParseOptions, parse, prettify};
use bytes::Bytes;

use crate::{edge, flight, import, journal, lists, postgres, prometheus, seal};

/// One decoder.
pub struct Target {
    /// What it is called on the command line; its seeds lie in the folder of that name.
    pub name: &'static str,
    /// What it decodes.
    pub about: &'static str,
    /// Feeds it. Returns for any bytes, or has found a bug.
    pub run: fn(&[u8]),
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "remote-write-1",
        about: "a message of remote write 1.0, through the whole edge into a store",
        run: |bytes| edge::post(edge::Protocol::One, bytes),
    },
    Target {
        name: "remote-write-2",
        about: "a message of remote write 2.0, through the whole edge into a store",
        run: |bytes| edge::post(edge::Protocol::Two, bytes),
    },
    Target {
        name: "snappy",
        about: "the compressed body of a remote write",
        run: edge::post_compressed,
    },
    Target {
        name: "log-file",
        about: "a file of the write-ahead log or of a journal",
        run: |bytes| look(bytes.to_vec()),
    },
    Target {
        name: "log-record",
        about: "a record of the write-ahead log, behind its checksum: the kind, then the payload",
        run: |bytes| {
            if let Some((kind, payload)) = bytes.split_first() {
                // The same twice: decoding neither remembers nor guesses. Not equal, since a NaN is not itself.
                let again = Record::decode(*kind, payload).is_ok();
                assert_eq!(Record::decode(*kind, payload).is_ok(), again);
            }
            look(seal::log(bytes));
        },
    },
    Target {
        name: "checkpoint",
        about: "a journal's checkpoint",
        run: |bytes| look(bytes.to_vec()),
    },
    Target {
        name: "manifest",
        about: "a manifest",
        run: |bytes| look(bytes.to_vec()),
    },
    Target {
        name: "manifest-fields",
        about: "the fields of a manifest, behind its checksum",
        run: |bytes| look(seal::manifest(bytes)),
    },
    Target {
        name: "segment",
        about: "a file of a segment: samples, series or index",
        run: |bytes| look(bytes.to_vec()),
    },
    Target {
        name: "index",
        about: "the index of a segment, behind its checksums",
        run: |bytes| look(seal::index(bytes)),
    },
    Target {
        name: "alert-checkpoint",
        about: "the state of alerts in the checkpoint of their journal, behind its checksum",
        run: journal::checkpoint,
    },
    Target {
        name: "alert-transaction",
        about: "a record of the alert journal",
        run: |bytes| drop(Transaction::from_record(bytes)),
    },
    Target {
        name: "backup-list",
        about: "the list of a backup's files, behind its checksum",
        run: lists::backup,
    },
    Target {
        name: "views",
        about: "the file of views, behind its checksum",
        run: lists::views,
    },
    Target {
        name: "remote-read",
        about: "a message of remote read, through Prometheus' API",
        run: prometheus::remote_read,
    },
    Target {
        name: "remote-read-answer",
        about: "the compressed answer of another server to a remote read",
        run: |bytes| drop(read_answer(bytes)),
    },
    Target {
        name: "prometheus-form",
        about: "the parameters of a request to Prometheus' API: a byte for the path, then a form",
        run: prometheus::form,
    },
    Target {
        name: "openmetrics",
        about: "an OpenMetrics text that is imported",
        run: |bytes| import::text(bytes, Format::OpenMetrics),
    },
    Target {
        name: "tsdb-dump",
        about: "the text of a dump of Prometheus that is imported",
        run: |bytes| import::text(bytes, Format::Dump),
    },
    Target {
        name: "flight-handle",
        about: "the handle of a statement of Flight SQL",
        run: flight::handle,
    },
    Target {
        name: "flight-values",
        about: "the values that a client of Flight SQL binds, as messages with their lengths",
        run: flight::values,
    },
    Target {
        name: "postgres-messages",
        about: "the messages of a client of PostgreSQL's protocol, from the first byte",
        run: postgres::messages,
    },
    Target {
        name: "postgres-value",
        about: "a value that a client of PostgreSQL's protocol binds: two bytes for its types, then the value",
        run: postgres::value,
    },
    Target {
        name: "selector",
        about: "a PromQL selector",
        run: |bytes| {
            if let Ok(text) = std::str::from_utf8(bytes) {
                drop(barograph_query::parse_selector(text));
            }
        },
    },
    Target {
        name: "promql",
        about: "a PromQL expression, read, printed and read again",
        run: |bytes| {
            if let Ok(text) = std::str::from_utf8(bytes) {
                query(text);
            }
        },
    },
];

/// Reads an expression. What is printed is an expression too, and prints the same.
fn query(text: &str) {
    let mut options = ParseOptions::experimental();
    let Ok(expr) = parse(text, &options) else {
        return;
    };
    // A float may print longer than it was written.
    options.max_bytes = usize::MAX;
    let canonical = expr.to_string();
    let pretty = prettify(&expr);
    for printed in [&canonical, &pretty] {
        match parse(printed, &options) {
            Ok(again) => assert_eq!(again.to_string(), canonical, "{text:?} as {printed:?}"),
            Err(error) => panic!("{text:?} prints as {printed:?}: {error}"),
        }
    }
    assert!(expr.to_json().is_object());
}

/// A target by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// The way of `barograph inspect`, which trusts nothing and reads everything.
fn look(bytes: Vec<u8>) {
    let len = bytes.len() as u64;
    match inspect_bytes("fuzzed", Bytes::from(bytes), None) {
        Ok(Inspection::Log(log)) => {
            let frames: u64 = log.kinds.iter().map(|kind| kind.bytes).sum();
            assert!(frames <= len, "frames do not overlap");
        }
        Ok(_) => {}
        Err(error) => assert!(
            error.to_string().contains("fuzzed"),
            "an error names its file: {error}"
        ),
    }
}

/// The folder of a target's seeds.
pub(crate) fn corpus(target: &Target) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name)
}

/// What a panic has said.
#[must_use]
pub fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given")
}
