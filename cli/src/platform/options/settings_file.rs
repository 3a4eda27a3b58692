//! Reading `server.toml`.

use std::io;
use std::path::Path;

use super::File;
use crate::failure::Failure;
use crate::platform::failed;

/// Reads a settings file.
pub(super) fn read(path: &Path) -> Result<File, Failure> {
    let hint = "correct the settings file; docs/OPERATING.md lists every key";
    let text = std::fs::read_to_string(path).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => "check the path that --settings (WASMCLOUD_SETTINGS) names",
            io::ErrorKind::PermissionDenied => "make it readable for the server's user",
            _ => hint,
        };
        failed("settings", format!("cannot read {}: {error}", path.display()), hint)
    })?;
    let mut file: File = toml::from_str(&text)
        .map_err(|error| failed("settings", format!("{}{}", path.display(), told(&text, &error)), hint))?;
    // Paths inside a file are relative to the file.
    let base = path.parent().unwrap_or(Path::new("."));
    for path in [
        &mut file.api.tls_cert,
        &mut file.api.tls_key,
        &mut file.api.settings_key_file,
        &mut file.api.jwt_key_file,
        &mut file.edge.tls_cert,
        &mut file.edge.tls_key,
        &mut file.internal.tls_cert,
        &mut file.internal.tls_key,
        &mut file.plane.service_token_file,
        &mut file.plane.ca_file,
        &mut file.egress.ca_file,
        &mut file.storage.storage_key_file,
        &mut file.storage.storage_ca,
    ] {
        *path = path.take().map(|path| base.join(path));
    }
    for provider in &mut file.oidc {
        provider.client_secret_file = provider.client_secret_file.take().map(|path| base.join(path));
    }
    Ok(file)
}

/// Where a settings file is wrong, and why. The line itself is not shown: a password may be in it.
fn told(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim_end();
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return format!(": {message}");
    };
    let (start, number) = (before.rfind('\n').map_or(0, |end| end + 1), before.matches('\n').count() + 1);
    let column = before.get(start..).map_or(1, |line| line.chars().count() + 1);
    let place = format!(", line {number}, column {column}");
    // Only where the text is TOML does what stands before a `=` have to be a key.
    let key =
        text.get(start..).and_then(|rest| rest.lines().next()?.split_once('=')).map(|(key, _)| key.trim());
    let bare = |key: &&str| {
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    match key.filter(bare).filter(|_| text.parse::<toml::Table>().is_ok()) {
        Some(key) => format!("{place}, `{key}`: {message}"),
        None => format!("{place}: {message}"),
    }
}
