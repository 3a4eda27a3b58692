//! Components that answer HTTP with WASI 0.2, made on the spot: what one does is said in a few words.

use std::fmt::Write as _;

use crate::wasm::wat;

/// Where a program's texts begin.
const TEXTS: usize = 4_096;

/// A program that does one thing after the other.
#[derive(Default)]
pub struct Proxy {
    texts: Vec<u8>,
    code: String,
}

/// A program that does nothing yet.
pub fn proxy() -> Proxy {
    Proxy::default()
}

impl Proxy {
    /// Where a text lies and how long it is, as two arguments.
    pub fn text(&mut self, text: impl AsRef<[u8]>) -> String {
        let (at, text) = (TEXTS + self.texts.len(), text.as_ref());
        self.texts.extend_from_slice(text);
        format!("(i32.const {at}) (i32.const {})", text.len())
    }

    /// Writes four letters, a number of four digits, and the end of a line.
    pub fn number(mut self, label: &str, number: &str) -> Proxy {
        let at = TEXTS + self.texts.len();
        self.text(label);
        self.code(&format!("(call $number (i32.const {at}) {number})"))
    }

    /// Writes the text or list of bytes that the host has said at this address: where it lies, and its length.
    pub fn shows(self, at: u32) -> Proxy {
        self.code(&format!("(call $write (i32.load (i32.const {at})) (i32.load (i32.const {})))", at + 4))
    }

    /// Calls a function of `proxy.wat` with these texts after other arguments.
    pub fn call(mut self, function: &str, arguments: &str, texts: &[&str]) -> Proxy {
        let texts: Vec<String> = texts.iter().map(|text| self.text(text)).collect();
        self.code(&format!("(call ${function} {arguments} {})", texts.join(" ")))
    }

    /// Anything else.
    pub fn code(mut self, code: &str) -> Proxy {
        self.code.push_str(code);
        self.code.push('\n');
        self
    }

    /// Adds a field to the answer.
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Proxy {
        let (name, value) = (self.text(name), self.text(value));
        self.code(&format!("(call $field {name} {value})"))
    }

    /// Gives the answer, whose body follows.
    pub fn answer(self, status: u16) -> Proxy {
        self.code(&format!("(call $answer (i32.const {status}))"))
    }

    pub fn write(self, text: &str) -> Proxy {
        self.call("write", "", &[text])
    }

    pub fn pause(self, ms: u64) -> Proxy {
        self.code(&format!("(call $pause (i64.const {ms}))"))
    }

    pub fn finish(self) -> Proxy {
        self.code("(call $finish)")
    }

    pub fn trap(self) -> Proxy {
        self.code("unreachable")
    }

    /// What it does, to be done after something else; it has no texts.
    pub fn into_code(self) -> String {
        assert!(self.texts.is_empty());
        self.code
    }

    pub fn build(self) -> Vec<u8> {
        let texts = self.texts.iter().fold(String::new(), |mut texts, byte| {
            write!(texts, "\\{byte:02x}").unwrap();
            texts
        });
        let main = format!(
            "(data (i32.const {TEXTS}) \"{texts}\")
             (func $main (local $i i32) (local $n i32) {})",
            self.code
        );
        wat(&include_str!("proxy.wat").replace("{main}", &main))
    }
}

/// A program that answers with this and ends.
pub fn answers(text: &str) -> Vec<u8> {
    proxy().answer(200).write(text).finish().build()
}
