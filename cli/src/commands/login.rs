//! `wasmcloud login`

use serde_json::json;
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::{LoginRequest, User};

use super::browser_login;
use crate::client::Client;
use crate::config::Secret;
use crate::failure::Failure;
use crate::prompt;
use crate::session::{Place, Session};
use crate::text::{one_line, time};

/// The arguments of `login`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Your name; asked for if it is not given
    username: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Log in with a token instead of a password; `-` reads it from standard input, where no list of
    /// processes shows it
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["username", "password_stdin"])]
    token: Option<String>,
    /// Log in with a browser on this machine, in whatever way you sign in there
    #[arg(long, conflicts_with_all = ["username", "password_stdin", "token"])]
    browser: bool,
    /// Log in with a browser on another machine, in which you type a code
    #[arg(long, conflicts_with_all = ["username", "password_stdin", "token", "browser"])]
    device: bool,
}

/// Logs in, and keeps the token.
pub async fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let place = session.place()?;
    warn_if_exposed(session, &place);
    if let Some(token) = args.token {
        let token = if token == "-" { prompt::secret_from_stdin("token")? } else { Secret::new(token) };
        let user = Client::new(place.server.clone(), Some(token.clone()))?.whoami().await?;
        return keep(session, place, token, &user, None);
    }
    if args.browser || args.device {
        let client = Client::new(place.server.clone(), None)?;
        let grant = match args.browser {
            true => browser_login::here(session, &client).await?,
            false => browser_login::elsewhere(session, &client).await?,
        };
        return keep(session, place, Secret::new(grant.token), &grant.user, Some(grant.expires_at));
    }
    let username = match args.username {
        Some(username) => username,
        None => ask_name(&place).await?,
    };
    let password = if args.password_stdin { prompt::secret_from_stdin("password")? } else { ask_password()? };
    let request = LoginRequest { username, password: password.reveal().to_owned() };
    let grant = Client::new(place.server.clone(), None)?.login(&request).await?;
    keep(session, place, Secret::new(grant.token), &grant.user, Some(grant.expires_at))
}

/// Asks for a name, offering the last one.
pub async fn ask_name(place: &Place) -> Result<String, Failure> {
    if !prompt::is_possible() {
        return Err(Failure::usage(
            "nobody can be asked for a name: this is no terminal",
            "name the user: `wasmcloud login NAME --password-stdin`",
        ));
    }
    match place.settings.username.as_deref() {
        Some(last) => {
            let name = prompt::line(&format!("Name at {} [{}]: ", place.server, one_line(last))).await?;
            Ok(if name.is_empty() { last.to_owned() } else { name })
        }
        None => prompt::line(&format!("Name at {}: ", place.server)).await,
    }
}

fn ask_password() -> Result<Secret, Failure> {
    if !prompt::is_possible() {
        return Err(Failure::usage(
            "nobody can be asked for a password: this is no terminal",
            "pipe it in with --password-stdin, or use --browser, --device or --token",
        ));
    }
    prompt::password("Password: ")
}

/// Says so when a secret is about to travel unencrypted.
pub fn warn_if_exposed(session: &Session, place: &Place) {
    if place.server.is_exposed() {
        session.output.warn(&format!(
            "{} is not encrypted: whoever is on the way can read the password and the token; use https",
            place.server
        ));
    }
}

/// Keeps a token with the server that gave it, in place of the last one.
pub fn keep(
    session: &Session,
    mut place: Place,
    token: Secret,
    user: &User,
    expires_at: Option<Timestamp>,
) -> Result<(), Failure> {
    place.settings.api_server = Some(place.server.to_string());
    place.settings.token = Some(token);
    place.settings.username = Some(user.name.to_string());
    place.file.save(&place.settings)?;
    if session.output.json {
        return session.output.document(&json!({
            "api_server": place.server.to_string(),
            "user": user,
            "expires_at": expires_at,
        }));
    }
    let until = expires_at.map_or_else(String::new, |at| format!(" until {}", time(at)));
    session.output.note(&format!("logged in at {} as {}{until}", place.server, user.name));
    Ok(())
}
