//! Backups in a bucket of S3, or of a store that speaks its protocol.
//!
//! Credentials, region and endpoint come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
//! `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`, ...). An object appears when its last byte has arrived.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart};
use tokio::io::AsyncReadExt;

use super::BackupFailure;
use super::depot::{Depot, Pieces};
use super::sum::FileSum;
use crate::channels::install_crypto_provider;

/// A file up to this length goes in one request; a part of a longer one is at least this long.
const PART_BYTES: u64 = 8 << 20;

/// S3 takes 10,000 parts of one object.
const PARTS_MAX: u64 = 9_000;

/// Parts of one file on their way at once: with the one being read, three parts of memory for each file.
const PARTS_AT_ONCE: usize = 2;

/// A bucket, or a part of one.
#[derive(Debug)]
pub(super) struct Bucket {
    store: AmazonS3,
    text: String,
    prefix: String,
}

impl Bucket {
    /// `rest` is `bucket/prefix`.
    pub(super) fn open(text: &str, rest: &str) -> Result<Self, BackupFailure> {
        let refused = |reason: String| BackupFailure::Location {
            text: text.to_owned(),
            reason,
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(refused("it names no bucket".to_owned()));
        }
        install_crypto_provider();
        let store = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .build()
            .map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            store,
            text: text.trim_end_matches('/').to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
        })
    }

    fn key(&self, key: &str) -> Key {
        Key::from(format!("{}/{key}", self.prefix))
    }

    fn failed(
        &self,
        action: &'static str,
        key: &str,
    ) -> impl FnOnce(object_store::Error) -> BackupFailure + use<> {
        let key = format!("{}/{key}", self.text);
        move |error| BackupFailure::Bucket { action, key, error }
    }

    /// Sends a file in parts. The upload is ended by the caller, who knows whether the file is what it should be.
    async fn send_parts(
        &self,
        upload: &mut WriteMultipart,
        (key, source): (&str, &Path),
        part_bytes: u64,
        sent: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<FileSum, BackupFailure> {
        let mut file = tokio::fs::File::open(source)
            .await
            .map_err(BackupFailure::io("open", source))?;
        let mut sum = FileSum::EMPTY;
        loop {
            upload
                .wait_for_capacity(PARTS_AT_ONCE)
                .await
                .map_err(self.failed("write", key))?;
            let mut part = Vec::new();
            let read = (&mut file).take(part_bytes).read_to_end(&mut part).await;
            if read.map_err(BackupFailure::io("read", source))? == 0 {
                return Ok(sum);
            }
            sum.add(&part);
            sent(part.len() as u64);
            upload.put(Bytes::from(part));
        }
    }
}

#[async_trait]
impl Depot for Bucket {
    fn shown(&self) -> String {
        self.text.clone()
    }

    async fn begin(&self) -> Result<(), BackupFailure> {
        // A bucket that is not there, or may not be read, is told before a snapshot is taken.
        self.list("backups").await.map(drop)
    }

    async fn list(&self, below: &str) -> Result<BTreeMap<String, u64>, BackupFailure> {
        let prefix = self.key(below);
        let own = match self.prefix.is_empty() {
            true => String::new(),
            false => format!("{}/", Key::from(self.prefix.as_str())),
        };
        let objects = self.store.list(Some(&prefix));
        let entries = objects.map_ok(|object| {
            let key = object.location.as_ref();
            (
                key.strip_prefix(own.as_str()).unwrap_or(key).to_owned(),
                object.size,
            )
        });
        entries.try_collect().await.map_err(self.failed("list", below))
    }

    async fn put_file(
        &self,
        key: &str,
        source: &Path,
        sum: FileSum,
        sent: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), BackupFailure> {
        if sum.bytes <= PART_BYTES {
            let bytes = tokio::fs::read(source)
                .await
                .map_err(BackupFailure::io("read", source))?;
            let mut found = FileSum::EMPTY;
            found.add(&bytes);
            found.expect(sum, &source.display().to_string())?;
            self.put(key, Bytes::from(bytes)).await?;
            sent(sum.bytes);
            return Ok(());
        }
        let part_bytes = PART_BYTES.max(sum.bytes.div_ceil(PARTS_MAX));
        let upload = self.store.put_multipart(&self.key(key)).await;
        let upload = upload.map_err(self.failed("write", key))?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, part_bytes as usize);
        let sending = self
            .send_parts(&mut upload, (key, source), part_bytes, sent)
            .await;
        match sending.and_then(|found| found.expect(sum, &source.display().to_string())) {
            Ok(()) => upload.finish().await.map(drop).map_err(self.failed("write", key)),
            Err(error) => {
                // Parts that cannot be given up are for the bucket's own rules to remove.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BackupFailure> {
        let put = self
            .store
            .put(&self.key(key), PutPayload::from_bytes(bytes))
            .await;
        put.map(drop).map_err(self.failed("write", key))
    }

    async fn read(&self, key: &str) -> Result<Pieces, BackupFailure> {
        let got = self.store.get(&self.key(key)).await;
        let text = self.text.clone();
        let key = key.to_owned();
        let stream = got.map_err(self.failed("read", &key))?.into_stream();
        let pieces = stream.map_err(move |error| BackupFailure::Bucket {
            action: "read",
            key: format!("{text}/{key}"),
            error,
        });
        Ok(pieces.boxed())
    }

    fn trusts_length(&self) -> bool {
        true
    }
}
