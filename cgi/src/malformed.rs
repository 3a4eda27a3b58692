//! What is wrong with a program's output, said so that its author can put it right.

use std::fmt;

use wasmcloud_wire::limits::{CGI_HEADER_BYTES_MAX, CGI_HEADER_FIELDS_MAX};

/// A program's output is no CGI answer. The client gets 502; this text goes to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong.
    pub problem: Problem,
    /// The number of the line at fault, from 1.
    pub line_number: u32,
    /// The line itself, printable and shortened; empty where the output ended before it.
    pub line: String,
}

/// The ways in which output can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The program wrote nothing.
    Nothing,
    /// The output begins with something else than a header field.
    NoHeader,
    /// The output begins with an empty line.
    EmptyHeader,
    /// The output begins with an HTTP status line, as that of "non-parsed-header" programs.
    StatusLine,
    /// The output ended before the empty line.
    NoEmptyLine,
    /// The header block is larger than [`CGI_HEADER_BYTES_MAX`].
    TooLarge,
    /// The header block has more than [`CGI_HEADER_FIELDS_MAX`] fields.
    TooMany,
    /// A line of the header block has no colon.
    NoColon,
    /// What stands before the colon is no token (RFC 9110 section 5.6.2).
    Name,
    /// A line begins with a space or a tab: the obsolete way to continue the line before.
    Folded,
    /// A value has a control character.
    Control,
    /// A field that may stand only once stands there a second time.
    Repeated,
    /// A field that needs a value has none.
    Empty,
    /// `Status` is no number from 200 to 599.
    Status,
    /// `Content-Length` is no number.
    ContentLength,
    /// A local `Location` is too long for a request, or not well percent-encoded.
    Location,
}

impl Problem {
    fn text(self) -> &'static str {
        match self {
            Problem::Nothing => "the program wrote no output",
            Problem::NoHeader => "the output begins without a header",
            Problem::EmptyHeader => "the output begins with an empty line, so its header is empty",
            Problem::StatusLine => "the output begins with an HTTP status line",
            Problem::NoEmptyLine => "the output ended within the header",
            Problem::TooLarge => "the header is too large",
            Problem::TooMany => "the header has too many fields",
            Problem::NoColon => "a line of the header has no colon",
            Problem::Name => "a header field's name has a character that no name may have",
            Problem::Folded => "a line of the header begins with a space",
            Problem::Control => "a header field's value has a control character",
            Problem::Repeated => "a header field that may stand only once is repeated",
            Problem::Empty => "a header field has no value",
            Problem::Status => "`Status` is no number from 200 to 599",
            Problem::ContentLength => "`Content-Length` is no number of bytes",
            Problem::Location => "the path in `Location` cannot be requested",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Problem::Nothing | Problem::NoHeader | Problem::EmptyHeader => {
                "print `Content-Type: text/plain` and an empty line before anything else"
            }
            Problem::StatusLine => "print `Status: 200 OK` in its place; the platform writes the status line",
            Problem::NoEmptyLine => "print an empty line after the last header field",
            Problem::TooLarge => "print an empty line before the body, and keep what comes before it shorter",
            Problem::TooMany => "print an empty line before the body, and fewer fields before it",
            Problem::NoColon => {
                "write each field as `Name: value`, and print an empty line between the fields and the body"
            }
            Problem::Name => "use letters, digits and `-` in a name, and no space before the colon",
            Problem::Folded => "write each field in one line",
            Problem::Control => {
                "encode or remove what a visitor can put into a header field, line ends above all"
            }
            Problem::Repeated => {
                "print `Status`, `Location`, `Content-Type` and `Content-Length` once at most"
            }
            Problem::Empty => "give it a value or leave the field out",
            Problem::Status => "print, for example, `Status: 404 Not Found`",
            Problem::ContentLength => {
                "print the number of the body's bytes in digits, or leave the field out"
            }
            Problem::Location => "use at most 8 KiB, write `%25` for a percent sign, and no `%00`",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem.text())?;
        if self.problem == Problem::TooLarge {
            write!(f, ", with more than {CGI_HEADER_BYTES_MAX} bytes")?;
        }
        if self.problem == Problem::TooMany {
            write!(f, ", more than {CGI_HEADER_FIELDS_MAX}")?;
        }
        if self.line_number > 0 {
            write!(f, ", in line {}: `{}`", self.line_number, self.line)?;
        }
        write!(f, "; {}", self.problem.hint())
    }
}

impl std::error::Error for Malformed {}
