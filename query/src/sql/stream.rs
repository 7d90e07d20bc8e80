//! The answer to a query, batch by batch.

use std::pin::Pin;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::{FutureExt, Stream, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::error::SqlError;
use super::request::CommandTag;

/// Batches of rows as they are computed; at most a few wait for the reader. Dropping the stream ends the query.
///
/// After an error, or after the last batch, the stream gives `None`.
#[derive(Debug)]
pub struct SqlStream {
    schema: SchemaRef,
    tag: CommandTag,
    batches: mpsc::Receiver<RecordBatch>,
    /// How the query ended. An error counts at once, a success once the batches are read.
    outcome: Option<oneshot::Receiver<Result<(), SqlError>>>,
    /// Ends the query's work.
    work: AbortHandle,
    /// Where the query runs.
    runtime: Handle,
}

impl SqlStream {
    pub(crate) fn new(
        schema: SchemaRef,
        batches: mpsc::Receiver<RecordBatch>,
        outcome: oneshot::Receiver<Result<(), SqlError>>,
        work: AbortHandle,
        runtime: Handle,
    ) -> Self {
        Self {
            schema,
            tag: CommandTag::default(),
            batches,
            outcome: Some(outcome),
            work,
            runtime,
        }
    }

    /// Where work on the answer may compute.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// The same stream, now that it is known what it gives.
    pub(crate) fn with_schema(mut self, schema: SchemaRef, tag: CommandTag) -> Self {
        self.schema = schema;
        self.tag = tag;
        self
    }

    /// What the statement is called. One that changes something has done so.
    #[must_use]
    pub fn tag(&self) -> CommandTag {
        self.tag
    }

    /// Names and types of the columns, known before the first row.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    /// Reads everything into memory, for answers that are known to be small.
    ///
    /// # Errors
    /// The first error of the stream.
    pub async fn collect_batches(mut self) -> Result<Vec<RecordBatch>, SqlError> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await {
            batches.push(batch?);
        }
        Ok(batches)
    }

    /// Reads how the query ended. An outcome that never comes means that the work was cut off.
    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SqlError>> {
        let Some(outcome) = &mut self.outcome else {
            return Poll::Ready(Ok(()));
        };
        let result =
            std::task::ready!(outcome.poll_unpin(cx)).unwrap_or_else(|_| Err(SqlError::from_panic()));
        self.outcome = None;
        Poll::Ready(result)
    }

    fn fail(&mut self, error: SqlError) -> Poll<Option<Result<RecordBatch, SqlError>>> {
        self.work.abort();
        self.batches.close();
        while self.batches.try_recv().is_ok() {}
        Poll::Ready(Some(Err(error)))
    }
}

impl Stream for SqlStream {
    type Item = Result<RecordBatch, SqlError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(Err(error)) = self.poll_outcome(cx) {
            return self.fail(error);
        }
        match std::task::ready!(self.batches.poll_recv(cx)) {
            Some(batch) => Poll::Ready(Some(Ok(batch))),
            None => match std::task::ready!(self.poll_outcome(cx)) {
                Ok(()) => Poll::Ready(None),
                Err(error) => self.fail(error),
            },
        }
    }
}

impl Drop for SqlStream {
    fn drop(&mut self) {
        self.work.abort();
    }
}
