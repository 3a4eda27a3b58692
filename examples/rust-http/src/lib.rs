//! Greets on `GET /`, answers JSON with JSON on `POST /json`, and asks another server on `GET /fetch?url=…`.

use serde::{Deserialize, Serialize};
use wstd::http::body::Bytes;
use wstd::http::body::util::Empty;
use wstd::http::{Body, Client, Error, Method, Request, Response};

#[derive(Deserialize)]
struct Question {
    name: String,
}

#[derive(Serialize)]
struct Answer {
    greeting: String,
}

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let path = request.uri().path().to_owned();
    eprintln!("{} {path}", request.method());
    match (request.method(), &*path) {
        (&Method::GET, "/") => answer(200, "text/plain", "Hello from Rust!\n"),
        (&Method::POST, "/json") => greet(request.into_body()).await,
        (&Method::GET, "/fetch") => fetch(request.uri().query().unwrap_or_default()).await,
        _ => answer(404, "text/plain", format!("nothing at {path}\n")),
    }
}

async fn greet(mut body: Body) -> Result<Response<Body>, Error> {
    match serde_json::from_slice::<Question>(body.contents().await?) {
        Ok(Question { name }) => {
            let answered = Answer { greeting: format!("Hello {name}, from Rust!") };
            answer(200, "application/json", Body::from_json(&answered)?)
        }
        Err(error) => answer(400, "text/plain", format!("{error}\n")),
    }
}

/// `wasi:http` decides which servers can be asked: those that the handler's policy lets it reach.
async fn fetch(query: &str) -> Result<Response<Body>, Error> {
    let url = query.strip_prefix("url=").unwrap_or_default();
    // Nothing is ever written to this body. To `Body::empty()` nothing is written either, but that fails when the answer
    // came first, and hides why a request was refused.
    let Ok(request) = Request::get(url).body(Body::from_http_body(Empty::<Bytes>::new())) else {
        return answer(400, "text/plain", "which URL? /fetch?url=https://example.com/\n");
    };
    match Client::new().send(request).await {
        Ok(response) => {
            let status = response.status();
            let bytes = response.into_body().contents().await?.len();
            answer(200, "text/plain", format!("{url} answered {} with {bytes} bytes\n", status.as_u16()))
        }
        Err(error) => answer(502, "text/plain", format!("{url}: {error}\n")),
    }
}

fn answer(status: u16, kind: &str, body: impl Into<Body>) -> Result<Response<Body>, Error> {
    Ok(Response::builder().status(status).header("content-type", kind).body(body.into())?)
}
