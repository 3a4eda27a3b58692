//! Listing a bucket. How long a list is, and whether it ever ends, is up to the store: so pages and what they have
//! are counted, and a place in the list that comes a second time ends it.

use std::collections::HashSet;

use wasmcloud_wire::Digest;

use super::{S3Blobs, age};
use crate::{BlobError, Stored};

/// Most pages of a list of objects. One has up to 1000, so that a million modules can be listed.
const PAGES_MAX: usize = 1_000;
/// Most objects of a list, in case that pages have more than they should.
const OBJECTS_MAX: usize = 1_000_000;

/// Where a list goes on, page by page.
pub(super) struct Places {
    action: &'static str,
    pages_max: usize,
    /// Their digests, since a store may make them as long as it likes.
    seen: HashSet<Digest>,
}

impl Places {
    /// None yet, of a list with so many pages at most; `action` is for errors.
    pub(super) fn new(action: &'static str, pages_max: usize) -> Places {
        Places { action, pages_max, seen: HashSet::new() }
    }

    /// Takes note of where a list goes on; an error if it was there before, goes on nowhere, or has too many pages.
    pub(super) fn go_on(&mut self, blobs: &S3Blobs, place: &str) -> Result<(), BlobError> {
        if place.is_empty() || !self.seen.insert(Digest::of(place.as_bytes())) {
            return Err(blobs.unlistable(self.action, "its list goes on where it was before".to_owned()));
        }
        if self.seen.len() >= self.pages_max {
            let reason = format!("its list has more than {} pages", self.pages_max);
            return Err(blobs.unlistable(self.action, reason));
        }
        Ok(())
    }
}

impl S3Blobs {
    /// All objects of ours.
    pub(super) async fn list_objects(&self) -> Result<Vec<Stored>, BlobError> {
        let mut places = Places::new("list", PAGES_MAX);
        let (mut found, mut objects) = (Vec::new(), 0);
        let mut next: Option<String> = None;
        loop {
            let (bucket, prefix) = (&self.location.bucket, &self.location.prefix);
            let request = self.client.list_objects_v2().bucket(bucket).prefix(prefix);
            let page = request.set_continuation_token(next).send().await;
            let page = page.map_err(|error| self.failed("list", error))?;
            objects += page.contents().len();
            if objects > OBJECTS_MAX {
                return Err(self.unlistable("list", format!("it has more than {OBJECTS_MAX} objects")));
            }
            for object in page.contents() {
                let Some(digest) = object.key().and_then(|key| self.digest(key)) else { continue };
                let size_bytes = object.size().and_then(|size| size.try_into().ok()).unwrap_or_default();
                found.push(Stored { digest, size_bytes, age: age(object.last_modified()) });
            }
            if !page.is_truncated().unwrap_or_default() {
                return Ok(found);
            }
            let place = page.next_continuation_token.unwrap_or_default();
            places.go_on(self, &place)?;
            next = Some(place);
        }
    }

    /// What the store lists is no list.
    pub(super) fn unlistable(&self, action: &'static str, reason: String) -> BlobError {
        let reason = format!(
            "{reason}: check that --storage names a bucket, and a prefix, of this installation alone"
        );
        BlobError::Unavailable { storage: self.storage(), action, reason }
    }
}
