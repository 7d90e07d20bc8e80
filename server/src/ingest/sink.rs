//! Where requests become samples of the store: the decoding threads, and what they share.
//!
//! A body is decoded on one of a few threads that do nothing else, so that the I/O threads never wait for it; each
//! keeps its buffers from request to request. What waits for a thread is bounded by bytes in flight, what waits
//! for the disk by the store's own queue; where either is full the sender is told to come back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::body::Bytes;
use axum::http::StatusCode;
use barograph_engine::{Engine, EngineError, Head, MetadataTable, SampleColumns};
use thiserror::Error;
use tokio::sync::oneshot;

use super::batch::{Batch, DecodeError, DecodeRules, SeriesEntry};
use super::created::Beginnings;
use super::in_flight::{Charge, InFlight};
use super::labels::{LabelSource, LabelsError};
use super::lanes::Lanes;
use super::limits::IngestLimits;
use super::metadata::News;
use super::protocol::Protocol;
use super::rejects::{Reason, Rejects};
use super::snappy::{Decompressor, checked_len};
use super::stats::IngestStats;
use super::symbols::{Symbol, Symbols};
use super::written::Written;
use super::{refusals, request_v2, write_request};
use crate::http::Refusal;
use crate::tenants::{Account, Admission, Tenants};

/// What a decoded request costs the budget at least, so that small ones are bounded in number too.
const REQUEST_BYTES_MIN: usize = 16 << 10;
/// What a thread's buffers keep between requests.
const KEPT_BYTES: usize = 8 << 20;
const KEPT_ENTRIES: usize = 1 << 18;

/// Why the sink could not be set up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The operating system gave no threads.
    #[error("the decoding threads of the ingest edge could not be started: {source}")]
    Threads {
        /// What it said.
        source: rayon::ThreadPoolBuildError,
    },
    /// A cap on decompressed bodies that positions in a body do not fit.
    #[error("decompressed_bytes_max is {bytes}, and must be below 4 GiB")]
    BodyTooLarge {
        /// The cap asked for.
        bytes: usize,
    },
    /// A budget in which the largest permitted request does not fit.
    #[error(
        "in_flight_bytes_max is {bytes}, and must be at least {needed} for one request of the largest size"
    )]
    BudgetTooSmall {
        /// The budget asked for.
        bytes: usize,
        /// The least that works.
        needed: usize,
    },
}

/// The way into the store for bodies of remote write. One for the program, shared by its handlers.
#[derive(Debug)]
pub struct IngestSink {
    engine: Arc<Engine>,
    limits: IngestLimits,
    pool: rayon::ThreadPool,
    in_flight: Arc<InFlight>,
    // Shared by itself with what waits for the disk, which must not keep the store alive.
    stats: Arc<IngestStats>,
    beginnings: Arc<Beginnings>,
    tenants: Arc<Tenants>,
}

/// The buffers of a decoding thread.
#[derive(Default)]
struct Scratch {
    decompressor: Decompressor,
    batch: Batch,
    symbols: Vec<Symbol>,
    request_v2: request_v2::Scratch,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What became of a request.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What of it is on disk.
    pub(super) written: Written,
    /// What the sender is told besides; `None` is all good.
    pub(super) refusal: Option<Refusal>,
}

impl From<Refusal> for Outcome {
    /// Nothing is stored, or nobody knows.
    fn from(refusal: Refusal) -> Self {
        Self {
            written: Written::default(),
            refusal: Some(refusal),
        }
    }
}

/// A decoded request.
struct Prepared {
    columns: SampleColumns,
    /// What of the columns the sender sent.
    written: Written,
    /// Counters that began, whose zeros are in the columns: (fingerprint, instant).
    beginnings: Vec<(u128, i64)>,
    /// What the sender is told once the columns are on disk; `None` is all good.
    refused: Option<Refusal>,
    account: Arc<Account>,
}

impl IngestSink {
    /// Starts the decoding threads.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(
        engine: Arc<Engine>,
        limits: IngestLimits,
        tenants: Arc<Tenants>,
    ) -> Result<Arc<Self>, SetupError> {
        if u32::try_from(limits.decompressed_bytes_max).is_err() {
            return Err(SetupError::BodyTooLarge {
                bytes: limits.decompressed_bytes_max,
            });
        }
        let needed = limits.request_bytes_max().max(3 * REQUEST_BYTES_MIN);
        if limits.in_flight_bytes_max < needed {
            return Err(SetupError::BudgetTooSmall {
                bytes: limits.in_flight_bytes_max,
                needed,
            });
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(limits.workers.max(1))
            .thread_name(|i| format!("ingest-{i}"))
            // The request's sender is answered when its reply channel falls; the thread goes on with the next.
            .panic_handler(|_| tracing::error!("a decoding thread panicked; this is a bug in barograph"))
            .build()
            .map_err(|source| SetupError::Threads { source })?;
        Ok(Arc::new(Self {
            pool,
            in_flight: InFlight::new(limits.in_flight_bytes_max, engine.memory()),
            stats: Arc::default(),
            beginnings: Arc::default(),
            tenants,
            engine,
            limits,
        }))
    }

    /// What has been counted so far.
    #[must_use]
    pub fn stats(&self) -> &IngestStats {
        &self.stats
    }

    /// What is known of metric families.
    #[must_use]
    pub fn metadata(&self) -> MetadataTable {
        self.engine.metadata()
    }

    /// The caps in force.
    #[must_use]
    pub fn limits(&self) -> &IngestLimits {
        &self.limits
    }

    /// Who sends.
    #[must_use]
    pub fn tenants(&self) -> &Arc<Tenants> {
        &self.tenants
    }

    /// Bytes of requests that are being read or decoded at this moment.
    #[must_use]
    pub fn in_flight_bytes(&self) -> usize {
        self.in_flight.used()
    }

    /// An empty account for a request's bytes.
    pub(super) fn charge(&self) -> Charge {
        Charge::new(&self.in_flight)
    }

    /// Stores a snappy block that holds a message of `protocol`; returns when its samples are on disk. `charge` has the
    /// block's own bytes in it.
    ///
    /// Where the refusal is a status of 400 that begins with "refused", all but what it counts is stored; with any
    /// other, nothing is, or nobody knows: sending again is safe, since a sample that is sent twice is kept once.
    pub(super) async fn store(
        self: &Arc<Self>,
        protocol: Protocol,
        block: Bytes,
        mut charge: Charge,
        admission: Admission,
    ) -> Outcome {
        let declared = match checked_len(&block, self.limits.decompressed_bytes_max) {
            Ok(declared) => declared,
            Err(error) => return refusals::snappy(error).into(),
        };
        // The body, and as much again for the columns that are made of it.
        if !charge.grow(2 * declared.max(REQUEST_BYTES_MIN)) {
            return refusals::overload().into();
        }
        let (reply, answer) = oneshot::channel();
        let sink = Arc::clone(self);
        self.pool.spawn(move || {
            let prepared = sink.prepare(protocol, &block, admission);
            // Before the answer, after which the sender may count on the budget; the columns are in the store's.
            drop((block, charge));
            sink.append(prepared, reply);
        });
        answer.await.unwrap_or_else(|_| refusals::given_up().into())
    }

    /// Hands a decoded request to the store, and the store's answer to the sender.
    fn append(&self, prepared: Result<Prepared, Refusal>, reply: oneshot::Sender<Outcome>) {
        // A send fails where the client has gone away, and then nobody asks.
        let Prepared {
            columns,
            written,
            beginnings,
            refused,
            account,
        } = match prepared {
            Ok(prepared) => prepared,
            Err(refusal) => return drop(reply.send(refusal.into())),
        };
        let outcome = Outcome {
            written,
            refusal: refused,
        };
        if columns.is_empty() {
            return drop(reply.send(outcome));
        }
        let stats = Arc::clone(&self.stats);
        let remembered = Arc::clone(&self.beginnings);
        let done = move |result: Result<(), EngineError>| {
            let outcome = match result {
                Ok(()) => {
                    stats.add_written(written, beginnings.len() as u64);
                    account.add_samples(written.samples + written.histograms);
                    remembered.remember(beginnings);
                    outcome
                }
                Err(error) => refusals::engine(&error).into(),
            };
            drop(reply.send(outcome));
        };
        self.engine.append(columns, Box::new(done));
    }

    /// Decodes a block, on a decoding thread.
    fn prepare(&self, protocol: Protocol, block: &[u8], admission: Admission) -> Result<Prepared, Refusal> {
        SCRATCH.with_borrow_mut(|scratch| {
            let Scratch {
                decompressor,
                batch,
                symbols,
                request_v2,
            } = scratch;
            let body = decompressor
                .decompress(block, self.limits.decompressed_bytes_max)
                .map_err(refusals::snappy)?;
            self.stats.compressed_bytes.fetch_add(block.len() as u64, Relaxed);
            self.stats
                .decompressed_bytes
                .fetch_add(body.len() as u64, Relaxed);
            let prepared = self
                .decode(protocol, body, batch, symbols, request_v2, admission)
                .map_err(|error| match error {
                    Failure::Decode(error) => refusals::decode(protocol, error),
                    Failure::Refusal(refusal) => refusal,
                });
            decompressor.shrink_to(KEPT_BYTES);
            batch.shrink_to(KEPT_ENTRIES);
            symbols.clear();
            symbols.shrink_to(KEPT_ENTRIES);
            prepared
        })
    }

    fn decode(
        &self,
        protocol: Protocol,
        body: &[u8],
        batch: &mut Batch,
        symbols: &mut Vec<Symbol>,
        scratch: &mut request_v2::Scratch,
        mut admission: Admission,
    ) -> Result<Prepared, Failure> {
        let account = Arc::clone(admission.account());
        let mut rejects = Rejects::default();
        let head = self.engine.head();
        let rules = DecodeRules {
            accepts: self.engine.accepts(),
            samples_max: self.limits.samples_max,
            label_bytes_max: self.limits.decompressed_bytes_max,
            labels: account.labels(),
            exemplar_labels: &self.limits.exemplar_labels,
            metadata: &self.limits.metadata,
        };
        let fingerprint = |raw: &[u8]| head.fingerprint(raw);
        let (source, metadata) = match protocol {
            Protocol::V1 => {
                let metadata = write_request::decode(body, batch, &rules, &fingerprint, &mut rejects)?;
                (LabelSource::Inline(body), metadata)
            }
            Protocol::V2 => {
                request_v2::read_symbols(body, &rules, symbols)?;
                let symbols = Symbols {
                    body,
                    places: symbols,
                };
                let metadata =
                    request_v2::decode(symbols, batch, scratch, &rules, &fingerprint, &mut rejects)?;
                (LabelSource::Symbols(symbols), metadata)
            }
        };
        admission
            .samples(batch.ts.len() + batch.histograms.len())
            .map_err(|limit| limit.to_refusal())?;
        let (mut columns, written, beginnings) =
            self.resolve(&head, source, batch, &mut admission, &mut rejects)?;
        let known = self.engine.metadata();
        let news = News::of(&known, &metadata, self.limits.metadata.metrics_max, &mut rejects);
        self.stats.metadata.fetch_add(news.taken, Relaxed);
        news.families
            .into_iter()
            .for_each(|(family, entry)| columns.push_metadata(family, entry));
        if !rejects.is_empty() {
            self.stats.add_rejects(&rejects);
        }
        let refused = rejects.message(source, written).map(|message| {
            for (reason, count) in rejects.by_reason() {
                admission.refused(reason, count, &message);
            }
            refusals::part(message, rejects.retry_after_s())
        });
        Ok(Prepared {
            columns,
            written,
            beginnings,
            refused,
            account,
        })
    }

    /// Finds or registers each series and gives the columns of those that are acceptable.
    fn resolve(
        &self,
        head: &Head,
        source: LabelSource<'_>,
        batch: &mut Batch,
        admission: &mut Admission,
        rejects: &mut Rejects,
    ) -> Result<Resolved, Failure> {
        let account = Arc::clone(admission.account());
        let read = |entry: &SeriesEntry| source.read(entry.message(), account.labels());
        let (known, room) = (head.len(), self.engine.series_room());
        let mut over_limit = BTreeMap::new();
        let mut malformed = None;
        let mut defined = 0;
        let mut define = |i: usize| {
            if malformed.is_some() {
                return None;
            }
            match read(&batch.series[i]) {
                Ok(labels) => {
                    defined += 1;
                    Some(labels)
                }
                Err(LabelsError::Wire(error)) => {
                    malformed = Some(error);
                    None
                }
                // Told below, where every entry that was skipped is passed, in order.
                Err(LabelsError::Fault(_)) => None,
            }
        };
        let mut admit = |i: usize| match admission.new_series(i, known, room) {
            Ok(()) => true,
            Err(limit) => {
                over_limit.insert(i, limit);
                false
            }
        };
        let refs = head.resolve(&batch.fingerprints, &mut define, &mut admit);
        defined -= over_limit.len() as u64;
        admission.entered(&refs, head, &self.engine.head());
        self.stats.series_defined.fetch_add(defined, Relaxed);
        if let Some(error) = malformed {
            return Err(DecodeError::Wire(error).into());
        }
        let mut lanes = Lanes::new(head, batch);
        for (i, found) in refs.iter().enumerate() {
            if let Some(series) = *found {
                lanes.keep(i, series);
                continue;
            }
            let entry = lanes.skip(i);
            if let Some(limit) = over_limit.remove(&i) {
                rejects.add_series(entry.0.message(), entry.1, Reason::SeriesLimit(limit));
                continue;
            }
            let fault = match read(&entry.0) {
                Err(LabelsError::Fault(fault)) => fault,
                Err(LabelsError::Wire(error)) => return Err(DecodeError::Wire(error).into()),
                Ok(labels) => {
                    let message =
                        format!("the store did not take series {labels}; this is a bug in barograph");
                    return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message).into());
                }
            };
            rejects.add_series(entry.0.message(), entry.1, Reason::Labels(fault));
        }
        let (columns, written) = lanes.finish();
        let mut created = std::mem::take(&mut batch.created);
        self.beginnings.retain_new(&mut created, &batch.fingerprints);
        let mut beginnings = Vec::with_capacity(created.len());
        let mut columns = columns;
        for beginning in created.drain(..) {
            let entry = beginning.entry as usize;
            if let Some(series) = refs[entry] {
                columns.push(series, beginning.ts, 0.0);
                beginnings.push((batch.fingerprints[entry], beginning.ts));
            }
        }
        batch.created = created;
        Ok((columns, written, beginnings))
    }
}

/// The columns of a request, what of them the sender sent, and the counters that began: (fingerprint, instant).
type Resolved = (SampleColumns, Written, Vec<(u128, i64)>);

/// Why a request is not stored at all.
enum Failure {
    Decode(DecodeError),
    Refusal(Refusal),
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}
