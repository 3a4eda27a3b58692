//! A handler's versions: which is live, which could be, and the next one.

use askama::Template;
use http::{Method, StatusCode};
use wasmcloud_wire::body::{Promote, Promoted, Version};
use wasmcloud_wire::{CompareRequest, Comparison, VersionNumber};

use super::upload::{self, Upload};
use super::{Frame, by_script, invalid};
use crate::api::{Refused, path, path_with};
use crate::request::{Form, Request};
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "handlers/versions.html")]
struct VersionsPage {
    shell: Shell,
    frame: Frame,
    versions: Vec<Version>,
    upload: Upload,
    comparison: Option<Comparison>,
    /// The form that was not taken.
    form: Form,
}

impl VersionsPage {
    /// The percentage that was filled in for this version.
    fn percent(&self, version: &Version) -> &str {
        let is_it = self.form.get("version") == version.number.to_string();
        if is_it { self.form.get("percent") } else { "" }
    }

    /// Whether the version can go: it is neither live, nor was so before, nor answers a part.
    fn is_needed(version: &Version) -> bool {
        version.live || version.previous || version.split_percent.is_some()
    }
}

/// The list, and the form for the next one.
pub(super) async fn show(visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    whole(visitor, Frame::of(visitor, name, "versions").await?, &Form::default(), None, None).await
}

async fn whole(
    visitor: &Visitor,
    frame: Frame,
    form: &Form,
    upload: Option<Upload>,
    comparison: Option<Comparison>,
) -> Result<Response, Refused> {
    let versions = visitor.api.get(&path(&["handlers", frame.name(), "versions"])).await?;
    let upload = upload.unwrap_or_else(|| blank(&frame).filled(form));
    let (shell, status) = (visitor.shell(&format!("{}: versions", frame.name())), frame.status());
    let form = form.clone();
    Ok(page(status, &VersionsPage { shell, frame, versions, upload, comparison, form }))
}

fn blank(frame: &Frame) -> Upload {
    Upload { action: frame.page("versions"), ..Upload::default() }
}

/// What the chosen file is, before anything is kept.
pub(super) async fn inspect(
    request: &Request,
    visitor: &Visitor,
    name: &str,
    form: &Form,
) -> Result<Response, Refused> {
    match upload::inspect(visitor, form).await {
        Ok(inspected) if by_script(request) => Ok(upload::inspection_part(&inspected)),
        Err(refused) if by_script(request) => Ok(upload::problem_part(&refused)),
        Ok(inspected) => {
            let frame = Frame::of(visitor, name, "versions").await?;
            let upload = Upload { inspected: Some(inspected), ..blank(&frame).filled(form) };
            whole(visitor, frame, form, Some(upload), None).await
        }
        Err(refused) => again(visitor, name, form, refused).await,
    }
}

/// Uploads, promotes, rolls back, deletes or compares.
pub(super) async fn send(
    request: &Request,
    visitor: &Visitor,
    name: &str,
    form: &Form,
) -> Result<Response, Refused> {
    let done = match form.get("do") {
        "promote" => promote(visitor, name, form).await,
        "rollback" => rollback(visitor, name).await,
        "delete" => delete(visitor, name, form).await,
        "compare" => return compare(visitor, name, form).await,
        _ => return next(request, visitor, name, form).await,
    };
    match done {
        Ok(sentence) => Ok(visitor.done(&super::tab_path(name, "versions"), &sentence)),
        Err(refused) => again(visitor, name, form, refused).await,
    }
}

async fn again(visitor: &Visitor, name: &str, form: &Form, refused: Refused) -> Result<Response, Refused> {
    let frame = Frame::of(visitor, name, "versions").await?.failed(refused)?;
    whole(visitor, frame, form, None, None).await
}

async fn next(request: &Request, visitor: &Visitor, name: &str, form: &Form) -> Result<Response, Refused> {
    let promote = if form.ticked("preview") { Some("false") } else { None };
    let path = path_with(&["handlers", name, "module"], &[("promote", promote)]);
    match upload::deploy(visitor, form, Method::PUT, &path).await {
        Ok(deployed) => {
            let number = deployed.version;
            let did = match &deployed.preview {
                Some(preview) => format!("Version {number} is there, and answers at {} alone.", preview.url),
                None => format!("Version {number} is live."),
            };
            let response =
                visitor.done(&super::tab_path(name, "versions"), &upload::sentence(&deployed, &did));
            Ok(if by_script(request) { upload::go_to(response) } else { response })
        }
        Err(refused) if by_script(request) => Ok(upload::problem_part(&refused)),
        Err(refused) => again(visitor, name, form, refused).await,
    }
}

/// The version that a form is about.
fn version(form: &Form) -> Result<VersionNumber, Refused> {
    let number = form.get("version").parse().map(VersionNumber);
    number.map_err(|_| invalid("it is not said which version", "choose one of the list"))
}

async fn promote(visitor: &Visitor, name: &str, form: &Form) -> Result<String, Refused> {
    let version = version(form)?;
    let percent = form.given("percent").map(|percent| {
        percent.parse::<u8>().ok().filter(|percent| *percent <= 100).ok_or_else(|| {
            invalid(
                &format!("`{percent}` is no part of the clients in percent"),
                "write a whole number from 0 to 100",
            )
        })
    });
    let asked = Promote { version, percent: percent.transpose()? };
    let promoted: Promoted =
        visitor.api.send(Method::POST, &path(&["handlers", name, "promote"]), &asked).await?;
    let did = match asked.percent {
        Some(0) => format!("Version {version} answers no part of the clients any more."),
        Some(percent @ 1..=99) => format!("Version {version} answers {percent} % of the clients."),
        _ => format!("Version {version} is live."),
    };
    Ok(with_warnings(did, &promoted))
}

async fn rollback(visitor: &Visitor, name: &str) -> Result<String, Refused> {
    let path = path(&["handlers", name, "rollback"]);
    let promoted: Promoted = visitor.api.upload(Method::POST, &path, &[], bytes::Bytes::new()).await?;
    let did = match &promoted.ended {
        Some(split) => format!("Version {} answers no part of the clients any more.", split.version),
        None => format!("Version {} is live again.", promoted.handler.live),
    };
    Ok(with_warnings(did, &promoted))
}

fn with_warnings(did: String, promoted: &Promoted) -> String {
    promoted.warnings.iter().fold(did, |said, warning| format!("{said} Note: {warning}"))
}

async fn delete(visitor: &Visitor, name: &str, form: &Form) -> Result<String, Refused> {
    let version = version(form)?;
    let path = path(&["handlers", name, "versions", &version.to_string()]);
    visitor.api.act(Method::DELETE, &path).await?;
    Ok(format!("Version {version} is gone."))
}

/// Has recorded requests answered by a version and by the live one.
async fn compare(visitor: &Visitor, name: &str, form: &Form) -> Result<Response, Refused> {
    let compared = async {
        let asked =
            CompareRequest { version: version(form)?, last: None, methods: Vec::new(), outbound: false };
        visitor.api.send(Method::POST, &path(&["handlers", name, "compare"]), &asked).await
    };
    match compared.await {
        Ok(comparison) => {
            let frame = Frame::of(visitor, name, "versions").await?;
            whole(visitor, frame, form, None, Some(comparison)).await
        }
        Err(refused) => again(visitor, name, form, refused).await,
    }
}

/// The status of a run, or that there was none.
fn status_of(status: &Option<u16>) -> String {
    status
        .and_then(|status| StatusCode::from_u16(status).ok())
        .map_or("none".to_owned(), |status| status.as_str().to_owned())
}
