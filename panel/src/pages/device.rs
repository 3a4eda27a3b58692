//! Approving that a program, the command line say, gets a token.

use askama::Template;
use http::{Method, StatusCode};
use wasmcloud_wire::body::{LoginDecided, LoginDecision, PendingLogin};

use super::hand_over;
use crate::api::{Refused, path};
use crate::request::{Form, Request};
use crate::response::{Response, form_status, page};
use crate::router::{not_found, said};
use crate::shell::{Shell, Visitor};

/// The one place outside of the panel that an approval leads to: a program on the browser's own machine (RFC 8252, 7.3).
const LOOPBACK: &str = "http://127.0.0.1:";

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage<'a> {
    shell: Shell,
    code: &'a str,
    login: Option<PendingLogin>,
    error: Option<Refused>,
}

#[derive(Template)]
#[template(path = "device_done.html")]
struct DonePage {
    shell: Shell,
}

/// The code to type in, or who asks for what.
pub(crate) async fn show(request: &Request, rest: &[&str], visitor: &Visitor) -> Result<Response, Refused> {
    visitor.known()?;
    match rest {
        [] => {}
        ["done"] => return Ok(page(StatusCode::OK, &DonePage { shell: visitor.shell("Done") })),
        _ => return Err(not_found()),
    }
    let code = request.query("code").unwrap_or_default().trim().to_uppercase();
    if code.is_empty() {
        return Ok(form_page(visitor, "", None, None));
    }
    match visitor.api.get(&path(&["logins", &code])).await {
        Ok(login) => Ok(form_page(visitor, &code, Some(login), None)),
        Err(refused) => Ok(form_page(visitor, &code, None, Some(refused))),
    }
}

/// The decision.
pub(crate) async fn send(visitor: &Visitor, form: &Form) -> Result<Response, Refused> {
    visitor.known()?;
    let code = form.get("code");
    let approve = form.get("decision") == "approve";
    let to_decide = path(&["logins", code, "decision"]);
    match visitor.api.send(Method::POST, &to_decide, &LoginDecision { approve }).await {
        Ok(LoginDecided { redirect: Some(to) }) if to.starts_with(LOOPBACK) => {
            Ok(hand_over::page(visitor, "the program on your machine", &to))
        }
        Ok(LoginDecided { redirect: Some(_) }) => Err(said(
            StatusCode::BAD_GATEWAY,
            "not_loopback",
            "the program wants the browser at an address that is not this machine's",
            "begin again, with `wasmcloud login`",
        )),
        Ok(LoginDecided { redirect: None }) => Ok(visitor.done(
            "/device/done",
            if approve {
                "Approved: the program has its token."
            } else {
                "Denied: the program gets nothing."
            },
        )),
        Err(refused) => Ok(form_page(visitor, code, None, Some(refused))),
    }
}

fn form_page(visitor: &Visitor, code: &str, login: Option<PendingLogin>, error: Option<Refused>) -> Response {
    let status = form_status(error.as_ref());
    page(status, &DevicePage { shell: visitor.shell("Sign a program in"), code, login, error })
}
