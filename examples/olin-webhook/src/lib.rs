//! Checks a webhook's signature, and passes the body on if it is right.
//!
//! The signature is the field `X-Hub-Signature-256: sha256=HEX`, an HMAC of the body, as GitHub and Gitea send
//! it. Two settings say what to do: `WEBHOOK_SECRET`, the key, and `WEBHOOK_TARGET`, the URL that gets the body. They are
//! variables of the program, or of the shell that builds it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use olin::http::{self, HeaderName, Method, Request, RequestExt as _, Response, StatusCode, header};
use olin::{Body, Failure, env, log, reply};
use sha2::Sha256;

/// Largest body that is passed on, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;
/// What goes along with the body.
const PASSED_ON: [HeaderName; 2] = [header::CONTENT_TYPE, header::USER_AGENT];

fn handle(request: Request<Body>) -> Result<Response<Body>, Failure> {
    if request.method() != Method::POST {
        return Err(Failure::new(StatusCode::METHOD_NOT_ALLOWED, "POST a webhook here"));
    }
    let secret = setting("WEBHOOK_SECRET", option_env!("WEBHOOK_SECRET"))?;
    let target = setting("WEBHOOK_TARGET", option_env!("WEBHOOK_TARGET"))?;
    let signature = request.header("x-hub-signature-256").map(|signature| signature.into_owned());
    let mut outgoing = Request::post(target);
    for name in PASSED_ON {
        if let Some(value) = request.headers().get(&name) {
            outgoing = outgoing.header(name, value);
        }
    }
    let body = request
        .into_body()
        .bytes_at_most(BODY_BYTES_MAX)
        .map_err(|error| Failure::new(StatusCode::PAYLOAD_TOO_LARGE, error))?;
    if !signature.is_some_and(|signature| is_signed(&signature, &secret, &body)) {
        return Err(Failure::new(StatusCode::UNAUTHORIZED, "the signature is missing or wrong"));
    }
    let answer = http::send(outgoing.body(body)?)?;
    log::info(&format!("passed on, and answered with {}", answer.status()));
    Ok(reply::status(answer.status()))
}

/// A setting of the program's own, or one that it was built with.
fn setting(name: &str, built_in: Option<&str>) -> Result<String, Failure> {
    let value = env::get(name).or_else(|| built_in.map(str::to_owned)).filter(|value| !value.is_empty());
    value.ok_or_else(|| {
        Failure::internal(format!("{name} is not set; build the program with it, or run it with --env"))
    })
}

/// Whether the signature is the body's. It takes as long for a wrong one as for the right one.
fn is_signed(signature: &str, secret: &str, body: &[u8]) -> bool {
    let Some(sent) = signature.strip_prefix("sha256=").and_then(from_hex) else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(body);
    mac.verify_slice(&sent).is_ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

olin::serve!(handle);

#[cfg(test)]
mod tests {
    use olin::testing::Host;

    use super::*;

    const SECRET: &str = "It's a Secret to Everybody";
    /// The example of GitHub's documentation.
    const BODY: &str = "Hello, World!";
    const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn sent(signature: &str, body: &str) -> (Host, u16) {
        let request = Request::post("/")
            .header("Content-Type", "text/plain")
            .header("X-Hub-Signature-256", signature)
            .body(body);
        let host = Host::new()
            .request(request.unwrap())
            .env("WEBHOOK_SECRET", SECRET)
            .env("WEBHOOK_TARGET", "https://target.example/hook")
            .http("https://target.example/", |_| Response::builder().status(202).body(Vec::new()).unwrap());
        olin::serve(handle);
        let status = host.response().status().as_u16();
        (host, status)
    }

    #[test]
    fn a_signed_body_is_passed_on_and_the_targets_status_comes_back() {
        let (host, status) = sent(SIGNATURE, BODY);
        assert_eq!(status, 202);
        let [request] = &host.requests()[..] else { panic!("one request") };
        assert_eq!((request.uri().path(), request.body().as_slice()), ("/hook", BODY.as_bytes()));
        assert_eq!(request.headers()["content-type"], "text/plain");
    }

    #[test]
    fn a_wrong_signature_is_401_and_goes_no_further() {
        let other = SIGNATURE.replace("757", "758");
        for (signature, body) in [
            (other.as_str(), BODY),
            (SIGNATURE, "Hello, World?"),
            ("sha1=00", BODY),
            ("sha256=7", BODY),
            ("", BODY),
        ] {
            let (host, status) = sent(signature, body);
            assert_eq!((status, host.requests().len()), (401, 0), "{signature} {body}");
        }
    }

    #[test]
    fn without_a_secret_nothing_is_passed_on() {
        let host = Host::new().request(Request::post("/").body(BODY).unwrap());
        olin::serve(handle);
        assert_eq!(host.response().status(), 500);
        assert!(host.logs()[0].1.contains("WEBHOOK_SECRET is not set"), "{:?}", host.logs());
        let host = Host::new().request(Request::get("/").body("").unwrap());
        olin::serve(handle);
        assert_eq!(host.response().status(), 405);
    }
}
