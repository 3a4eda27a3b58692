//! `wasmcloud password`

use serde_json::json;
use wasmcloud_wire::body::ChangePassword;

use super::register;
use crate::config::Secret;
use crate::failure::Failure;
use crate::prompt;
use crate::session::Session;

/// The arguments of `password`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Read the password so far and the new one from standard input, a line each
    #[arg(long)]
    password_stdin: bool,
    /// Revoke all your tokens but the one that is in use here
    #[arg(long)]
    revoke_tokens: bool,
}

/// Changes the user's password. Sessions in browsers end.
pub async fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let client = session.client()?;
    let (old, new) = if args.password_stdin { both_from_stdin()? } else { ask()? };
    register::check(&new)?;
    let change = ChangePassword {
        old: Some(old.reveal().to_owned()),
        new: new.reveal().to_owned(),
        revoke_tokens: args.revoke_tokens,
    };
    client.change_password(&change).await?;
    if session.output.json {
        return session.output.document(&json!({ "changed": true, "revoked_tokens": args.revoke_tokens }));
    }
    let tokens = if args.revoke_tokens { "other tokens have ended" } else { "tokens go on" };
    session.output.note(&format!("the password is changed; sessions in browsers have ended, {tokens}"));
    Ok(())
}

fn both_from_stdin() -> Result<(Secret, Secret), Failure> {
    let both = prompt::secret_from_stdin("passwords")?;
    let text = both.reveal();
    let (old, new) = text.split_once('\n').ok_or_else(|| {
        Failure::usage(
            "standard input holds one line",
            "give the password so far, and the new one on a second line",
        )
    })?;
    Ok((Secret::new(old.strip_suffix('\r').unwrap_or(old)), Secret::new(new)))
}

fn ask() -> Result<(Secret, Secret), Failure> {
    if !prompt::is_possible() {
        return Err(Failure::usage(
            "nobody can be asked for a password: this is no terminal",
            "pipe both in with --password-stdin, the password so far on the first line",
        ));
    }
    let old = prompt::password("Password so far: ")?;
    Ok((old, register::ask_twice("New password")?))
}
