//! Signing in at a provider of OpenID Connect: there, back, and a name for who is new.

use askama::Template;
use http::{Method, StatusCode};
use wasmcloud_wire::body::{
    BeginOidc, FinishOidc, OidcBegun, OidcFinished, Provider, RegisterOidc, SessionGrant, SignIn,
};

use super::{hand_over, sign_in};
use crate::api::{Refused, path};
use crate::format::visible;
use crate::request::{FLOW_COOKIE, Form, Request, cookie};
use crate::response::{Response, form_status, page, set_cookie};
use crate::router::said;
use crate::shell::{Shell, Visitor, encoded};

/// How long somebody may take at the provider, in seconds: as long as the API keeps the flow.
const FLOW_SECONDS: i64 = 600;
/// How a provider says that it signs nobody in, and what we say then: RFC 6749, 4.1.2.1. Of its address nothing else is
/// shown: whoever made a link to it could have the page say anything.
const ERRORS: [(&str, &str); 7] = [
    ("access_denied", "you, or the provider, did not allow it"),
    ("temporarily_unavailable", "it is too busy just now"),
    ("server_error", "something went wrong there"),
    ("invalid_request", "it does not understand what this server asks; tell whoever operates this server"),
    ("unauthorized_client", "this server may not ask it; tell whoever operates this server"),
    ("unsupported_response_type", "it does not sign in like this; tell whoever operates this server"),
    ("invalid_scope", "it does not know what it is asked for; tell whoever operates this server"),
];
/// Longest way back that is kept in the cookie, in bytes of its encoded form.
const NEXT_BYTES_MAX: usize = 1_000;

#[derive(Template)]
#[template(path = "choose_name.html")]
struct ChooseName<'a> {
    shell: Shell,
    provider: &'a str,
    /// What people call the provider.
    title: &'a str,
    asks_invitation: bool,
    ticket: &'a str,
    label: &'a str,
    next: &'a str,
    username: &'a str,
    invitation: &'a str,
    error: Option<Refused>,
}

/// To the provider: to sign in, or for `link` to let the identity there be the user's own here.
pub(crate) async fn begin(
    visitor: &Visitor,
    name: &str,
    next: &str,
    link: bool,
) -> Result<Response, Refused> {
    let begin = BeginOidc { link };
    let begun: OidcBegun = visitor.api.send(Method::POST, &path(&["oidc", name, "begin"]), &begin).await?;
    let is_web = url::Url::parse(&begun.url).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
    if !is_web {
        return Err(said(
            StatusCode::BAD_GATEWAY,
            "unreadable",
            "the provider's address is none of the web",
            "tell whoever operates this server",
        ));
    }
    let mut response = hand_over::page(visitor, &title_of(&ways(visitor).await?, name), &begun.url);
    let next = Some(encoded(next)).filter(|next| next.len() <= NEXT_BYTES_MAX).unwrap_or_default();
    let kept = format!("{}.{}.{next}", encoded(&begun.flow), encoded(&state_of(&begun.url)));
    set_cookie(&mut response, FLOW_COOKIE, &kept, Some(FLOW_SECONDS));
    Ok(response)
}

/// Back from the provider.
pub(crate) async fn callback(request: &Request, visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    // A link that somebody made up neither says anything nor ends a sign-in that goes on.
    let Some(flow) = Flow::of(request) else { return Ok(visitor.refused(&no_flow())) };
    let mut response = match finished(request, visitor, name, flow).await {
        Ok(response) => response,
        Err(refused) => visitor.refused(&not_again(refused)),
    };
    set_cookie(&mut response, FLOW_COOKIE, "", Some(0));
    Ok(response)
}

/// What the browser that began a sign-in keeps of it.
struct Flow {
    secret: String,
    state: String,
    next: String,
}

impl Flow {
    /// The one that a request comes back to: the browser has begun it, and the request has its state.
    fn of(request: &Request) -> Option<Flow> {
        let kept = cookie(&request.headers, FLOW_COOKIE)?;
        let mut parts = kept.splitn(3, '.').map(decoded);
        let flow = Flow { secret: parts.next()?, state: parts.next()?, next: parts.next()? };
        // It is compared where it guards something as well: at the API.
        (request.query("state") == Some(flow.state.as_str())).then_some(flow)
    }
}

async fn finished(request: &Request, visitor: &Visitor, name: &str, flow: Flow) -> Result<Response, Refused> {
    if let Some(error) = request.query("error") {
        let known = ERRORS.iter().find(|(code, _)| *code == error);
        return Err(refused_there(known.map_or("it gave a reason that is none of OAuth's", |(_, why)| *why)));
    }
    let Some(code) = request.query("code") else {
        return Err(refused_there("it sent neither a code nor an error"));
    };
    let Flow { secret, state, next } = flow;
    let finish = FinishOidc {
        flow: secret,
        provider: name.to_owned(),
        iss: request.query("iss").map(str::to_owned),
        state,
        code: code.to_owned(),
    };
    match visitor.api.send(Method::POST, "/api/v1/oidc/finish", &finish).await? {
        OidcFinished::SignedIn { session } => Ok(sign_in::signed_in(visitor, &session, &next).await),
        OidcFinished::Linked { identity } => {
            // It is linked, whether or not the provider's title can be told.
            let ways = ways(visitor).await.ok();
            let title =
                ways.map_or_else(|| identity.provider.clone(), |ways| title_of(&ways, &identity.provider));
            let sentence =
                format!("You are {} at {title} now, and can sign in with it.", visible(&identity.label));
            Ok(visitor.done("/account/identities", &sentence))
        }
        OidcFinished::NewUser { ticket, suggested, label } => {
            let username = suggested.map(|name| name.to_string()).unwrap_or_default();
            let form =
                NameForm { ticket: &ticket, label: &label, next: &next, username: &username, invitation: "" };
            form.page(visitor, name, None).await
        }
    }
}

/// A name was chosen.
pub(crate) async fn register(visitor: &Visitor, name: &str, form: &Form) -> Result<Response, Refused> {
    let newcomer = RegisterOidc {
        ticket: form.get("ticket").to_owned(),
        username: form.get("username").trim().to_owned(),
        invitation: form.given("invitation").map(str::to_owned),
    };
    match visitor.api.send::<SessionGrant>(Method::POST, "/api/v1/oidc/register", &newcomer).await {
        Ok(session) => Ok(sign_in::signed_in(visitor, &session, form.get("next")).await),
        Err(refused) => {
            let form = NameForm {
                ticket: &newcomer.ticket,
                label: form.get("label"),
                next: form.get("next"),
                username: &newcomer.username,
                invitation: form.get("invitation"),
            };
            form.page(visitor, name, Some(refused)).await
        }
    }
}

/// What the form for a name holds.
struct NameForm<'a> {
    ticket: &'a str,
    label: &'a str,
    next: &'a str,
    username: &'a str,
    invitation: &'a str,
}

impl NameForm<'_> {
    async fn page(&self, visitor: &Visitor, name: &str, error: Option<Refused>) -> Result<Response, Refused> {
        let ways = ways(visitor).await?;
        let title = title_of(&ways, name);
        let template = ChooseName {
            shell: visitor.shell("Choose a name"),
            provider: name,
            title: &title,
            asks_invitation: ways.registration == "invitation",
            ticket: self.ticket,
            label: self.label,
            next: self.next,
            username: self.username,
            invitation: self.invitation,
            error,
        };
        Ok(page(form_status(template.error.as_ref()), &template))
    }
}

async fn ways(visitor: &Visitor) -> Result<SignIn, Refused> {
    visitor.api.get("/api/v1/sign-in").await
}

/// What people call a provider.
fn title_of(ways: &SignIn, name: &str) -> String {
    let known: Option<&Provider> = ways.providers.iter().find(|provider| provider.name == name);
    known.map_or_else(|| name.to_owned(), |provider| provider.title.clone())
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// An error of a sign-in as one that the page shows, where a 401 would lead to the sign-in without a word.
fn not_again(refused: Refused) -> Refused {
    match refused.status {
        StatusCode::UNAUTHORIZED => Refused { status: StatusCode::FORBIDDEN, ..refused },
        _ => refused,
    }
}

/// `state` of the address at a provider.
fn state_of(url: &str) -> String {
    let url = url::Url::parse(url).ok();
    let state = url.as_ref().and_then(|url| url.query_pairs().find(|(name, _)| name == "state"));
    state.map_or_else(String::new, |(_, state)| state.into_owned())
}

fn refused_there(why: &str) -> Refused {
    let message = format!("the provider did not sign you in: {why}");
    said(StatusCode::FORBIDDEN, "refused_by_provider", &message, "sign in again, or in another way")
}

fn no_flow() -> Refused {
    said(
        StatusCode::BAD_REQUEST,
        "flow_unknown",
        "this sign-in was begun in another browser, more than ten minutes ago, or is done already",
        "sign in again",
    )
}
