//! Answers with the request's method, path, query, headers and body as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use wstd::http::{Body, Error, Request, Response};

#[derive(Serialize)]
struct Echo {
    method: String,
    path: String,
    query: Option<String>,
    /// Lower-case names; the values of a repeated field are joined by `, `.
    headers: BTreeMap<String, String>,
    /// What is not UTF-8 in it becomes U+FFFD.
    body: String,
}

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let (parts, mut body) = request.into_parts();
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let all = headers.entry(name.as_str().to_owned());
        all.and_modify(|all| *all += &format!(", {value}")).or_insert_with(|| value.into_owned());
    }
    let echo = Echo {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers,
        body: String::from_utf8_lossy(body.contents().await?).into_owned(),
    };
    Ok(Response::builder().header("content-type", "application/json").body(Body::from_json(&echo)?)?)
}
