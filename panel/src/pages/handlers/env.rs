//! A handler's settings: the variables of its program's environment. Secret values are never on a page.

use askama::Template;
use http::Method;
use wasmcloud_wire::{Env, NewSetting, Setting};

use super::{Frame, invalid, tab_path};
use crate::api::{Refused, path};
use crate::request::Form;
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "handlers/env.html")]
struct EnvPage {
    shell: Shell,
    frame: Frame,
    env: Env,
    /// The name that was filled in.
    key: String,
    /// The value that was filled in, unless it is a secret.
    value: String,
    is_secret: bool,
}

/// The list, and the form.
pub(super) async fn show(visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    whole(visitor, Frame::of(visitor, name, "env").await?, &Form::default()).await
}

async fn whole(visitor: &Visitor, frame: Frame, form: &Form) -> Result<Response, Refused> {
    let env = visitor.api.get(&path(&["handlers", frame.name(), "env"])).await?;
    let (shell, status) = (visitor.shell(&format!("{}: environment", frame.name())), frame.status());
    let is_secret = form.ticked("secret");
    let value = if is_secret { String::new() } else { form.get("value").to_owned() };
    Ok(page(status, &EnvPage { shell, frame, env, key: form.get("key").to_owned(), value, is_secret }))
}

/// Sets one, or removes one.
pub(super) async fn send(visitor: &Visitor, name: &str, form: &Form) -> Result<Response, Refused> {
    let done = match form.get("do") {
        "remove" => remove(visitor, name, form).await,
        _ => set(visitor, name, form).await,
    };
    match done {
        Ok(sentence) => Ok(visitor.done(&tab_path(name, "env"), &sentence)),
        Err(refused) => whole(visitor, Frame::of(visitor, name, "env").await?.failed(refused)?, form).await,
    }
}

async fn set(visitor: &Visitor, name: &str, form: &Form) -> Result<String, Refused> {
    let key = key(form)?;
    // Browsers send every line end of a text as two characters.
    let value = form.get("value").replace("\r\n", "\n");
    let new = NewSetting { value, secret: Some(form.ticked("secret")) };
    let set: Setting = visitor.api.send(Method::PUT, &path(&["handlers", name, "env", key]), &new).await?;
    let secret = if set.secret { ", and its value is not shown again" } else { "" };
    Ok(format!("{} is set{secret}.", set.name))
}

async fn remove(visitor: &Visitor, name: &str, form: &Form) -> Result<String, Refused> {
    let key = key(form)?;
    visitor.api.act(Method::DELETE, &path(&["handlers", name, "env", key])).await?;
    Ok(format!("{key} is removed."))
}

fn key(form: &Form) -> Result<&str, Refused> {
    form.given("key").ok_or_else(|| invalid("a setting needs a name", "write one such as `API_URL`"))
}
