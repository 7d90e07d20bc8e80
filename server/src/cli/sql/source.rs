//! Where a query is asked: a server, or a data directory that is opened in this process.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use barograph_query::sql::SqlStream;
use bytes::Bytes;
use futures::StreamExt;

use super::local::Local;
use super::remote::{Batches, Remote, chunk};
use super::{OutputFormat, SqlFailure};

/// What answers queries.
#[derive(Debug)]
pub(in crate::cli) enum Source {
    Remote(Remote),
    Local(Local),
}

impl Source {
    /// A server, unless a data directory is given.
    pub(in crate::cli) fn of(url: &str, data_dir: Option<&Path>) -> Result<Self, SqlFailure> {
        match data_dir {
            Some(data_dir) => Local::open(data_dir).map(Self::Local),
            None => Remote::new(url).map(Self::Remote),
        }
    }

    /// Starts a query whose answer is read batch by batch.
    pub(in crate::cli) async fn batches(&self, query: &str) -> Result<Answer, SqlFailure> {
        match self {
            Self::Remote(remote) => Ok(Answer::Remote(Batches::new(remote.post(query, "arrow").await?))),
            Self::Local(local) => Ok(Answer::Local(local.sql.query(query).await?)),
        }
    }

    /// Starts a query whose answer is read as the bytes of CSV or JSON.
    pub(super) async fn bytes(&self, query: &str, format: OutputFormat) -> Result<AnswerBytes, SqlFailure> {
        match self {
            Self::Remote(remote) => Ok(AnswerBytes::Remote(remote.post(query, format.name()).await?)),
            Self::Local(local) => {
                let format = format.name().parse()?;
                Ok(AnswerBytes::Local(local.sql.query(query).await?.encode(format)))
            }
        }
    }
}

/// An answer, batch by batch. Dropping it cancels the query.
#[derive(Debug)]
pub(in crate::cli) enum Answer {
    Remote(Batches),
    Local(SqlStream),
}

impl Answer {
    /// The columns; known at the latest when the first call of [`Answer::next`] has returned.
    pub(in crate::cli) fn schema(&self) -> SchemaRef {
        match self {
            Self::Remote(batches) => batches.schema(),
            Self::Local(stream) => stream.schema(),
        }
    }

    pub(in crate::cli) async fn next(&mut self) -> Result<Option<RecordBatch>, SqlFailure> {
        match self {
            Self::Remote(batches) => batches.next().await,
            Self::Local(stream) => Ok(stream.next().await.transpose()?),
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

/// An answer as bytes. Dropping it cancels the query.
#[derive(Debug)]
pub(in crate::cli) enum AnswerBytes {
    Remote(reqwest::Response),
    Local(barograph_query::sql::SqlBytes),
}

impl AnswerBytes {
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, SqlFailure> {
        match self {
            Self::Remote(response) => chunk(response).await,
            Self::Local(pieces) => Ok(pieces.next().await.transpose()?),
        }
    }
}
