//! What a handler is besides its program: switches, what is recorded, whose it is, and its end.

use askama::Template;
use http::Method;
use wasmcloud_wire::RecordingPolicy;
use wasmcloud_wire::body::{Handler, HandlerPatch, Team, Transfer};

use super::{Frame, invalid, tab_path};
use crate::api::{Refused, path};
use crate::request::Form;
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "handlers/settings.html")]
struct SettingsPage {
    shell: Shell,
    frame: Frame,
    recording: Option<RecordingPolicy>,
    /// Who it could be given to.
    accounts: Vec<String>,
    form: Form,
}

impl SettingsPage {
    /// A field of the recording form: what was filled in, or what is.
    fn recorded(&self, name: &str) -> String {
        if self.form.get("do") == "recording" {
            return self.form.get(name).to_owned();
        }
        let usual = RecordingPolicy::default();
        let recording = self.recording.as_ref().unwrap_or(&usual);
        match name {
            "methods" => recording.methods.join(", "),
            "redact" => recording.redact.join(", "),
            _ => recording.keep.to_string(),
        }
    }
}

#[derive(Template)]
#[template(path = "handlers/delete.html")]
struct DeletePage {
    shell: Shell,
    frame: Frame,
    typed: String,
}

/// The forms.
pub(super) async fn show(visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    whole(visitor, Frame::of(visitor, name, "settings").await?, &Form::default()).await
}

async fn whole(visitor: &Visitor, frame: Frame, form: &Form) -> Result<Response, Refused> {
    let recording = visitor.api.get(&path(&["handlers", frame.name(), "recording"])).await?;
    let accounts = if frame.can_own() { accounts(visitor, &frame).await } else { Vec::new() };
    let (shell, status) = (visitor.shell(&format!("{}: settings", frame.name())), frame.status());
    Ok(page(status, &SettingsPage { shell, frame, recording, accounts, form: form.clone() }))
}

/// The teams of the person, and the person, without whoever has it now.
async fn accounts(visitor: &Visitor, frame: &Frame) -> Vec<String> {
    // Without them there is nothing to choose from, and everything else on the page.
    let teams = visitor.api.get::<Vec<Team>>("/api/v1/teams").await.unwrap_or_default();
    let me = visitor.user.iter().map(|user| user.name.as_str().to_owned());
    let joined = teams.into_iter().filter(|team| team.role.is_some());
    let names = me.chain(joined.map(|team| team.name.as_str().to_owned()));
    let owner = frame.handler.owner.as_ref().map(|owner| owner.as_str().to_owned());
    names.filter(|name| Some(name) != owner.as_ref()).collect()
}

/// Changes what one of the forms is about.
pub(super) async fn send(visitor: &Visitor, name: &str, form: &Form) -> Result<Response, Refused> {
    match change(visitor, name, form).await {
        Ok(sentence) => Ok(visitor.done(&tab_path(name, "settings"), &sentence)),
        Err(refused) => {
            whole(visitor, Frame::of(visitor, name, "settings").await?.failed(refused)?, form).await
        }
    }
}

async fn change(visitor: &Visitor, name: &str, form: &Form) -> Result<String, Refused> {
    let patch = match form.get("do") {
        "switches" => HandlerPatch {
            forward_authorization: Some(form.ticked("forward_authorization")),
            auto_rollback: Some(form.ticked("auto_rollback")),
            recording: None,
        },
        "recording" => HandlerPatch { recording: Some(Some(recording(form)?)), ..HandlerPatch::default() },
        "recording-off" => HandlerPatch { recording: Some(None), ..HandlerPatch::default() },
        "transfer" => {
            let to = form.given("to").map(str::to_owned);
            let to = to.ok_or_else(|| invalid("it is not said to whom", "choose one of the list"))?;
            let path = path(&["handlers", name, "transfer"]);
            let _: Handler = visitor.api.send(Method::POST, &path, &Transfer { to: to.clone() }).await?;
            return Ok(format!("{name} is {to}’s now."));
        }
        _ => return Err(invalid("it is not said what to change", "use one of the buttons")),
    };
    let _: Handler = visitor.api.send(Method::PATCH, &path(&["handlers", name]), &patch).await?;
    Ok(match form.get("do") {
        "recording" => "What is recorded is changed.".to_owned(),
        "recording-off" => "Nothing is recorded any more, and what was recorded is deleted.".to_owned(),
        _ => "The settings are changed.".to_owned(),
    })
}

fn recording(form: &Form) -> Result<RecordingPolicy, Refused> {
    let list = |name: &str| {
        let words = form.get(name).split([',', ' ', '\n', '\r']).map(str::trim);
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let keep = form.get("keep").trim();
    let keep = keep.parse().map_err(|_| {
        invalid(&format!("`{keep}` is no number of invocations to keep"), "write a whole number such as 100")
    })?;
    let methods = list("methods").into_iter().map(|method| method.to_ascii_uppercase()).collect();
    let redact = list("redact").into_iter().map(|field| field.to_ascii_lowercase()).collect();
    Ok(RecordingPolicy { methods, redact, keep })
}

/// The page where the name is typed.
pub(super) async fn show_delete(visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    delete_page(visitor, Frame::of(visitor, name, "settings").await?, String::new())
}

fn delete_page(visitor: &Visitor, frame: Frame, typed: String) -> Result<Response, Refused> {
    let (shell, status) = (visitor.shell(&format!("Delete {}", frame.name())), frame.status());
    Ok(page(status, &DeletePage { shell, frame, typed }))
}

/// Deletes the handler whose name was typed.
pub(super) async fn delete(visitor: &Visitor, name: &str, form: &Form) -> Result<Response, Refused> {
    let typed = form.get("name").trim();
    let done = match typed == name {
        true => visitor.api.act(Method::DELETE, &path(&["handlers", name])).await,
        false => Err(invalid(
            &format!("`{typed}` is not the name of this handler"),
            &format!("type `{name}` to delete it for good"),
        )),
    };
    match done {
        Ok(()) => Ok(visitor.done("/handlers", &format!("{name} is deleted."))),
        Err(refused) => {
            let frame = Frame::of(visitor, name, "settings").await?.failed(refused)?;
            delete_page(visitor, frame, typed.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_read_from_lists() {
        let form = |keep: &str| Form {
            fields: [("methods", "get, POST"), ("redact", "X-Api-Key\r\nx-b"), ("keep", keep)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            files: Vec::new(),
        };
        let read = recording(&form(" 20 ")).unwrap();
        assert_eq!(read.methods, ["GET", "POST"]);
        assert_eq!(read.redact, ["x-api-key", "x-b"]);
        assert_eq!(read.keep, 20);
        assert!(recording(&form("many")).unwrap_err().error.message.contains("`many`"));
    }
}
