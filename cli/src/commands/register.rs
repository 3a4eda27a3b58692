//! `wasmcloud register`

use wasmcloud_wire::body::RegisterRequest;

use super::login;
use crate::client::Client;
use crate::config::Secret;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::prompt;
use crate::session::Session;

/// Shortest password, in bytes.
const PASSWORD_BYTES_MIN: usize = 10;
/// Longest password, in bytes.
const PASSWORD_BYTES_MAX: usize = 256;

/// The arguments of `register`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name that you want; asked for if it is not given
    username: Option<String>,
    /// The code of an invitation, where the server asks for one
    #[arg(long, value_name = "CODE")]
    invitation: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

/// Makes a user, and logs in.
pub async fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let place = session.place()?;
    login::warn_if_exposed(session, &place);
    let client = Client::new(place.server.clone(), None)?;
    // Asked first, so that nobody thinks up a password in vain.
    let registration = client.server_info().await?.registration;
    if registration == "off" {
        return Err(Failure::new(
            Exit::Refused,
            "registration_off",
            format!("{} lets nobody register", place.server),
            "ask whoever operates it for a user",
        ));
    }
    if registration == "invitation" && args.invitation.is_none() {
        return Err(Failure::new(
            Exit::Refused,
            "invitation_needed",
            format!("{} lets only those register who are invited", place.server),
            "ask whoever operates it for an invitation, then: `wasmcloud register --invitation CODE`",
        ));
    }
    let username = match args.username {
        Some(username) => username,
        None => login::ask_name(&place).await?,
    };
    let password =
        if args.password_stdin { prompt::secret_from_stdin("password")? } else { ask_twice("Password")? };
    check(&password)?;
    let request =
        RegisterRequest { username, password: password.reveal().to_owned(), invitation: args.invitation };
    let grant = client.register(&request).await?;
    login::keep(session, place, Secret::new(grant.token), &grant.user, Some(grant.expires_at))
}

/// Asks for a password that is to be, twice. `what` it is called.
pub fn ask_twice(what: &str) -> Result<Secret, Failure> {
    if !prompt::is_possible() {
        return Err(Failure::usage(
            "nobody can be asked for a password: this is no terminal",
            "pipe it in with --password-stdin",
        ));
    }
    let password = prompt::password(&format!("{what} ({PASSWORD_BYTES_MIN} characters or more): "))?;
    check(&password)?;
    if prompt::password("The same again: ")? != password {
        return Err(Failure::usage("the two passwords differ", "try again"));
    }
    Ok(password)
}

/// Whether a password can be one.
pub fn check(password: &Secret) -> Result<(), Failure> {
    let bytes = password.reveal().len();
    if (PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX).contains(&bytes) {
        return Ok(());
    }
    Err(Failure::usage(
        format!("the password has {bytes} bytes; it needs {PASSWORD_BYTES_MIN} to {PASSWORD_BYTES_MAX}"),
        "choose another one",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_10_to_256_bytes() {
        for (bytes, good) in [(9, false), (10, true), (256, true), (257, false)] {
            assert_eq!(check(&Secret::new("x".repeat(bytes))).is_ok(), good, "{bytes}");
        }
    }
}
