//! The program's arguments.

use super::sys;
use crate::abi::{Error, outcome};

/// Bytes of an argument that are asked for at first.
const ARG_BYTES_USUAL: usize = 256;
/// The longest argument that is read; the rest of a longer one is left out.
const ARG_BYTES_MAX: usize = 1 << 20;

/// The arguments; the first is the program's name. Bytes that are no UTF-8 are replaced.
///
/// # Errors
/// What the host says of an argument that it announced.
pub fn args() -> Result<Vec<String>, Error> {
    (0..sys::startup_arg_len()).map(arg).collect()
}

fn arg(index: i32) -> Result<String, Error> {
    let mut buffer = vec![0; ARG_BYTES_USUAL];
    loop {
        let length = outcome(sys::startup_arg_at(index, &mut buffer))? as usize;
        // The host writes what fits and says how much: a full buffer may have cut the argument.
        if length < buffer.len() || buffer.len() >= ARG_BYTES_MAX {
            buffer.truncate(length);
            return Ok(String::from_utf8_lossy(&buffer).into_owned());
        }
        buffer.resize(buffer.len() * 2, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn arguments_of_any_length_are_read() {
        let long = "x".repeat(3 * ARG_BYTES_USUAL);
        let exact = "y".repeat(ARG_BYTES_USUAL);
        let _host = Host::new().args(["teapot", &long, "", &exact]);
        assert_eq!(args().unwrap(), ["teapot", &long, "", &exact]);
        let _host = Host::new();
        assert_eq!(args().unwrap(), ["test"]);
    }
}
