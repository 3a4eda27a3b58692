//! `--policy POLICY`: a handler's policy, as JSON or as a policy file of Olin.

use std::io::Read as _;
use std::path::Path;

use wasmcloud_policy::{POLICY_FILE_BYTES_MAX, SettingError};
use wasmcloud_wire::{Limits, Policy};

use crate::exit::Exit;
use crate::failure::Failure;

/// Bytes of a file that are looked at: one more than a policy may have, to see that it has too many.
const BYTES_READ_MAX: u64 = POLICY_FILE_BYTES_MAX as u64 + 1;
/// Reads the policy that was given beside a program, if one was: see [`read`]. Only one of the two can come from
/// standard input.
pub fn beside(file: Option<&Path>, program: &Path) -> Result<Option<Policy>, Failure> {
    let stdin = Path::new("-");
    if file == Some(stdin) && program == stdin {
        return Err(Failure::usage(
            "the program and the policy cannot both come from standard input",
            "name a file for one of them",
        ));
    }
    file.map(read).transpose()
}

/// Whether a learned policy may be written to this file: a new or empty one, a policy in JSON, or no regular file
/// at all, such as a pipe. Anything else would be lost, the program itself above all.
pub fn check_replaceable(file: &Path, program: &Path) -> Result<(), Failure> {
    let refuse = |what: &str| {
        let message = format!("--learn={} would overwrite {what}", file.display());
        Err(Failure::usage(
            message,
            "name a new file, an empty one, or a policy in JSON, which may be replaced",
        ))
    };
    if file.canonicalize().is_ok_and(|file| program.canonicalize().is_ok_and(|program| file == program)) {
        return refuse("the program");
    }
    if !std::fs::metadata(file).is_ok_and(|metadata| metadata.is_file()) {
        return Ok(());
    }
    let mut text = String::new();
    let opened = std::fs::File::open(file);
    let whole = opened.and_then(|opened| opened.take(BYTES_READ_MAX).read_to_string(&mut text));
    let is_json = || text.trim_start().starts_with('{') && wasmcloud_policy::read(&text).is_ok();
    match whole {
        Ok(_) if text.trim().is_empty() || is_json() => Ok(()),
        _ => refuse("a file that is no policy in JSON"),
    }
}

/// Reads a policy, from standard input if the file is `-`, and checks its rules; whether its limits are within the server's is the server's to say.
pub fn read(file: &Path) -> Result<Policy, Failure> {
    let from_stdin = file == Path::new("-");
    let name = if from_stdin { "standard input".to_owned() } else { file.display().to_string() };
    let problem = |message: String, hint: &str| Failure::new(Exit::Failure, "invalid_policy", message, hint);
    let unreadable = |error: std::io::Error| {
        Failure::new(Exit::Failure, "file", format!("cannot read {name}: {error}"), "check the path")
    };
    let mut bytes = Vec::new();
    let done = match from_stdin {
        true => std::io::stdin().lock().take(BYTES_READ_MAX).read_to_end(&mut bytes),
        false => {
            std::fs::File::open(file).and_then(|opened| opened.take(BYTES_READ_MAX).read_to_end(&mut bytes))
        }
    };
    done.map_err(unreadable)?;
    if bytes.len() > POLICY_FILE_BYTES_MAX {
        let message = format!("{name} is larger than {POLICY_FILE_BYTES_MAX} bytes, which no policy is");
        return Err(problem(message, "name a policy: JSON, or a policy file of Olin"));
    }
    let text = String::from_utf8(bytes).map_err(|_| {
        problem(format!("{name} is no text"), "name a policy: JSON, or a policy file of Olin")
    })?;
    let policy = wasmcloud_policy::read(&text).map_err(|error| {
        problem(
            format!("{name}: {error}"),
            "correct it: JSON such as {\"allow\": [\"^https://example\\\\.com/\"], \"gas\": 1000000}, or a policy file of \
             Olin",
        )
    })?;
    check(&policy).map_err(|(message, hint)| problem(format!("{name}: {message}"), &hint))?;
    Ok(policy)
}

/// Checks rules that came as arguments.
pub fn check_rules(policy: &Policy) -> Result<(), Failure> {
    check(policy).map_err(|(message, hint)| Failure::new(Exit::Failure, "invalid_policy", message, hint))
}

fn check(policy: &Policy) -> Result<(), (String, String)> {
    // A server's own ceilings are not known here.
    let boundless = Limits { gas: u64::MAX, wall_ms: u64::MAX, memory_bytes: u64::MAX, ..Limits::default() };
    wasmcloud_policy::check(policy, &boundless)
        .map_err(|error: SettingError| (error.to_string(), error.hint()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_with_a_mistake_is_refused_with_the_file_and_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.policy");
        for (text, part) in [
            ("allow (\n  a b\n)", "mine.policy: line 2: one rule a line"),
            ("{\n  \"gass\": 1\n}", "mine.policy: line 2, column 8: unknown field `gass`"),
            ("{\"allow\": [\"(\"]}", "mine.policy: allow rule 1: `(`"),
            ("", "mine.policy: it is empty"),
            (
                "{\"memory_bytes\": 1000}",
                "mine.policy: the policy's memory_bytes is 1000; the least is 65536",
            ),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = read(&file).unwrap_err();
            assert!(error.to_string().contains(part), "{text:?}: {error}");
            assert_eq!(error.exit(), Exit::Failure);
        }
        std::fs::write(&file, vec![b'#'; POLICY_FILE_BYTES_MAX + 1]).unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("larger than 131072"));
        assert!(read(folder.path().join("none").as_ref()).unwrap_err().to_string().contains("cannot read"));
    }

    #[test]
    fn a_learned_policy_overwrites_nothing_but_a_policy_in_json() {
        let folder = tempfile::tempdir().unwrap();
        let (file, program) = (folder.path().join("file"), folder.path().join("program.wasm"));
        assert!(check_replaceable(&file, &program).is_ok());
        for (text, fine) in [
            ("", true),
            ("\n", true),
            ("{\"allow\": []}\n", true),
            ("{\"name\": \"not a policy\"}", false),
            ("allow https://example.com", false),
            ("dear diary", false),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(check_replaceable(&file, &program).is_ok(), fine, "{text:?}");
        }
        std::fs::write(&file, b"\0asm\x01\0\0\0\xff").unwrap();
        assert_eq!(check_replaceable(&file, &program).unwrap_err().exit(), Exit::Usage);
        std::fs::write(&program, "").unwrap();
        let same = folder.path().join("./program.wasm");
        assert!(
            check_replaceable(&same, &program).unwrap_err().to_string().contains("overwrite the program")
        );
    }
}
