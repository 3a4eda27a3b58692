//! Greets on `GET /`, and answers JSON with JSON on `POST /json`: a program that speaks CGI, as its standard library
//! lets it. The request is in variables and on standard input, the answer goes to standard output.

use std::env;
use std::io::{Read as _, stdin};

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Question {
    name: String,
}

#[derive(Serialize)]
struct Answer {
    greeting: String,
}

fn main() {
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let (status, kind, body) = match (&*variable("REQUEST_METHOD"), &*variable("PATH_INFO")) {
        ("GET", "/" | "") => (200, "text/plain", "Hello from Rust!\n".to_owned()),
        ("POST", "/json") => match greet() {
            Ok(answer) => (200, "application/json", answer),
            Err(error) => (400, "text/plain", format!("{error}\n")),
        },
        (_, path) => (404, "text/plain", format!("nothing at {path}\n")),
    };
    eprintln!("answered with {status}");
    print!("Status: {status}\nContent-Type: {kind}\n\n{body}");
}

fn greet() -> Result<String, Box<dyn std::error::Error>> {
    let mut body = String::new();
    stdin().read_to_string(&mut body)?;
    let question: Question = serde_json::from_str(&body)?;
    Ok(serde_json::to_string(&Answer { greeting: format!("Hello {}, from Rust!", question.name) })?)
}
