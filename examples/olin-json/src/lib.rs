//! Converts units: a small JSON API.
//!
//! `GET /units` lists them; `POST /convert` takes `{"value": 26.2, "from": "mi", "to": "km"}`.

use olin::http::{Method, Request, RequestExt as _, Response, StatusCode};
use olin::{Body, Failure, reply};
use serde::{Deserialize, Serialize};

/// What can be converted: names, what they measure, and how to come to the base unit, by a factor and a sum.
const UNITS: &[Unit] = &[
    Unit { name: "m", measures: "length", factor: 1.0, offset: 0.0 },
    Unit { name: "km", measures: "length", factor: 1_000.0, offset: 0.0 },
    Unit { name: "mi", measures: "length", factor: 1_609.344, offset: 0.0 },
    Unit { name: "ft", measures: "length", factor: 0.3048, offset: 0.0 },
    Unit { name: "kg", measures: "mass", factor: 1.0, offset: 0.0 },
    Unit { name: "lb", measures: "mass", factor: 0.453_592_37, offset: 0.0 },
    Unit { name: "K", measures: "temperature", factor: 1.0, offset: 0.0 },
    Unit { name: "C", measures: "temperature", factor: 1.0, offset: 273.15 },
    Unit { name: "F", measures: "temperature", factor: 5.0 / 9.0, offset: 459.67 * 5.0 / 9.0 },
];

#[derive(Serialize)]
struct Unit {
    name: &'static str,
    measures: &'static str,
    #[serde(skip)]
    factor: f64,
    #[serde(skip)]
    offset: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    value: f64,
    from: String,
    to: String,
}

#[derive(Serialize)]
struct Answer {
    value: f64,
    unit: String,
}

fn handle(request: Request<Body>) -> Result<Response<Body>, Failure> {
    match (request.method(), &request.path().segments()[..]) {
        (&Method::GET, ["units"]) => reply::json(UNITS),
        (&Method::POST, ["convert"]) => convert(request.into_body().json()?),
        (_, ["units" | "convert"]) => Ok(reply::status(StatusCode::METHOD_NOT_ALLOWED)),
        _ => Err(Failure::new(StatusCode::NOT_FOUND, "there are GET /units and POST /convert")),
    }
}

fn convert(question: Question) -> Result<Response<Body>, Failure> {
    let (from, to) = (unit(&question.from)?, unit(&question.to)?);
    if from.measures != to.measures {
        let words = format!("{} is {}, and {} is {}", from.name, from.measures, to.name, to.measures);
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, words));
    }
    let base = question.value * from.factor + from.offset;
    reply::json(&Answer { value: (base - to.offset) / to.factor, unit: question.to })
}

fn unit(name: &str) -> Result<&'static Unit, Failure> {
    let unknown = || {
        let words = format!("there is no unit {name:?}; GET /units lists those that there are");
        Failure::new(StatusCode::UNPROCESSABLE_ENTITY, words)
    };
    UNITS.iter().find(|unit| unit.name == name).ok_or_else(unknown)
}

olin::serve!(handle);

#[cfg(test)]
mod tests {
    use olin::testing::Host;

    use super::*;

    fn asked(method: &str, path: &str, body: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).body(body);
        let host = Host::new().request(request.unwrap());
        olin::serve(handle);
        let response = host.response();
        (response.status().as_u16(), String::from_utf8(response.into_body()).unwrap())
    }

    fn converted(value: f64, from: &str, to: &str) -> String {
        let (status, body) =
            asked("POST", "/convert", &format!(r#"{{"value":{value},"from":"{from}","to":"{to}"}}"#));
        assert_eq!(status, 200, "{body}");
        body
    }

    #[test]
    fn units_of_one_measure_are_converted() {
        assert_eq!(converted(2.0, "km", "m"), "{\"value\":2000.0,\"unit\":\"m\"}\n");
        assert!(converted(212.0, "F", "C").starts_with("{\"value\":100.0"));
        assert!(converted(0.0, "K", "C").starts_with("{\"value\":-273.15"));
    }

    #[test]
    fn what_cannot_be_converted_is_said() {
        let wrong = |body| asked("POST", "/convert", body);
        let (status, words) = wrong(r#"{"value":1,"from":"kg","to":"m"}"#);
        assert_eq!((status, words.as_str()), (422, "kg is mass, and m is length\n"));
        let (status, words) = wrong(r#"{"value":1,"from":"cups","to":"m"}"#);
        assert_eq!((status, words.contains("\"cups\"")), (422, true));
        let (status, words) = wrong("{");
        assert_eq!((status, words.contains("line 1")), (400, true));
    }

    #[test]
    fn the_paths_are_those_of_the_api() {
        assert!(asked("GET", "/units", "").1.contains(r#"{"name":"mi","measures":"length"}"#));
        assert_eq!(asked("DELETE", "/units", "").0, 405);
        assert_eq!(asked("GET", "/", "").0, 404);
    }
}
