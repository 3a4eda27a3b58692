//! An API that answers by script and remembers what it was asked.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method and path, without the query: `GET /api/v1/whoami`.
    pub line: String,
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// An answer to give once.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// Whether the connection stays open after the body, as a stream that goes on.
    pub stays_open: bool,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<String>) -> Answer {
        Answer { status, headers: Vec::new(), body: body.into(), stays_open: false }
    }

    pub fn json(value: &serde_json::Value) -> Answer {
        Answer::new(200, value.to_string())
    }

    pub fn error(status: u16, code: &str) -> Answer {
        let error = serde_json::json!({"error": {
            "code": code, "message": format!("message of {code}"), "hint": format!("hint of {code}"),
            "request_id": "request-7",
        }});
        Answer::new(status, error.to_string())
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Answer {
        self.headers.push((name, value.into()));
        self
    }

    pub fn stays_open(mut self) -> Answer {
        self.stays_open = true;
        self
    }
}

#[derive(Default)]
struct Script {
    answers: VecDeque<(String, Answer)>,
    requests: Vec<Request>,
    open: Vec<TcpStream>,
}

pub struct Api {
    pub url: String,
    script: Arc<Mutex<Script>>,
}

impl Api {
    /// Starts a server with answers to `METHOD /path`, each given once, in order.
    pub fn start(answers: impl IntoIterator<Item = (&'static str, Answer)>) -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = answers.into_iter().map(|(line, answer)| (line.to_owned(), answer)).collect();
        let script = Arc::new(Mutex::new(Script { answers, ..Script::default() }));
        let shared = Arc::clone(&script);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that goes away early is for the test to judge.
                let _ = answer(stream.unwrap(), &shared);
            }
        });
        Api { url, script }
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.script.lock().unwrap().requests.clone()
    }

    /// The one request that was made.
    pub fn request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.into_iter().next().unwrap()
    }
}

fn answer(stream: TcpStream, script: &Mutex<Script>) -> std::io::Result<()> {
    let request = read(&mut BufReader::new(&stream))?;
    let answer = {
        let mut script = script.lock().unwrap();
        let place = script.answers.iter().position(|(line, _)| *line == request.line);
        script.requests.push(request);
        place
            .and_then(|place| script.answers.remove(place))
            .map_or_else(|| Answer::error(599, "not_in_script"), |(_, answer)| answer)
    };
    let mut head = format!("HTTP/1.1 {} Scripted\r\nconnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    (&stream).write_all(format!("{head}\r\n{}", answer.body).as_bytes())?;
    if answer.stays_open {
        script.lock().unwrap().open.push(stream);
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Request> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut parts = line.split(' ');
    let (method, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        line: format!("{method} {path}"),
        query: query.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let mut field = String::new();
        reader.read_line(&mut field)?;
        let Some((name, value)) = field.trim_end().split_once(':') else { break };
        request.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    reader.take(length).read_to_end(&mut request.body)?;
    Ok(request)
}
