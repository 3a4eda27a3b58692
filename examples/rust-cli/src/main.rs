//! Greets on `GET /`, answers JSON with JSON on `POST /json`, and asks another server on `GET /fetch?url=…`: a program
//! that speaks CGI, as its standard library lets it, and `wasi:http` to others. A component may do both.

use std::env;
use std::error::Error;
use std::io::stdin;

use serde::{Deserialize, Serialize};
use wstd::http::body::Bytes;
use wstd::http::body::util::Empty;
use wstd::http::{Body, Client, Request};

#[derive(Deserialize)]
struct Question {
    name: String,
}

#[derive(Serialize)]
struct Answer {
    greeting: String,
}

#[wstd::main]
async fn main() {
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let (status, kind, body) = match (&*variable("REQUEST_METHOD"), &*variable("PATH_INFO")) {
        ("GET", "/" | "") => (200, "text/plain", "Hello from Rust!\n".to_owned()),
        ("POST", "/json") => match greet() {
            Ok(answer) => (200, "application/json", answer),
            Err(error) => (400, "text/plain", format!("{error}\n")),
        },
        ("GET", "/fetch") => match fetch(&variable("QUERY_STRING")).await {
            Ok(answer) => (200, "text/plain", answer),
            Err(error) => (502, "text/plain", format!("{error}\n")),
        },
        (_, path) => (404, "text/plain", format!("nothing at {path}\n")),
    };
    eprintln!("answered with {status}");
    print!("Status: {status}\nContent-Type: {kind}\n\n{body}");
}

fn greet() -> Result<String, Box<dyn Error>> {
    let question: Question = serde_json::from_reader(stdin())?;
    Ok(serde_json::to_string(&Answer { greeting: format!("Hello {}, from Rust!", question.name) })?)
}

/// `wasi:http` decides which servers can be asked: those that the handler's policy lets it reach.
async fn fetch(query: &str) -> Result<String, Box<dyn Error>> {
    let url = query.strip_prefix("url=").ok_or("which URL? /fetch?url=https://example.com/")?;
    // Nothing is ever written to this body. To `Body::empty()` nothing is written either, but that fails when the answer
    // came first, and hides why a request was refused.
    let request = Request::get(url).body(Body::from_http_body(Empty::<Bytes>::new()))?;
    let response = Client::new().send(request).await?;
    let status = response.status().as_u16();
    let bytes = response.into_body().contents().await?.len();
    Ok(format!("{url} answered {status} with {bytes} bytes\n"))
}
