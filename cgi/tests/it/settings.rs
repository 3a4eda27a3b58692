//! Item 9: a handler's own settings beside the variables that are CGI's.

use std::collections::BTreeMap;

use wasmcloud_cgi::{Context, EnvError, Variables, check_env};
use wasmcloud_wire::InvocationId;
use wasmcloud_wire::limits::{ENV_BYTES_MAX, ENV_ENTRIES_MAX, ENV_ENTRY_BYTES_MAX};

use crate::variables::request;

fn env<const N: usize>(entries: [(&str, &str); N]) -> BTreeMap<String, String> {
    entries.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

const RESERVED: [&str; 12] = [
    "REQUEST_METHOD",
    "PATH_INFO",
    "PATH_TRANSLATED",
    "CONTENT_LENGTH",
    "HTTPS",
    "REMOTE_USER",
    "RUN_ID",
    "WORKER_ID",
    "HTTP_PROXY",
    "HTTP_X_ANY",
    "http_proxy",
    "Server_Name",
];

#[test]
fn item_09_settings_reach_the_program_but_never_override_a_cgi_variable() {
    let mut settings = env([("GREETING", "hi = ho\n"), ("lower", "")]);
    settings.extend(RESERVED.map(|name| (name.to_owned(), "forged".to_owned())));
    settings.extend(env([("A=B", "forged"), ("", "forged"), ("N", "forged\0"), ("1X", "forged")]));
    let run_id = InvocationId::new();
    let context = Context { env: &settings, forward_authorization: false, run_id, worker_id: "worker-7" };
    let variables = Variables::new(&request(), None, &context).unwrap();
    assert_eq!(variables.get("GREETING"), Some(&b"hi = ho\n"[..]));
    assert_eq!(variables.get("lower"), Some(&b""[..]));
    assert_eq!(variables.get("RUN_ID"), Some(run_id.to_string().as_bytes()));
    assert_eq!(variables.get("WORKER_ID"), Some(&b"worker-7"[..]));
    let forged: Vec<_> = variables.iter().filter(|(_, value)| value.starts_with(b"forged")).collect();
    assert!(forged.is_empty(), "{forged:?}");
}

#[test]
fn item_09_reserved_names_are_refused_when_they_are_set() {
    for name in RESERVED {
        let error = check_env(&env([(name, "x")])).unwrap_err();
        assert_eq!(error, EnvError::Reserved { name: name.to_owned() });
        assert!(error.to_string().contains(name), "{error}");
    }
    assert_eq!(check_env(&env([("DATABASE_URL", "x"), ("HTTPX", "y"), ("_a1", "")])), Ok(()));
}

#[test]
fn item_09_names_that_are_no_names_are_refused() {
    for name in ["", "1A", "A B", "A=B", "A-B", "É", "A\0"] {
        let error = check_env(&env([(name, "x")])).unwrap_err();
        assert!(matches!(error, EnvError::Name { .. }), "{name:?}: {error}");
    }
    assert!(matches!(check_env(&env([("A", "x\0y")])), Err(EnvError::Nul { .. })));
    let error = check_env(&env([("Debug", "x"), ("DEBUG", "y"), ("E", "")])).unwrap_err().to_string();
    assert!(error.contains("`Debug`") && error.contains("`DEBUG`"), "{error}");
}

#[test]
fn item_09_settings_have_limits_and_the_message_names_them() {
    let entries = |count: usize, bytes: usize| -> BTreeMap<String, String> {
        (0..count).map(|number| (format!("N{number:03}"), "x".repeat(bytes - 4))).collect()
    };
    for (fits, exceeds, max) in [
        (entries(ENV_ENTRIES_MAX, 4), entries(ENV_ENTRIES_MAX + 1, 4), ENV_ENTRIES_MAX),
        (entries(1, ENV_ENTRY_BYTES_MAX), entries(1, ENV_ENTRY_BYTES_MAX + 1), ENV_ENTRY_BYTES_MAX),
        (entries(16, ENV_BYTES_MAX / 16), entries(16, ENV_BYTES_MAX / 16 + 1), ENV_BYTES_MAX),
    ] {
        assert_eq!(check_env(&fits), Ok(()));
        let error = check_env(&exceeds).unwrap_err().to_string();
        assert!(error.contains(&max.to_string()), "{error}");
    }
}
