//! `--policy FILE`: a handler's policy, as JSON or as a policy file of Olin.

use std::io::Read as _;
use std::path::Path;

use wasmcloud_policy::{POLICY_FILE_BYTES_MAX, SettingError};
use wasmcloud_wire::Policy;

use crate::exit::Exit;
use crate::failure::Failure;

/// Reads a policy and checks its rules; whether its limits are within the server's is the server's to say.
pub fn read(file: &Path) -> Result<Policy, Failure> {
    let name = file.display();
    let problem = |message: String, hint: &str| Failure::new(Exit::Failure, "invalid_policy", message, hint);
    let unreadable = |error: std::io::Error| {
        Failure::new(Exit::Failure, "file", format!("cannot read {name}: {error}"), "check the path")
    };
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    // One byte more than the limit is enough to see that the limit is passed.
    opened.take(POLICY_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
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
    wasmcloud_policy::check_rules(policy).map_err(|error: SettingError| (error.to_string(), error.hint()))
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
}
