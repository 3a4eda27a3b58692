//! What the store says, sorted by what can be done about it.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::S3Blobs;
use crate::BlobError;

impl S3Blobs {
    /// Why a request was in vain.
    pub(super) fn failed<E>(&self, action: &'static str, error: SdkError<E, HttpResponse>) -> BlobError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let storage = self.storage();
        let SdkError::ServiceError(answer) = &error else {
            // Its text says whether it was the name, the connection, the certificate or the time.
            let reason = causes(&error);
            return BlobError::Unavailable { storage, action, reason };
        };
        let status = answer.raw().status().as_u16();
        let code = answer.err().code().unwrap_or("no reason given");
        let reason = match answer.err().message() {
            Some(message) => format!("{status} {code}: {message}"),
            None => format!("{status} {code}"),
        };
        match (status, code) {
            (404, _) => BlobError::NoBucket { storage },
            (301 | 307 | 400 | 401 | 403, _) => BlobError::Refused { storage, action, reason },
            (507, _) => BlobError::Full { path: storage.into() },
            _ => BlobError::Unavailable { storage, action, reason },
        }
    }

    /// The store took longer than a verb may take.
    pub(super) fn too_slow(&self, action: &'static str) -> BlobError {
        let reason = format!("it took longer than {} s", self.patience.verb.as_secs_f32());
        BlobError::Unavailable { storage: self.storage(), action, reason }
    }
}

/// An error with what caused it, and what caused that.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
