//! Programs that speak CGI, the same for every kind: one behaviour is written once and asked of all.
//!
//! The body of a program (`start`) has these functions, whatever its kind:
//! `$put` and `$err` write (address, bytes), `$push` lets what was written go, `$take` reads (address, bytes) and
//! gives 0 at the end, `$wait` sleeps (milliseconds), `$end` exits (status). It has the locals `$i` and `$n`, its
//! data lies at 1024, and the first 256 bytes of its memory are not its own.

use crate::wasm::{escaped, fixture, imports, wat};

/// How a program talks to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Olin's functions, on wasmer.
    Olin,
    /// WASI 0.1, on wasmtime.
    Wasi,
    /// A component that exports `wasi:cli/run`, on wasmtime.
    Component,
    /// A component that exports `wasi:http/incoming-handler`, on wasmtime. It speaks no CGI and gives no answer:
    /// of the functions below it has `$wait` alone.
    Http,
}

/// Those that speak CGI.
pub const KINDS: [Kind; 3] = [Kind::Olin, Kind::Wasi, Kind::Component];
/// Those that speak CGI and run on wasmtime.
pub const WASI_KINDS: [Kind; 2] = [Kind::Wasi, Kind::Component];
/// All, for what ends a program before it has answered.
pub const ALL_KINDS: [Kind; 4] = [Kind::Olin, Kind::Wasi, Kind::Component, Kind::Http];

/// The parts of a program in the text format.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// Pages of its memory, and at most how many.
    pub memory: &'a str,
    /// What lies at 1024.
    pub data: &'a str,
    /// Functions, globals and tables of its own.
    pub items: &'a str,
    /// The body of its entry.
    pub start: &'a str,
}

impl Default for Parts<'_> {
    fn default() -> Self {
        Parts { memory: "1", data: "", items: "", start: "" }
    }
}

impl Kind {
    pub fn of(self, parts: Parts<'_>) -> Vec<u8> {
        let template = match self {
            Kind::Olin => include_str!("olin.wat"),
            Kind::Wasi => include_str!("wasi.wat"),
            Kind::Component => include_str!("component.wat"),
            Kind::Http => include_str!("http.wat"),
        };
        let text = template
            .replace("{imports}", &imports("cwa"))
            .replace("{memory}", parts.memory)
            .replace("{items}", parts.items)
            .replace("{start}", parts.start)
            .replace("{data}", &escaped(parts.data));
        wat(&text)
    }

    /// A program of one page with this data and this body.
    pub fn program(self, data: &str, start: &str) -> Vec<u8> {
        self.of(Parts { data, start, ..Parts::default() })
    }

    /// A program that writes this and ends.
    pub fn prints(self, output: &str) -> Vec<u8> {
        self.prints_then(output, "")
    }

    /// A program that writes this in one piece, then does something else.
    pub fn prints_then(self, output: &str, then: &str) -> Vec<u8> {
        let put = format!("(call $put (i32.const 1024) (i32.const {}))", output.len());
        self.program(output, &format!("{put} {then}"))
    }

    /// A program that answers with the request's body.
    pub fn echoes(self) -> Vec<u8> {
        let header = "Content-Type: application/octet-stream\n\n";
        let then = "(loop $more
            (local.set $n (call $take (i32.const 4096) (i32.const 16384)))
            (if (local.get $n) (then (call $put (i32.const 4096) (local.get $n)) (br $more))))";
        self.prints_then(header, then)
    }

    /// A program that answers with its environment, `NAME=value` a line. That of Olin asks for each name that
    /// CGI has; the others are given all that there are.
    pub fn shows_environment(self) -> Vec<u8> {
        let header = "Content-Type: text/plain\n\n=\n";
        let start = match self {
            Kind::Olin => return fixture("env"),
            Kind::Wasi => {
                "(call $no_error (call $environ_sizes_get (i32.const 0) (i32.const 4)))
                 (local.set $n (i32.load (i32.const 4)))
                 (call $no_error (call $environ_get (i32.const 32768) (i32.const 34816)))
                 (loop $more
                   (if (i32.eqz (i32.load8_u offset=34816 (local.get $i)))
                     (then (i32.store8 offset=34816 (local.get $i) (i32.const 10))))
                   (local.set $i (i32.add (local.get $i) (i32.const 1)))
                   (br_if $more (i32.lt_u (local.get $i) (local.get $n))))
                 (call $put (i32.const 1024) (i32.const 26))
                 (call $put (i32.const 34816) (local.get $n))"
            }
            Kind::Component => {
                "(call $put (i32.const 1024) (i32.const 26))
                 (call $get_environment (i32.const 64))
                 (local.set $n (i32.load (i32.const 64)))
                 (local.set $i (i32.load (i32.const 68)))
                 (loop $more
                   (call $put (i32.load (local.get $n)) (i32.load offset=4 (local.get $n)))
                   (call $put (i32.const 1050) (i32.const 1))
                   (call $put (i32.load offset=8 (local.get $n)) (i32.load offset=12 (local.get $n)))
                   (call $put (i32.const 1051) (i32.const 1))
                   (local.set $n (i32.add (local.get $n) (i32.const 16)))
                   (local.set $i (i32.sub (local.get $i) (i32.const 1)))
                   (br_if $more (local.get $i)))"
            }
            Kind::Http => panic!("it has no CGI variables"),
        };
        self.program(header, start)
    }

    /// The status that a receipt has of a program that ends with this one: of a component there is only
    /// success and failure.
    pub fn status(self, status: i32) -> i32 {
        if self == Kind::Component { i32::from(status != 0) } else { status }
    }

    /// What receipts count writing to the standard output under.
    pub fn write_call(self) -> &'static str {
        match self {
            Kind::Olin => "resource_write",
            Kind::Wasi => "fd_write",
            Kind::Component | Kind::Http => "wasi:io/streams",
        }
    }

    /// A handler's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Olin => "olin",
            Kind::Wasi => "wasi",
            Kind::Component => "component",
            Kind::Http => "http",
        }
    }
}
