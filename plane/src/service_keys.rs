//! The keys of the service tokens that are live: one to sign with, both to verify with.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderValue, Method};

use crate::service_token::{ServiceToken, ServiceTokenError};
use crate::signature::{Key, Statement};
use crate::verifier::now_ms;

/// Tokens that may be live at once: a new one and its predecessor.
pub const LIVE_TOKENS_MAX: usize = 2;
/// How often the file is looked at, if there is anything to sign or to verify.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How soon it is looked at again when a signature is refused.
const LOOK_AFTER_REFUSAL: Duration = Duration::from_millis(100);
/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 10;

/// The live service tokens of this process, as their file has them: the first signs, all verify. The file is
/// read again while the process runs, so that tokens are changed without a restart; a file that cannot be used
/// changes nothing.
#[derive(Clone, Debug)]
pub struct ServiceKeys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    keys: Arc<[Key]>,
    looked_at: Instant,
    /// Why the file could not be used when it was last looked at; it has been logged.
    trouble: Option<String>,
}

impl ServiceKeys {
    /// The tokens of a file, one a line; white space around them and empty lines are no part of them.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or it has no token, a bad one, or more than [`LIVE_TOKENS_MAX`].
    pub fn from_file(path: &Path) -> Result<ServiceKeys, ServiceTokenError> {
        let keys = ServiceKeys::new(Some(path.to_owned()), read(path)?);
        if let Some(warning) = seen_by_others(path) {
            tracing::warn!("{warning}");
        }
        Ok(keys)
    }

    fn new(file: Option<PathBuf>, keys: Arc<[Key]>) -> ServiceKeys {
        let state = Mutex::new(State { keys, looked_at: Instant::now(), trouble: None });
        ServiceKeys(Arc::new(Inner { file, state }))
    }

    /// The keys as they are now, the one that signs first.
    pub(crate) fn now(&self) -> Arc<[Key]> {
        self.looked(LOOK_EVERY)
    }

    /// The keys as they are now that a signature was refused, which may be news.
    pub(crate) fn after_refusal(&self) -> Arc<[Key]> {
        self.looked(LOOK_AFTER_REFUSAL)
    }

    /// The `Authorization` field of a request that is signed now, by the first token: for `audience`, over its
    /// method, path with query and body. `None` if the system has no randomness.
    pub fn sign(&self, audience: &str, method: &Method, target: &str, body: &[u8]) -> Option<HeaderValue> {
        let statement = Statement::now(audience, now_ms(), body);
        let statement =
            statement.inspect_err(|error| tracing::error!(%error, "no randomness for a nonce")).ok()?;
        Some(statement.sign(self.now().first()?, method.as_str(), target))
    }

    fn looked(&self, every: Duration) -> Arc<[Key]> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &self.0.file
            && state.looked_at.elapsed() >= every
        {
            state.look(file);
        }
        Arc::clone(&state.keys)
    }
}

impl From<ServiceToken> for ServiceKeys {
    /// One token, which never changes.
    fn from(token: ServiceToken) -> ServiceKeys {
        ServiceKeys::new(None, Arc::from([Key::of(&token)]))
    }
}

impl State {
    fn look(&mut self, file: &Path) {
        self.looked_at = Instant::now();
        match read(file) {
            Ok(keys) => {
                if keys != self.keys {
                    tracing::info!(path = %file.display(), live = keys.len(), "service tokens have changed");
                    self.keys = keys;
                }
                self.trouble = None;
            }
            Err(error) => {
                let trouble = error.to_string();
                if self.trouble.as_ref() != Some(&trouble) {
                    tracing::error!(
                        error = trouble,
                        "the service token file cannot be used; going on with the tokens before"
                    );
                }
                self.trouble = Some(trouble);
            }
        }
    }
}

/// What to say of a file that every user of this machine may read. A group may be the operator's own.
#[cfg(unix)]
fn seen_by_others(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;

    const READ_BY_OTHERS: u32 = 0o004;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    (mode & READ_BY_OTHERS != 0).then(|| {
        let path = path.display();
        format!("every user of this machine may read the service token in {path}: chmod 600 {path}")
    })
}

#[cfg(not(unix))]
fn seen_by_others(_: &Path) -> Option<String> {
    None
}

fn read(path: &Path) -> Result<Arc<[Key]>, ServiceTokenError> {
    let mut text = String::new();
    let file = std::fs::File::open(path);
    file.and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
        .map_err(|source| ServiceTokenError::File { path: path.to_owned(), source })?;
    let tokens = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let tokens = tokens.map(str::parse).collect::<Result<Vec<ServiceToken>, _>>()?;
    if tokens.is_empty() || tokens.len() > LIVE_TOKENS_MAX {
        return Err(ServiceTokenError::Count(tokens.len()));
    }
    Ok(tokens.iter().map(Key::of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(letter: &str) -> Key {
        Key::of(&letter.repeat(32).parse().unwrap())
    }

    /// Looks as if the time to look again had come.
    fn look(keys: &ServiceKeys) -> Vec<Key> {
        keys.looked(Duration::ZERO).to_vec()
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_everybody_may_read_is_told_of() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "a".repeat(32)).unwrap();
        let told = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            seen_by_others(&path)
        };
        assert!(told(0o644).unwrap().contains("chmod 600"));
        assert_eq!([told(0o600), told(0o640)], [None, None]);
    }

    #[test]
    fn a_file_has_one_token_or_two_and_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let write = |lines: &[&str]| std::fs::write(&path, lines.join("\n")).unwrap();
        let (a, b) = ("a".repeat(32), "b".repeat(32));
        write(&[&a]);
        let keys = ServiceKeys::from_file(&path).unwrap();
        assert_eq!(keys.now().to_vec(), [key("a")]);
        write(&[&format!("  {b}\r"), "", &a, ""]);
        assert_eq!(look(&keys), [key("b"), key("a")]);
        write(&[&b]);
        assert_eq!(look(&keys), [key("b")]);
    }

    #[test]
    fn a_file_that_cannot_be_used_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "a".repeat(32)).unwrap();
        let keys = ServiceKeys::from_file(&path).unwrap();
        let many = ["a", "b", "c"].map(|letter| letter.repeat(32)).join("\n");
        for bad in ["", "short", "with a space, and long enough to be a token", many.as_str()] {
            std::fs::write(&path, bad).unwrap();
            assert!(ServiceKeys::from_file(&path).is_err(), "{bad}");
            assert_eq!(look(&keys), [key("a")], "{bad}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(look(&keys), [key("a")]);
        assert!(!format!("{keys:?}").contains("aaaa"));
    }
}
