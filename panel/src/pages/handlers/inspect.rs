//! What a file is and asks for, before anything is kept of it.

use askama::Template;
use http::Method;
use wasmcloud_wire::{Digest, Inspection, Need};

use crate::api::Refused;
use crate::request::File;
use crate::shell::Visitor;

/// How a module is sent to the API.
pub(super) const MODULE: (&str, &str) = ("content-type", "application/wasm");
/// Most names of imports, and of files, that are listed.
const LISTED_MAX: usize = 200;

/// A file that was looked at.
#[derive(Template)]
#[template(path = "handlers/inspection.html")]
pub(super) struct Inspected {
    /// What the browser calls it.
    pub file_name: String,
    pub size_bytes: u64,
    pub digest: Digest,
    /// What it is, or why it cannot run here.
    pub found: Result<Inspection, Refused>,
}

/// Has a file looked at. Only what is wrong with the file itself is an answer about it; any other error is not.
pub(super) async fn inspect(visitor: &Visitor, file: &File) -> Result<Inspected, Refused> {
    let found = visitor.api.upload(Method::POST, "/api/v1/inspect", &[MODULE], file.bytes.clone()).await;
    let found = match found {
        Err(refused) if !is_about_the_file(&refused) => return Err(refused),
        found => found,
    };
    Ok(Inspected {
        file_name: file.file_name.clone(),
        size_bytes: file.bytes.len() as u64,
        digest: Digest::of(&file.bytes),
        found,
    })
}

fn is_about_the_file(refused: &Refused) -> bool {
    refused.error.code == "not_wasm" || refused.status == http::StatusCode::UNPROCESSABLE_ENTITY
}

/// Imports of one module, by name.
struct Imports {
    module: String,
    names: Vec<String>,
}

impl Inspected {
    /// What it imports, in the order of its modules' first appearance.
    fn imports(&self) -> Vec<Imports> {
        let mut found: Vec<Imports> = Vec::new();
        let Ok(inspection) = &self.found else { return found };
        for import in inspection.imports.iter().take(LISTED_MAX) {
            match found.iter_mut().find(|one| one.module == import.module) {
                Some(one) => one.names.push(import.name.clone()),
                None => {
                    found.push(Imports { module: import.module.clone(), names: vec![import.name.clone()] })
                }
            }
        }
        found
    }

    /// How many imports or files there are beyond those that are listed.
    fn left_out(count: usize) -> usize {
        count.saturating_sub(LISTED_MAX)
    }

    fn needs(inspection: &Inspection) -> Vec<&Need> {
        inspection.needs.env.iter().chain(&inspection.needs.config).collect()
    }
}
