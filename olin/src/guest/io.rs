//! The standard streams. For a program that serves HTTP they are the request's body, the answer, and the log.

use super::resource::Resource;
use super::sys;

/// The standard input. Each call may open it anew; what was read is not read again.
pub fn stdin() -> Resource {
    Resource::from_id(sys::io_get_stdin())
}

/// The standard output. It is not buffered: wrap it in a [`BufWriter`](std::io::BufWriter) for many small writes.
pub fn stdout() -> Resource {
    Resource::from_id(sys::io_get_stdout())
}

/// The standard error: each line of it becomes a line of the log.
pub fn stderr() -> Resource {
    Resource::from_id(sys::io_get_stderr())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::testing::Host;

    #[test]
    fn every_id_of_a_stream_shares_its_position() {
        let host = Host::new().stdin("earl grey");
        stdin().read_exact(&mut [0; 5]).unwrap();
        let mut rest = String::new();
        stdin().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "grey");
        stdout().write_all(b"hot").unwrap();
        stdout().write_all(b"ter").unwrap();
        writeln!(stderr(), "ouch").unwrap();
        assert_eq!((host.stdout(), host.stderr()), (b"hotter".to_vec(), b"ouch\n".to_vec()));
    }

    #[test]
    fn streams_go_one_way() {
        let _host = Host::new();
        assert!(stdin().write(b"x").is_err());
        assert!(stdout().read(&mut [0]).is_err());
    }
}
