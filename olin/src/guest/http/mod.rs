//! HTTP: the types of requests and answers, a client, and what a handler asks of its request.
//!
//! The types are those of the crate [`http`](https://docs.rs/http); it need not be named in a manifest.
//!
//! ```
//! # let _host = olin::testing::Host::new()
//! #     .http("https://api.example/", |_| olin::http::Response::new(b"42".to_vec()));
//! use olin::http::{self, Request, header};
//!
//! let request = Request::post("https://api.example/questions")
//!     .header(header::CONTENT_TYPE, "text/plain")
//!     .body("What is six times nine?")?;
//! let response = http::send(request)?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.into_body().text()?, "42");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ask;
mod client;
mod message;

pub use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use ask::variable;
pub(crate) use ask::{FromCgi, PATH, SEGMENT};
pub use ask::{Path, RequestExt};
pub use client::{get, send};
pub(crate) use message::field;
pub use message::{FIELDS_MAX, HEAD_BYTES_MAX};
