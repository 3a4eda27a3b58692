//! Answers with the request: its method, its path and its query on the first line, then its body.

use std::io::{Cursor, Read as _};

use olin::http::{Request, Response};
use olin::{Body, log, reply};

fn handle(request: Request<Body>) -> Response<Body> {
    let (method, uri) = (request.method(), request.uri());
    log::info(&format!("{method} {} with {} bytes", uri.path(), request.body().len().unwrap_or(0)));
    let line = format!("{method} {uri}\n");
    reply::content(
        "text/plain; charset=utf-8",
        Body::from_reader(Cursor::new(line).chain(request.into_body())),
    )
}

olin::serve!(handle);

#[cfg(test)]
mod tests {
    use olin::testing::Host;

    use super::*;

    #[test]
    fn a_request_comes_back() {
        let host = Host::new().request(Request::post("/a/b?c=d").body("tea").unwrap());
        olin::serve(handle);
        assert_eq!(host.response().body(), b"POST /a/b?c=d\ntea");
        assert_eq!(host.logs(), [(6, "POST /a/b with 3 bytes".to_owned())]);
    }
}
