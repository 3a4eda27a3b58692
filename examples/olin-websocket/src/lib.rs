//! Sends the request's body to a WebSocket server, and answers with what it says:
//! `POST /?url=wss://echo.example/&messages=2`.

use olin::http::{Method, Request, RequestExt as _, Response, StatusCode};
use olin::{Body, Failure, reply, ws};

/// Most messages that are waited for.
const MESSAGES_MAX: usize = 100;
/// Longest message that is sent, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

fn handle(request: Request<Body>) -> Result<Response<Body>, Failure> {
    let bad = |words: &str| Failure::new(StatusCode::BAD_REQUEST, words);
    if request.method() != Method::POST {
        return Err(Failure::new(StatusCode::METHOD_NOT_ALLOWED, "POST a message to /?url=wss://…"));
    }
    let url = request.query("url").ok_or_else(|| bad("to whom? say /?url=wss://echo.example/"))?;
    let messages = request.query("messages").map_or(Ok(1), |number| number.parse());
    let messages = messages.ok().filter(|number| (1..=MESSAGES_MAX).contains(number));
    let messages = messages.ok_or_else(|| bad("messages is a number from 1 to 100"))?;
    let message = request.into_body().bytes_at_most(MESSAGE_BYTES_MAX)?;

    let mut socket = ws::connect(&url).map_err(|error| match error {
        olin::net::Error::Url { .. } => Failure::new(StatusCode::BAD_REQUEST, error),
        error => error.into(),
    })?;
    socket.send(message)?;
    let mut answer = Vec::new();
    for _ in 0..messages {
        let Some(message) = socket.receive()? else { break };
        answer.extend(message);
        answer.push(b'\n');
    }
    Ok(reply::content("text/plain; charset=utf-8", answer))
}

olin::serve!(handle);

#[cfg(test)]
mod tests {
    use olin::testing::Host;

    use super::*;

    fn said(query: &str) -> (u16, String) {
        let host = Host::new()
            .request(Request::post(format!("/?{query}")).body("tea").unwrap())
            .web_socket("ws://twice.example/", |message| vec![message.to_vec(), b"again".to_vec()]);
        olin::serve(handle);
        let response = host.response();
        (response.status().as_u16(), String::from_utf8(response.into_body()).unwrap())
    }

    #[test]
    fn a_message_goes_out_and_as_many_as_were_asked_for_come_back() {
        assert_eq!(said("url=ws://twice.example/"), (200, "tea\n".to_owned()));
        assert_eq!(said("url=ws://twice.example/&messages=2"), (200, "tea\nagain\n".to_owned()));
        // The server has no more to say.
        assert_eq!(said("url=ws://twice.example/&messages=9"), (200, "tea\nagain\n".to_owned()));
    }

    #[test]
    fn what_makes_no_sense_is_400_and_what_does_not_work_502() {
        for (query, status) in [
            ("", 400),
            ("url=https://a.example/", 400),
            ("url=ws://twice.example/&messages=0", 400),
            ("url=ws://nobody.example/", 502),
        ] {
            assert_eq!(said(query).0, status, "{query}");
        }
    }
}
