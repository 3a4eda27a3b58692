//! The form that uploads a program: as a handler's first version, or as its next one.
//!
//! A script inspects the file in place and shows how far the upload is. Without it, the inspection is a page of its own;
//! a browser does not let a page keep the chosen file, so it is chosen again, and has to be the one that was inspected.

use askama::Template;
use http::{HeaderValue, Method, StatusCode, header};
use wasmcloud_listener::ResponseBody;
use wasmcloud_wire::Digest;
use wasmcloud_wire::body::Deployed;

use super::inspect::{self, Inspected, MODULE};
use super::invalid;
use crate::api::Refused;
use crate::request::{File, Form};
use crate::response::{Response, page};
use crate::shell::Visitor;

/// Where a script finds the address of the page that comes next.
const GO_TO: &str = "x-go-to";

/// The form as it was filled in.
#[derive(Default)]
pub(super) struct Upload {
    /// Where it is sent.
    pub action: String,
    /// Whether it makes a handler, which has a name.
    pub is_new: bool,
    pub name: String,
    /// The team that gets the handler.
    pub team: String,
    /// The teams that could.
    pub teams: Vec<String>,
    /// Whether the version is not to be made live.
    pub is_preview: bool,
    /// The file, if it was looked at.
    pub inspected: Option<Inspected>,
}

impl Upload {
    /// Takes over what was filled in.
    pub(super) fn filled(mut self, form: &Form) -> Upload {
        self.name = form.get("name").trim().to_owned();
        self.team = form.get("team").to_owned();
        self.is_preview = form.ticked("preview");
        self
    }
}

/// The file that was chosen.
pub(super) fn file(form: &Form) -> Result<&File, Refused> {
    let file = form.file("module").filter(|file| !file.bytes.is_empty());
    file.ok_or_else(|| invalid("no file was chosen, or it is empty", "choose a `.wasm` file"))
}

/// Has the chosen file looked at.
pub(super) async fn inspect(visitor: &Visitor, form: &Form) -> Result<Inspected, Refused> {
    inspect::inspect(visitor, file(form)?).await
}

/// Uploads the chosen file, unless another one was inspected.
pub(super) async fn deploy(
    visitor: &Visitor,
    form: &Form,
    method: Method,
    path: &str,
) -> Result<Deployed, Refused> {
    let file = file(form)?;
    let expected = form.get("inspected");
    if !expected.is_empty() && Digest::of(&file.bytes).to_string() != expected {
        return Err(invalid(
            "this is not the file that was inspected",
            "choose the same file again, or inspect this one",
        ));
    }
    visitor.api.upload(method, path, &[MODULE], file.bytes.clone()).await
}

/// What is said of an upload that was taken.
pub(super) fn sentence(deployed: &Deployed, did: &str) -> String {
    let mut sentence = did.to_owned();
    for warning in &deployed.warnings {
        sentence.push_str(" Note: ");
        sentence.push_str(warning);
    }
    sentence
}

#[derive(Template)]
#[template(path = "handlers/problem_part.html")]
struct ProblemPart<'a> {
    refused: &'a Refused,
}

/// An error for a script, which puts it at the form's top.
pub(super) fn problem_part(refused: &Refused) -> Response {
    let mut response = page(refused.status, &ProblemPart { refused });
    response.headers_mut().insert("x-part", HeaderValue::from_static("problem"));
    response
}

/// An inspection for a script.
pub(super) fn inspection_part(inspected: &Inspected) -> Response {
    let status = if inspected.found.is_ok() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let mut response = page(status, inspected);
    response.headers_mut().insert("x-part", HeaderValue::from_static("inspection"));
    response
}

/// A redirect for a script, which would follow it unseen and use up the sentence on the next page.
pub(super) fn go_to(mut response: Response) -> Response {
    if let Some(to) = response.headers_mut().remove(header::LOCATION) {
        response.headers_mut().insert(GO_TO, to);
        *response.status_mut() = StatusCode::OK;
        *response.body_mut() = ResponseBody::empty();
    }
    response
}
