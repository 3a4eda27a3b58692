//! The program's environment: CGI variables, and the handler's own settings.

use super::sys;
use crate::abi::{Error, outcome};

/// Bytes of a value that are asked for at first; longer ones take a second call.
const VALUE_BYTES_USUAL: usize = 256;

/// The variable's value; `None` if it is not set. Bytes that are no UTF-8 are replaced: see [`get_bytes`].
pub fn get(name: &str) -> Option<String> {
    let bytes = get_bytes(name).ok()?;
    Some(
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

/// The variable's value as it is.
///
/// # Errors
/// [`Error::NotFound`] if it is not set.
pub fn get_bytes(name: &str) -> Result<Vec<u8>, Error> {
    // Most variables are short, and many are asked for in vain.
    let mut short = [0; VALUE_BYTES_USUAL];
    let length = outcome(sys::env_get(name.as_bytes(), &mut short))? as usize;
    if let Some(value) = short.get(..length) {
        return Ok(value.to_vec());
    }
    let mut value = vec![0; length];
    // The host writes a value whole or not at all.
    let written = outcome(sys::env_get(name.as_bytes(), &mut value))? as usize;
    if written != length {
        return Err(Error::Unknown);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn a_value_of_any_length_is_read() {
        let long = "x".repeat(3 * VALUE_BYTES_USUAL);
        let _host = Host::new().env("LONG", &long).env("EMPTY", "").env("ODD", b"caf\xe9");
        assert_eq!((get("LONG"), get("EMPTY")), (Some(long), Some(String::new())));
        assert_eq!(
            (get("ODD").as_deref(), get_bytes("ODD").unwrap()),
            (Some("caf\u{fffd}"), b"caf\xe9".to_vec())
        );
        assert_eq!((get("UNSET"), get_bytes("UNSET")), (None, Err(Error::NotFound)));
    }
}
