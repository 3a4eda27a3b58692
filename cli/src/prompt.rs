//! Questions on the terminal, and secrets on standard input.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use crate::config::Secret;
use crate::exit::Exit;
use crate::failure::Failure;

/// Longest answer, password or token that is read.
const INPUT_BYTES_MAX: u64 = 16 << 10;

/// Whether there is somebody to ask.
pub fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a line; the question goes to standard error.
pub async fn line(question: &str) -> Result<String, Failure> {
    let _ = write!(io::stderr().lock(), "{question}");
    // On a thread of its own, so that Ctrl-C ends the program while it waits.
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().lock().take(INPUT_BYTES_MAX).read_line(&mut answer).map(|_| answer)
    });
    let answer = answer.await.map_err(io::Error::other).and_then(|answer| answer).map_err(unreadable)?;
    if answer.is_empty() {
        let _ = writeln!(io::stderr().lock());
        return Err(Failure::usage("the input ended before an answer", "run the command on a terminal"));
    }
    Ok(answer.trim().to_owned())
}

/// Asks for yes or no; everything but yes is no.
pub async fn confirm(question: &str) -> Result<bool, Failure> {
    let answer = line(&format!("{question} [y/N] ")).await?;
    Ok(matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}

/// Asks for a password without echo.
///
/// This blocks the thread on purpose: on Ctrl-C `rpassword` sends the signal to this process and
/// then puts the terminal back as it was, which has to happen before the process ends.
pub fn password(question: &str) -> Result<Secret, Failure> {
    match rpassword::prompt_password(question) {
        Ok(password) => Ok(Secret::new(password)),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(Failure::Interrupted),
        Err(error) => Err(Failure::new(
            Exit::Failure,
            "terminal",
            format!("cannot read a password from the terminal: {error}"),
            "pass it on standard input: --password-stdin",
        )),
    }
}

/// Reads a secret from standard input, without the line end that `echo` adds.
pub fn secret_from_stdin(what: &str) -> Result<Secret, Failure> {
    let mut text = String::new();
    io::stdin().lock().take(INPUT_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(Failure::usage(format!("standard input holds no {what}"), format!("pipe the {what} in")));
    }
    Ok(Secret::new(secret))
}

fn unreadable(error: io::Error) -> Failure {
    Failure::new(Exit::Failure, "input", format!("cannot read standard input: {error}"), "")
}
