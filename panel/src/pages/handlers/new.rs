//! A new handler: its name, whose it is, its program.

use askama::Template;
use http::{Method, StatusCode};
use wasmcloud_wire::body::{Role, Team};

use super::upload::{self, Upload};
use super::{by_script, tab_path};
use crate::api::{Refused, path_with};
use crate::request::{Form, Request};
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "handlers/new.html")]
struct NewPage {
    shell: Shell,
    upload: Upload,
    error: Option<Refused>,
}

/// The form.
pub(super) async fn show(visitor: &Visitor) -> Result<Response, Refused> {
    let upload = Upload { name: suggestion(), ..blank(visitor).await? };
    Ok(page(StatusCode::OK, &NewPage { shell: visitor.shell("New handler"), upload, error: None }))
}

/// What the chosen file is, before anything is kept.
pub(super) async fn inspect(request: &Request, visitor: &Visitor, form: &Form) -> Result<Response, Refused> {
    let inspected = upload::inspect(visitor, form).await;
    match inspected {
        Ok(inspected) if by_script(request) => Ok(upload::inspection_part(&inspected)),
        Err(refused) if by_script(request) => Ok(upload::problem_part(&refused)),
        Ok(inspected) => {
            let upload = Upload { inspected: Some(inspected), ..blank(visitor).await?.filled(form) };
            Ok(page(StatusCode::OK, &NewPage { shell: visitor.shell("New handler"), upload, error: None }))
        }
        Err(refused) => again(visitor, form, refused).await,
    }
}

/// Makes the handler.
pub(super) async fn send(request: &Request, visitor: &Visitor, form: &Form) -> Result<Response, Refused> {
    let team = Some(form.get("team")).filter(|team| !team.is_empty());
    let path = path_with(&["handlers"], &[("name", Some(form.get("name").trim())), ("team", team)]);
    match upload::deploy(visitor, form, Method::POST, &path).await {
        Ok(deployed) => {
            let handler = &deployed.handler;
            let did = format!("{} answers at {}.", handler.name, handler.url);
            let to = tab_path(handler.name.as_str(), "");
            let response = visitor.done(&to, &upload::sentence(&deployed, &did));
            Ok(if by_script(request) { upload::go_to(response) } else { response })
        }
        Err(refused) if by_script(request) => Ok(upload::problem_part(&refused)),
        Err(refused) => again(visitor, form, refused).await,
    }
}

async fn again(visitor: &Visitor, form: &Form, refused: Refused) -> Result<Response, Refused> {
    if refused.status == StatusCode::UNAUTHORIZED {
        return Err(refused);
    }
    let (status, upload) = (refused.status, blank(visitor).await?.filled(form));
    let error = Some(refused);
    Ok(page(status, &NewPage { shell: visitor.shell("New handler"), upload, error }))
}

async fn blank(visitor: &Visitor) -> Result<Upload, Refused> {
    // Without the teams, the handler can still be the person's own.
    let teams = match visitor.api.get::<Vec<Team>>("/api/v1/teams").await {
        Ok(teams) => teams,
        Err(refused) if refused.status == StatusCode::UNAUTHORIZED => return Err(refused),
        Err(_) => Vec::new(),
    };
    let teams = teams.into_iter().filter(|team| team.role >= Some(Role::Deployer));
    let teams = teams.map(|team| team.name.as_str().to_owned()).collect();
    Ok(Upload { action: "/handlers/new".to_owned(), is_new: true, teams, ..Upload::default() })
}

const COLOURS: [&str; 16] = [
    "amber", "azure", "coral", "cyan", "gold", "green", "indigo", "ivory", "jade", "lilac", "ochre", "olive",
    "pearl", "ruby", "silver", "teal",
];
const THINGS: [&str; 16] = [
    "anchor", "beacon", "bridge", "comet", "delta", "ember", "garden", "harbor", "island", "lantern",
    "meadow", "orbit", "pebble", "river", "summit", "willow",
];

/// A name that is likely to be free: a colour, a thing and four digits. Empty without randomness.
fn suggestion() -> String {
    let mut random = [0_u8; 4];
    if getrandom::fill(&mut random).is_err() {
        return String::new();
    }
    let [colour, thing, high, low] = random;
    let word = |words: &'static [&'static str; 16], at: u8| {
        words.get(usize::from(at % 16)).copied().unwrap_or("new")
    };
    let number = u16::from_be_bytes([high, low]) % 10_000;
    format!("{}-{}-{number:04}", word(&COLOURS, colour), word(&THINGS, thing))
}

#[cfg(test)]
mod tests {
    use wasmcloud_wire::HandlerName;

    use super::*;

    #[test]
    fn every_suggestion_is_a_name() {
        for _ in 0..100 {
            let name = suggestion();
            assert!(name.parse::<HandlerName>().is_ok(), "{name}");
        }
        assert_ne!(suggestion(), suggestion());
    }
}
