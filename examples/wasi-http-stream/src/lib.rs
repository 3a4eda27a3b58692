//! Answers with the request's body as it comes in, of any size, in memory of one size; trailers are passed on too.
//! `GET /events` sends five server-sent events, 100 ms apart.

use std::convert::Infallible;

use futures_lite::stream::unfold;
use wstd::http::{Body, Error, Request, Response};
use wstd::time::Duration;

const EVENTS: u32 = 5;
const PAUSE_MS: u64 = 100;

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    if request.uri().path() == "/events" {
        let events = Body::from_try_stream(unfold(1, event));
        return Ok(Response::builder().header("content-type", "text/event-stream").body(events)?);
    }
    let mut response = Response::builder();
    // Trailers are sent to those whom this field tells of them.
    for name in ["content-type", "trailer"] {
        if let Some(value) = request.headers().get(name) {
            response = response.header(name, value);
        }
    }
    Ok(response.body(request.into_body())?)
}

async fn event(number: u32) -> Option<(Result<String, Infallible>, u32)> {
    if number > EVENTS {
        return None;
    }
    wstd::task::sleep(Duration::from_millis(PAUSE_MS)).await;
    Some((Ok(format!("data: {number}\n\n")), number + 1))
}
