//! Tokens: what the command line, programs and pipelines sign in with.

use askama::Template;
use http::{Method, StatusCode};
use wasmcloud_wire::HandlerName;
use wasmcloud_wire::body::{NewToken, Scope, Token, TokenGrant};

use crate::api::{Refused, path};
use crate::request::Form;
use crate::response::{Response, form_status, page};
use crate::router::said;
use crate::shell::{Shell, Visitor};

/// What each scope is for, most first.
const SCOPES: [(Scope, &str); 4] = [
    (Scope::Admin, "All that you may do, with your account and your teams as well."),
    (Scope::Deploy, "Create, change and delete handlers and all that belongs to them; and read."),
    (Scope::Invoke, "Run handlers through the API, and replay recordings."),
    (Scope::Read, "See handlers, versions, logs and invocations."),
];

/// For how long a token can be had, in days.
const DAYS: [u32; 4] = [7, 30, 90, 365];

/// The last 12 characters of an id, which tell tokens apart: the audit log shows the same.
fn end_of(id: &uuid::Uuid) -> String {
    id.to_string().chars().skip(24).collect()
}

/// What is chosen where nothing was filled in yet.
const DAYS_DEFAULT: u32 = 90;

#[derive(Template)]
#[template(path = "account/tokens.html")]
struct TokensPage {
    shell: Shell,
    tokens: Vec<Token>,
    /// The token that was just made.
    made: Option<TokenGrant>,
    filled: Filled,
    error: Option<Refused>,
}

/// What the form holds.
struct Filled {
    label: String,
    days: u32,
    scopes: Vec<Scope>,
    handlers: String,
}

impl Default for Filled {
    fn default() -> Filled {
        let scopes = vec![Scope::Deploy, Scope::Invoke];
        Filled { label: String::new(), days: DAYS_DEFAULT, scopes, handlers: String::new() }
    }
}

impl Filled {
    fn of(form: &Form) -> Filled {
        Filled {
            label: form.get("label").trim().to_owned(),
            days: form.get("days").parse().unwrap_or(DAYS_DEFAULT),
            scopes: form.all("scope").iter().filter_map(|scope| scope.parse().ok()).collect(),
            handlers: form.get("handlers").trim().to_owned(),
        }
    }

    /// What the API is asked for.
    fn wanted(&self) -> Result<NewToken, Refused> {
        if self.scopes.is_empty() {
            let hint = "tick what the token is to be good for";
            return Err(wrong("scopes_missing", "a token with no scope can do nothing", hint));
        }
        let names = self.handlers.split([',', ' ', '\n', '\r', '\t']).filter(|name| !name.is_empty());
        let handlers = names.map(str::parse).collect::<Result<Vec<HandlerName>, _>>();
        let handlers = handlers.map_err(|error| {
            wrong(
                "invalid_name",
                &error.to_string(),
                "name handlers with commas between them, or none for all",
            )
        })?;
        Ok(NewToken {
            label: self.label.clone(),
            days: Some(self.days),
            scopes: Some(self.scopes.clone()),
            handlers: Some(handlers).filter(|handlers| !handlers.is_empty()),
        })
    }
}

/// All tokens, and the form for a new one.
pub(super) async fn show(visitor: &Visitor) -> Result<Response, Refused> {
    list(visitor, Filled::default(), None, None).await
}

/// Makes one. It is shown on the page that answers, and never again.
pub(super) async fn create(visitor: &Visitor, form: &Form) -> Result<Response, Refused> {
    let filled = Filled::of(form);
    let outcome = match filled.wanted() {
        Ok(wanted) => visitor.api.send(Method::POST, "/api/v1/tokens", &wanted).await,
        Err(refused) => Err(refused),
    };
    match outcome {
        Ok(made) => list(visitor, Filled::default(), Some(made), None).await,
        Err(refused) => list(visitor, filled, None, Some(refused)).await,
    }
}

/// Ends one.
pub(super) async fn revoke(visitor: &Visitor, id: &str) -> Result<Response, Refused> {
    match visitor.api.act(Method::DELETE, &path(&["tokens", id])).await {
        Ok(()) => Ok(visitor
            .done("/account/tokens", "The token is revoked: within 5 seconds nothing takes it any more.")),
        Err(refused) => list(visitor, Filled::default(), None, Some(refused)).await,
    }
}

async fn list(
    visitor: &Visitor,
    filled: Filled,
    made: Option<TokenGrant>,
    error: Option<Refused>,
) -> Result<Response, Refused> {
    let mut tokens: Vec<Token> = visitor.api.get("/api/v1/tokens").await?;
    tokens.sort_by_key(|token| std::cmp::Reverse(token.created_at));
    let status = form_status(error.as_ref());
    Ok(page(status, &TokensPage { shell: visitor.shell("Tokens"), tokens, made, filled, error }))
}

fn wrong(code: &str, message: &str, hint: &str) -> Refused {
    said(StatusCode::UNPROCESSABLE_ENTITY, code, message, hint)
}
