//! Answers: JSON, streams, and the one error shape.

use std::io::{self, Cursor};
use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use rocket::http::Status;
use rocket::request::Request;
use rocket::response::{self, Responder, Response};
use serde::Serialize;
use tokio_util::io::StreamReader;

use crate::ApiError;
use crate::guards::Meta;

/// What a route gives back.
pub(crate) type Result<T> = std::result::Result<T, ApiError>;

/// JSON with its status.
pub(crate) struct Reply<T> {
    status: u16,
    location: Option<String>,
    body: T,
}

impl<T: Serialize> Reply<T> {
    pub(crate) fn ok(body: T) -> Result<Reply<T>> {
        Ok(Reply { status: 200, location: None, body })
    }

    pub(crate) fn created(body: T, location: impl Into<Option<String>>) -> Result<Reply<T>> {
        Ok(Reply { status: 201, location: location.into(), body })
    }
}

impl<'r, T: Serialize> Responder<'r, 'static> for Reply<T> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let json = match serde_json::to_vec(&self.body) {
            Ok(json) => json,
            Err(error) => return ApiError::internal(error).respond_to(request),
        };
        let mut response = json_response(self.status, json);
        if let Some(location) = self.location {
            response.set_raw_header("Location", location);
        }
        Ok(response)
    }
}

fn json_response(status: u16, json: Vec<u8>) -> Response<'static> {
    Response::build()
        .status(Status::new(status))
        .raw_header("Content-Type", "application/json")
        .sized_body(json.len(), Cursor::new(json))
        .finalize()
}

/// Done, and nothing to say.
pub(crate) struct Done;

impl<'r> Responder<'r, 'static> for Done {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Response::build().status(Status::NoContent).ok()
    }
}

/// A module.
pub(crate) struct Module(pub Bytes);

impl<'r> Responder<'r, 'static> for Module {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Response::build()
            .raw_header("Content-Type", "application/wasm")
            .sized_body(self.0.len(), Cursor::new(self.0))
            .ok()
    }
}

/// An answer that goes on while things happen.
pub(crate) struct Live {
    content_type: &'static str,
    stream: Pin<Box<dyn Stream<Item = Bytes> + Send>>,
}

impl Live {
    /// Server-sent events, already in their text form.
    pub(crate) fn events(stream: impl Stream<Item = Bytes> + Send + 'static) -> Live {
        Live { content_type: "text/event-stream", stream: stream.boxed() }
    }

    /// Values, one JSON text a line.
    pub(crate) fn lines<T: Serialize>(stream: impl Stream<Item = T> + Send + 'static) -> Live {
        let lines = stream.map(|value| match serde_json::to_vec(&value) {
            Ok(mut line) => {
                line.push(b'\n');
                Bytes::from(line)
            }
            Err(error) => {
                tracing::error!(%error, "cannot write a value as JSON");
                Bytes::new()
            }
        });
        // An empty part would be taken for the end.
        let lines = lines.filter(|line| std::future::ready(!line.is_empty()));
        Live { content_type: "application/x-ndjson", stream: lines.boxed() }
    }
}

impl<'r> Responder<'r, 'static> for Live {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let reader = StreamReader::new(self.stream.map(Ok::<Bytes, io::Error>));
        Response::build()
            .raw_header("Content-Type", self.content_type)
            // Proxies are to pass on each part as it comes.
            .raw_header("X-Accel-Buffering", "no")
            .streamed_body(reader)
            .ok()
    }
}

/// What is to be kept in a file, as it is made. An error breaks the connection off, so that nobody takes a part for
/// the whole.
pub(crate) struct File {
    content_type: &'static str,
    name: &'static str,
    parts: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
}

impl File {
    pub(crate) fn new(
        content_type: &'static str,
        name: &'static str,
        parts: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> File {
        File { content_type, name, parts: parts.boxed() }
    }
}

impl<'r> Responder<'r, 'static> for File {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Response::build()
            .raw_header("Content-Type", self.content_type)
            .raw_header("Content-Disposition", format!("attachment; filename=\"{}\"", self.name))
            .streamed_body(StreamReader::new(self.parts))
            .ok()
    }
}

impl<'r> Responder<'r, 'static> for ApiError {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let request_id = Meta::of(request).request_id;
        self.log(request_id);
        let json = serde_json::to_vec(&self.body(request_id)).map_err(|_| Status::InternalServerError)?;
        let mut response = json_response(self.status, json);
        for (name, value) in self.header_fields() {
            response.set_raw_header(name, value);
        }
        Ok(response)
    }
}

impl ApiError {
    /// The fields that an error adds to its answer.
    pub(crate) fn header_fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = Vec::new();
        if let Some(seconds) = self.retry_after_s {
            fields.push(("Retry-After", seconds.to_string()));
        }
        if let Some(allow) = &self.allow {
            fields.push(("Allow", allow.clone()));
        }
        if self.status == 401 {
            fields.push(("WWW-Authenticate", "Bearer".to_owned()));
        }
        fields
    }
}
