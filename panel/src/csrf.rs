//! That a form was sent from a page of ours: a token in it which only whoever holds the browser's cookie can know, and
//! what the browser itself says of where the request comes from.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::request::{Form, Request};

/// The form field with the token; scripts send it as a header field.
pub(crate) const FIELD: &str = "csrf";
/// The header field with the token.
pub(crate) const HEADER: &str = "x-csrf-token";

/// The token that belongs to a cookie's secret.
pub(crate) fn token(secret: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(b"wasmcloud: forms of the panel, 1");
    hex::encode(mac.finalize().into_bytes())
}

/// Whether a form was sent from a page of ours.
pub(crate) fn is_ours(request: &Request, form: &Form, secret: &str) -> bool {
    let from_elsewhere =
        request.header("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
    let given = request.header(HEADER).unwrap_or_else(|| form.get(FIELD));
    let right: bool = token(secret).as_bytes().ct_eq(given.as_bytes()).into();
    right && !secret.is_empty() && !from_elsewhere
}

/// A secret for a browser that has none yet.
pub(crate) fn fresh_secret() -> String {
    let mut random = [0_u8; 32];
    // Without randomness there is no secret, and no form is taken.
    if getrandom::fill(&mut random).is_err() { String::new() } else { hex::encode(random) }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn sent(fields: &[(&str, &str)]) -> Request {
        let mut builder = http::Request::builder().method("POST").uri("/sign-in");
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        Request::new(builder.body(()).unwrap().into_parts().0, Bytes::new())
    }

    #[test]
    fn a_form_is_taken_with_the_token_of_its_browser_alone() {
        let form = |token: String| Form { fields: vec![(FIELD.to_owned(), token)], files: Vec::new() };
        assert!(is_ours(&sent(&[]), &form(token("secret")), "secret"));
        assert!(is_ours(&sent(&[(HEADER, &token("secret"))]), &Form::default(), "secret"));
        assert!(is_ours(&sent(&[("sec-fetch-site", "same-origin")]), &form(token("secret")), "secret"));
        assert!(!is_ours(&sent(&[]), &Form::default(), "secret"), "no token");
        assert!(!is_ours(&sent(&[]), &form(token("other")), "secret"), "another browser's");
        assert!(!is_ours(&sent(&[]), &form(token("")), ""), "a browser without a cookie");
        for site in ["cross-site", "same-site"] {
            assert!(!is_ours(&sent(&[("sec-fetch-site", site)]), &form(token("secret")), "secret"), "{site}");
        }
    }
}
