//! `http://` and `https://`: the program writes a request in HTTP/1.1's own bytes, flushes, and reads the
//! answer in the same form. One resource is one request.
//!
//! Scheme, host and port are those of the URL that was opened; the request's own target says path and query.
//! The host frames what is sent: a program has no connection of its own to write to.

mod answer;
mod request;

use bytes::Bytes;
use olin::abi::Error;
use wasmcloud_egress::{HEADER_BYTES_MAX, Outgoing, Redirects};

use super::network::{target, told, wrong};
use crate::guest::{Session, Unsent};
use crate::olin::Failure;
use answer::Answer;
use request::{Incomplete, Opened, Parsed, parse};

/// Largest request, head and body.
const REQUEST_BYTES_MAX: usize = (10 << 20) + HEADER_BYTES_MAX;

/// An open `http://` or `https://`.
pub(crate) struct HttpResource {
    opened: Opened,
    state: State,
}

enum State {
    /// The request is being written.
    Writing(Unsent),
    /// The answer is being read.
    Answered(Box<Answer>),
    /// The request failed, which was told.
    Failed(Error),
}

impl HttpResource {
    pub(crate) fn open(session: &mut Session, url: &str) -> Result<HttpResource, Failure> {
        let opened = match url.to_ascii_lowercase().as_str() {
            // The policy is asked when the request is sent.
            "http://" => Opened::Scheme("http"),
            "https://" => Opened::Scheme("https"),
            _ => Opened::At(target(session, url)?),
        };
        Ok(HttpResource { opened, state: State::Writing(session.unsent()) })
    }

    pub(crate) fn write(&mut self, session: &mut Session, bytes: &[u8]) -> Result<(), Failure> {
        let State::Writing(unsent) = &mut self.state else {
            return Err(wrong(session, "one resource is one HTTP request: open another for the next one"));
        };
        if unsent.push(bytes, REQUEST_BYTES_MAX) {
            return Ok(());
        }
        let text = format!("an HTTP request is larger than {REQUEST_BYTES_MAX} bytes, or all that wait are");
        Err(wrong(session, &text))
    }

    /// Sends the request and waits for the head of the answer. What was flushed before is not sent again.
    pub(crate) fn flush(&mut self, session: &mut Session) -> Result<(), Failure> {
        let unsent = match &self.state {
            State::Writing(unsent) => unsent,
            State::Answered(_) => return Ok(()),
            State::Failed(error) => return Err((*error).into()),
        };
        let request = match parse(&self.opened, unsent.bytes()) {
            Ok(request) => request,
            // The program may write the rest and flush again.
            Err(Incomplete(reason)) => {
                return Err(wrong(session, &format!("the HTTP request to {} {reason}", self.opened)));
            }
        };
        match perform(session, request) {
            Ok(answer) => {
                self.state = State::Answered(Box::new(answer));
                Ok(())
            }
            Err(failure) => {
                if let Failure::Error(error) = failure {
                    self.state = State::Failed(error);
                }
                Err(failure)
            }
        }
    }

    pub(crate) fn read(&mut self, session: &mut Session, buffer: &mut [u8]) -> Result<usize, Failure> {
        match &mut self.state {
            State::Writing(_) => {
                Err(wrong(session, "an HTTP answer is read before its request was sent by resource_flush"))
            }
            State::Answered(answer) => answer.read(session, buffer),
            State::Failed(error) => Err((*error).into()),
        }
    }
}

fn perform(session: &mut Session, request: Parsed) -> Result<Answer, Failure> {
    if let Some(host) = &request.other_host {
        let text = format!("the request names the host {host}, but is sent to that of {}", request.target);
        session.logs.warn(&text);
    }
    session.permit(&request.target)?;
    let Parsed { target, method, fields, body, .. } = request;
    let outgoing = Outgoing { target, method, fields, body: Bytes::from(body) };
    let way = session.way_out().map_err(|error| told(session, &error))?;
    let sent = session.wait(way.send(outgoing, Redirects::Follow))?;
    session.note_urls();
    sent.map(Answer::new).map_err(|error| told(session, &error))
}
