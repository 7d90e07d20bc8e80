//! Where requests become samples of the store: the decoding threads, and what they share.
//!
//! A body is decoded on one of a few threads that do nothing else, so that the I/O threads never wait for it; each
//! keeps its buffers from request to request. What waits for a thread is bounded by bytes in flight, what waits
//! for the disk by the store's own queue; where either is full the sender is told to come back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::iter::repeat_n;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::body::Bytes;
use axum::http::StatusCode;
use barograph_engine::{Engine, EngineError, Head, SampleColumns};
use thiserror::Error;
use tokio::sync::oneshot;

use super::in_flight::{Charge, InFlight};
use super::labels::{LabelsError, read_labels};
use super::limits::IngestLimits;
use super::metadata::{MetadataEntry, MetadataRegistry, read_metadata};
use super::protobuf::WireError;
use super::rejects::{Reason, Rejects};
use super::snappy::{Decompressor, SnappyError, checked_len};
use super::stats::IngestStats;
use super::write_request::{DecodeError, DecodeRules, WriteRequest};
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
    metadata: MetadataRegistry,
    tenants: Arc<Tenants>,
}

/// The buffers of a decoding thread.
#[derive(Default)]
struct Scratch {
    decompressor: Decompressor,
    request: WriteRequest,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// A decoded request.
struct Prepared {
    columns: SampleColumns,
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
            tenants,
            metadata: MetadataRegistry::new(limits.metadata),
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
    pub fn metadata(&self) -> &MetadataRegistry {
        &self.metadata
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

    /// Stores a snappy block that holds a `prometheus.WriteRequest`; returns when its samples are on disk. `charge`
    /// has the block's own bytes in it.
    ///
    /// # Errors
    /// [`Refusal`]: with a status of 400 that begins with "refused", all but what it counts is stored; with any
    /// other, nothing is, or nobody knows: sending again is safe, since a sample that is sent twice is kept once.
    pub(super) async fn store(
        self: &Arc<Self>,
        block: Bytes,
        mut charge: Charge,
        admission: Admission,
    ) -> Result<(), Refusal> {
        let declared = checked_len(&block, self.limits.decompressed_bytes_max).map_err(refuse_snappy)?;
        // The body, and as much again for the columns that are made of it.
        if !charge.grow(2 * declared.max(REQUEST_BYTES_MIN)) {
            return Err(refuse_overload());
        }
        let (reply, answer) = oneshot::channel();
        let sink = Arc::clone(self);
        self.pool.spawn(move || {
            let prepared = sink.prepare(&block, admission);
            // Before the answer, after which the sender may count on the budget; the columns are in the store's.
            drop((block, charge));
            sink.append(prepared, reply);
        });
        answer.await.unwrap_or_else(|_| {
            let message =
                "the request was given up inside the server, it may be stored or not; send it again";
            Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message))
        })
    }

    /// Hands a decoded request to the store, and the store's answer to the sender.
    fn append(&self, prepared: Result<Prepared, Refusal>, reply: oneshot::Sender<Result<(), Refusal>>) {
        // A send fails where the client has gone away, and then nobody asks.
        let Prepared {
            columns,
            refused,
            account,
        } = match prepared {
            Ok(prepared) => prepared,
            Err(refusal) => return drop(reply.send(Err(refusal))),
        };
        let answer = match refused {
            None => Ok(()),
            Some(refusal) => Err(refusal),
        };
        let samples = columns.len() as u64;
        if samples == 0 {
            return drop(reply.send(answer));
        }
        let stats = Arc::clone(&self.stats);
        let done = move |result: Result<(), EngineError>| {
            let answer = match result {
                Ok(()) => {
                    stats.samples.fetch_add(samples, Relaxed);
                    account.add_samples(samples);
                    answer
                }
                Err(error) => Err(refuse_engine(&error)),
            };
            drop(reply.send(answer));
        };
        self.engine.append(columns, Box::new(done));
    }

    /// Decodes a block, on a decoding thread.
    fn prepare(&self, block: &[u8], admission: Admission) -> Result<Prepared, Refusal> {
        SCRATCH.with_borrow_mut(
            |Scratch {
                 decompressor,
                 request,
             }| {
                let body = decompressor
                    .decompress(block, self.limits.decompressed_bytes_max)
                    .map_err(refuse_snappy)?;
                self.stats.compressed_bytes.fetch_add(block.len() as u64, Relaxed);
                self.stats
                    .decompressed_bytes
                    .fetch_add(body.len() as u64, Relaxed);
                let prepared = self.decode(body, request, admission);
                decompressor.shrink_to(KEPT_BYTES);
                request.shrink_to(KEPT_ENTRIES);
                prepared
            },
        )
    }

    fn decode(
        &self,
        body: &[u8],
        request: &mut WriteRequest,
        mut admission: Admission,
    ) -> Result<Prepared, Refusal> {
        let mut rejects = Rejects::default();
        let head = self.engine.head();
        let rules = DecodeRules {
            accepts: self.engine.accepts(),
            samples_max: self.limits.samples_max,
            labels: &*Arc::clone(admission.account()).labels(),
        };
        request
            .decode(body, &rules, |raw| head.fingerprint(raw), &mut rejects)
            .map_err(refuse_decode)?;
        let metadata = self
            .read_metadata(body, request, &mut rejects)
            .map_err(refuse_wire)?;
        admission
            .samples(request.ts.len())
            .map_err(|limit| limit.to_refusal())?;
        let columns = self.resolve(&head, body, request, &mut admission, &mut rejects)?;
        // From here on the request is known to be whole, so what it says may have effects.
        for entry in &metadata {
            match self.metadata.set(entry) {
                Ok(()) => drop(self.stats.metadata.fetch_add(1, Relaxed)),
                Err(fault) => rejects.add_metadata(fault),
            }
        }
        if !rejects.is_empty() {
            self.stats.add_rejects(&rejects);
        }
        let refused = rejects.message(body, columns.len()).map(|message| {
            for (reason, count) in rejects.by_reason() {
                admission.refused(reason, count, &message);
            }
            refuse_part(message, rejects.retry_after_s())
        });
        Ok(Prepared {
            columns,
            refused,
            account: Arc::clone(admission.account()),
        })
    }

    fn read_metadata<'a>(
        &self,
        body: &'a [u8],
        request: &WriteRequest,
        rejects: &mut Rejects,
    ) -> Result<Vec<MetadataEntry<'a>>, WireError> {
        let mut entries = Vec::new();
        for range in &request.metadata {
            match read_metadata(body, range.clone(), &self.limits.metadata)? {
                Ok(entry) => entries.push(entry),
                Err(fault) => rejects.add_metadata(fault),
            }
        }
        Ok(entries)
    }

    /// Finds or registers each series and gives the columns of those that are acceptable.
    fn resolve(
        &self,
        head: &Head,
        body: &[u8],
        request: &mut WriteRequest,
        admission: &mut Admission,
        rejects: &mut Rejects,
    ) -> Result<SampleColumns, Refusal> {
        let entries = &request.series;
        let account = Arc::clone(admission.account());
        let read = |i: usize| read_labels(body, entries[i].message(), account.labels());
        let (known, room) = (head.len(), self.engine.series_room());
        let mut over_limit = BTreeMap::new();
        let mut malformed = None;
        let mut defined = 0;
        let mut define = |i: usize| {
            if malformed.is_some() {
                return None;
            }
            match read(i) {
                Ok(labels) => {
                    if !head.contains(&labels)
                        && let Err(limit) = admission.new_series(i, known, room)
                    {
                        over_limit.insert(i, limit);
                        return None;
                    }
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
        let refs = head.resolve(&request.fingerprints, &mut define);
        admission.entered(&refs, head, &self.engine.head());
        self.stats.series_defined.fetch_add(defined, Relaxed);
        if let Some(error) = malformed {
            return Err(refuse_wire(error));
        }
        let (ts, values) = (&mut request.ts, &mut request.values);
        let mut series = Vec::with_capacity(ts.len());
        let mut rows = 0..0;
        for (i, found) in refs.into_iter().enumerate() {
            rows = rows.end..entries[i].rows_end();
            if let Some(found) = found {
                // Rows move only where some before them were left out.
                if rows.start != series.len() {
                    ts.copy_within(rows.clone(), series.len());
                    values.copy_within(rows.clone(), series.len());
                }
                series.extend(repeat_n(found, rows.len()));
            } else {
                let reason = match read(i) {
                    Ok(_) if over_limit.contains_key(&i) => match over_limit.remove(&i) {
                        Some(limit) => Reason::SeriesLimit(limit),
                        None => continue,
                    },
                    Err(LabelsError::Fault(fault)) => Reason::Labels(fault),
                    Err(LabelsError::Wire(error)) => return Err(refuse_wire(error)),
                    Ok(labels) => {
                        let message =
                            format!("the store did not take series {labels}; this is a bug in barograph");
                        return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message));
                    }
                };
                rejects.add(entries[i].message(), rows.len() as u64, reason);
            }
        }
        ts.truncate(series.len());
        values.truncate(series.len());
        let (ts, values) = request.take_columns();
        Ok(SampleColumns::from_parts(head, series, ts, values))
    }
}

/// The answer where too much is being worked on already.
pub(super) fn refuse_overload() -> Refusal {
    Refusal::retry_later(
        "too many requests are in flight; nothing of this one was stored, send it again later",
        1,
    )
}

/// The reason of a refusal whose parts have been counted already, each by its own.
pub(super) const PARTLY: &str = "partly";

/// The answer where all is stored but what `message` counts. A part that was only too early makes it a 429, so that
/// senders which heed it send the request again; what is stored already is then stored once.
fn refuse_part(message: String, retry_after_s: Option<u32>) -> Refusal {
    let status = match retry_after_s {
        Some(_) => StatusCode::TOO_MANY_REQUESTS,
        None => StatusCode::BAD_REQUEST,
    };
    Refusal {
        retry_after_s,
        ..Refusal::new(status, message).because(PARTLY)
    }
}

fn refuse_snappy(error: SnappyError) -> Refusal {
    let status = match error {
        SnappyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    Refusal::new(status, format_args!("nothing was stored: {error}"))
}

fn refuse_wire(error: WireError) -> Refusal {
    let message = format_args!("nothing was stored: the body is not a prometheus.WriteRequest: {error}");
    Refusal::new(StatusCode::BAD_REQUEST, message)
}

fn refuse_decode(error: DecodeError) -> Refusal {
    match error {
        DecodeError::Wire(error) => refuse_wire(error),
        DecodeError::TooMany { .. } => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format_args!("nothing was stored: {error}"),
        ),
    }
}

/// Says whether and when the store may take the same request.
fn refuse_engine(error: &EngineError) -> Refusal {
    match error {
        EngineError::Overloaded { .. } => Refusal::retry_later(error, 1),
        EngineError::Unwritable { .. } => Refusal::retry_later(error, 10).because("disk"),
        EngineError::DiskLow { .. } => Refusal::retry_later(error, 30).because("disk_low"),
        EngineError::Closing => Refusal::retry_later(error, 5).because("closing"),
        EngineError::Poisoned { .. } => Refusal::retry_later(error, 60).because("poisoned"),
        _ => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error),
    }
}
