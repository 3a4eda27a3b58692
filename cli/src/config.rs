//! `~/.wasmc.json`: the client's own settings, and the token of the server that it is logged in at.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::exit::Exit;
use crate::failure::Failure;

/// Largest settings file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A text that never shows itself in `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text to itself.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for where it has to go.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What the file says.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The server that is asked, and the only one that gets the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_server: Option<String>,
    /// The token that this server gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// Whose token it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// What other versions of this program wrote; kept as it is.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("api_server", &self.api_server)
            .field("token", &self.token)
            .field("username", &self.username)
            .field("other", &self.other.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// Where the settings are.
#[derive(Clone, Debug)]
pub struct SettingsFile {
    path: PathBuf,
}

impl SettingsFile {
    /// The named file, or `.wasmc.json` in the user's home.
    pub fn locate(named: Option<&Path>) -> Result<SettingsFile, Failure> {
        if let Some(path) = named {
            return Ok(SettingsFile { path: path.to_owned() });
        }
        match std::env::home_dir().filter(|home| !home.as_os_str().is_empty()) {
            Some(home) => Ok(SettingsFile { path: home.join(".wasmc.json") }),
            None => Err(Failure::usage(
                "this user has no home, so there is no place for ~/.wasmc.json",
                "name the file: --config FILE",
            )),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file; one that does not exist says nothing.
    pub fn load(&self) -> Result<Settings, Failure> {
        let bytes = match read_bounded(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Settings::default()),
            Err(error) => return Err(self.problem("cannot read", &error)),
        };
        // The error's own text could quote a token: only its place is told.
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::new(
                Exit::Failure,
                "config",
                format!(
                    "{} is no valid settings file (line {}, column {})",
                    self.path.display(),
                    error.line(),
                    error.column()
                ),
                "correct it, or delete it and log in again",
            )
        })
    }

    /// Writes the file as a whole: readable by its owner only, and never half-written.
    pub fn save(&self, settings: &Settings) -> Result<(), Failure> {
        let mut text = serde_json::to_vec_pretty(settings)
            .map_err(|error| self.problem("cannot write", &std::io::Error::other(error)))?;
        text.push(b'\n');
        self.replace(&text).map_err(|error| self.problem("cannot write", &error))
    }

    /// Whether other users of this machine can read the file.
    pub fn is_open_to_others(&self) -> bool {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
    }

    fn replace(&self, text: &[u8]) -> std::io::Result<()> {
        // A link stays a link: what it points to is replaced.
        let target = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let folder =
            target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Temporary files are made with mode 0600, which the renamed file keeps.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text)?;
        file.as_file().sync_all()?;
        file.persist(&target).map_err(|error| error.error)?;
        Ok(())
    }

    fn problem(&self, what: &str, error: &std::io::Error) -> Failure {
        Failure::new(
            Exit::Failure,
            "config",
            format!("{what} {}: {error}", self.path.display()),
            "name another file with --config FILE",
        )
    }
}

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!("it is larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file_in(folder: &tempfile::TempDir) -> SettingsFile {
        SettingsFile { path: folder.path().join("settings.json") }
    }

    fn message(failure: Failure) -> String {
        match failure {
            Failure::Problem(problem) => problem.message,
            other => panic!("no problem: {other:?}"),
        }
    }

    #[test]
    fn a_file_that_is_not_there_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(file_in(&folder).load().unwrap(), Settings::default());
    }

    #[test]
    fn a_saved_file_is_its_owners_alone_even_if_it_was_open_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = file_in(&folder);
        std::fs::write(file.path(), "{}").unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(file.is_open_to_others());
        file.save(&Settings { token: Some(Secret::new("t")), ..Settings::default() }).unwrap();
        assert_eq!(std::fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!file.is_open_to_others());
    }

    #[test]
    fn unknown_fields_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = file_in(&folder);
        std::fs::write(file.path(), r#"{"token":"t","theme":{"dark":true}}"#).unwrap();
        let mut settings = file.load().unwrap();
        settings.token = None;
        file.save(&settings).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.contains("dark") && !text.contains("token"), "{text}");
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target.json");
        std::fs::write(&target, "{}").unwrap();
        let file = file_in(&folder);
        std::os::unix::fs::symlink(&target, file.path()).unwrap();
        file.save(&Settings { username: Some("ada".to_owned()), ..Settings::default() }).unwrap();
        assert!(std::fs::symlink_metadata(file.path()).unwrap().is_symlink());
        assert!(std::fs::read_to_string(&target).unwrap().contains("ada"));
    }

    #[test]
    fn a_broken_file_is_named_without_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = file_in(&folder);
        std::fs::write(file.path(), r#"["hunter2", {"token": "hunter2"#).unwrap();
        let text = message(file.load().unwrap_err());
        assert!(text.contains("settings.json") && text.contains("line 1"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let mut settings = Settings { token: Some(Secret::new("hunter2")), ..Settings::default() };
        settings.other.insert("password".to_owned(), Value::String("hunter2".to_owned()));
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
