//! Where a query is asked: a server, or a data directory that is opened in this process.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::remote::{Batches, Remote};
use super::SqlFailure;

/// What answers queries.
#[derive(Debug)]
pub(in crate::cli) enum Source {
    Remote(Remote),
}

impl Source {
    /// A server, unless a data directory is given.
    pub(in crate::cli) fn of(url: &str, data_dir: Option<&Path>) -> Result<Self, SqlFailure> {
        let _ = data_dir;
        Remote::new(url).map(Self::Remote)
    }

    /// Starts a query whose answer is read batch by batch.
    pub(in crate::cli) async fn batches(&self, query: &str) -> Result<Answer, SqlFailure> {
        match self {
            Self::Remote(remote) => Ok(Answer::Remote(Batches::new(remote.post(query, "arrow").await?))),
        }
    }
}

/// An answer, batch by batch. Dropping it cancels the query.
#[derive(Debug)]
pub(in crate::cli) enum Answer {
    Remote(Batches),
}

impl Answer {
    /// The columns; known at the latest when the first call of [`Answer::next`] has returned.
    pub(in crate::cli) fn schema(&self) -> SchemaRef {
        match self {
            Self::Remote(batches) => batches.schema(),
        }
    }

    pub(in crate::cli) async fn next(&mut self) -> Result<Option<RecordBatch>, SqlFailure> {
        match self {
            Self::Remote(batches) => batches.next().await,
        }
    }

    /// Reads everything into memory, with the columns.
    pub(in crate::cli) async fn collect(mut self) -> Result<(SchemaRef, Vec<RecordBatch>), SqlFailure> {
        let mut all = Vec::new();
        while let Some(batch) = self.next().await? {
            all.push(batch);
        }
        Ok((self.schema(), all))
    }
}
