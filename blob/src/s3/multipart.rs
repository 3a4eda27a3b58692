//! Large modules go in parts, which are tried again one by one. What fails is aborted, so that no parts are left
//! that nobody sees and somebody pays for; what a crash left is aborted later.

use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;

use super::list::Places;
use super::{S3Blobs, age};
use crate::BlobError;

/// Modules that are larger go in parts.
pub const MULTIPART_ABOVE_BYTES: usize = 16 * 1024 * 1024;
/// The size of a part, but of the last. S3 takes 5 MiB at least.
pub const PART_BYTES: usize = 8 * 1024 * 1024;
/// How many unfinished uploads are aborted at once; more come another time.
const ABORTS_MAX: usize = 100;
/// Most pages of a list of unfinished uploads; one has up to 1000.
const UPLOAD_PAGES_MAX: usize = 100;

impl S3Blobs {
    /// Sends bytes in parts, one after the other.
    pub(super) async fn put_in_parts(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        let mut upload = None;
        let sent = self.in_time("write", self.send_in_parts(key, bytes, &mut upload)).await;
        if let (Err(_), Some(upload)) = (&sent, &upload) {
            // In vain if the storage is down; then the upload is aborted when it is old.
            match tokio::time::timeout(self.patience.answer, self.abort(key, upload)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "cannot abort an upload in parts"),
                Err(_) => tracing::warn!("cannot abort an upload in parts in time"),
            }
        }
        sent
    }

    /// Begins an upload, sends its parts and completes it; the upload's id is told as soon as there is one.
    async fn send_in_parts(
        &self,
        key: &str,
        bytes: Bytes,
        told: &mut Option<String>,
    ) -> Result<(), BlobError> {
        let (client, bucket) = (&self.client, &self.location.bucket);
        let created =
            client.create_multipart_upload().bucket(bucket).key(key).content_type("application/wasm");
        let created = created.send().await.map_err(|error| self.failed("write", error))?;
        let Some(upload) = created.upload_id else {
            let reason = "it gave an upload no id".to_owned();
            return Err(BlobError::Unavailable { storage: self.storage(), action: "write", reason });
        };
        *told = Some(upload.clone());
        self.send_parts(key, &upload, bytes).await
    }

    async fn send_parts(&self, key: &str, upload: &str, mut bytes: Bytes) -> Result<(), BlobError> {
        let (client, bucket) = (&self.client, &self.location.bucket);
        let mut parts = Vec::new();
        let mut number = 1;
        while !bytes.is_empty() {
            let part = bytes.split_to(bytes.len().min(PART_BYTES));
            let request = client.upload_part().bucket(bucket).key(key).upload_id(upload).part_number(number);
            let sent = request.body(ByteStream::from(part)).send().await;
            let sent = sent.map_err(|error| self.failed("write", error))?;
            parts.push(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build());
            number += 1;
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = client.complete_multipart_upload().bucket(bucket).key(key).upload_id(upload);
        let completed = request.multipart_upload(parts).send().await;
        completed.map(drop).map_err(|error| self.failed("write", error))
    }

    async fn abort(&self, key: &str, upload: &str) -> Result<(), BlobError> {
        let request = self.client.abort_multipart_upload().bucket(&self.location.bucket);
        match request.key(key).upload_id(upload).send().await {
            Ok(_) => Ok(()),
            // Completed or aborted meanwhile.
            Err(SdkError::ServiceError(answer)) if answer.err().code() == Some("NoSuchUpload") => Ok(()),
            Err(error) => Err(self.failed("abort an upload", error)),
        }
    }

    /// Aborts our uploads that began longer ago, a bounded number; how many.
    pub(super) async fn abort_uploads(&self, older_than: Duration) -> Result<u64, BlobError> {
        let mut aborted = 0;
        for (key, upload) in self.old_uploads(older_than).await? {
            self.abort(&key, &upload).await?;
            aborted += 1;
        }
        Ok(aborted)
    }

    /// Keys and ids of our uploads that began longer ago, [`ABORTS_MAX`] at most.
    async fn old_uploads(&self, older_than: Duration) -> Result<Vec<(String, String)>, BlobError> {
        const ACTION: &str = "list uploads";
        let mut places = Places::new(ACTION, UPLOAD_PAGES_MAX);
        let mut old = Vec::new();
        let (mut key_marker, mut id_marker) = (None, None);
        loop {
            let request = self.client.list_multipart_uploads().bucket(&self.location.bucket);
            let request = request.prefix(&self.location.prefix).set_key_marker(key_marker);
            let page = request.set_upload_id_marker(id_marker).send().await;
            let page = page.map_err(|error| self.failed(ACTION, error))?;
            for upload in page.uploads() {
                let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
                if self.digest(key).is_some() && age(upload.initiated()) > older_than {
                    old.push((key.to_owned(), id.to_owned()));
                }
                if old.len() >= ABORTS_MAX {
                    return Ok(old);
                }
            }
            if !page.is_truncated().unwrap_or_default() {
                return Ok(old);
            }
            (key_marker, id_marker) = (page.next_key_marker, page.next_upload_id_marker);
            let place = [&key_marker, &id_marker].map(|marker| marker.as_deref().unwrap_or_default());
            places.go_on(self, place.join("\n").trim())?;
        }
    }
}
