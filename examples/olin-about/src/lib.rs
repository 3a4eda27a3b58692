//! Says what a program knows of its own run: the host, the invocation, the time, its arguments; and that what it can ask
//! its host for works.

use std::io::{Read as _, Write as _};
use std::time::{Duration, SystemTime};

use olin::http::{Request, Response};
use olin::resource::Resource;
use olin::{Body, Failure, env, random, reply, runtime, startup, time};
use serde::Serialize;

#[derive(Serialize)]
struct About {
    host: String,
    specification: String,
    arguments: Vec<String>,
    invocation: Option<String>,
    executor: Option<String>,
    server: Option<String>,
    seconds_since_1970: u64,
    /// Of a few random numbers and bytes, none is like another.
    random: bool,
    /// What `zero://` gave.
    zeroes: [u8; 4],
}

fn handle(_: Request<Body>) -> Result<Response<Body>, Failure> {
    log::info!("{} was asked about itself", startup::args()?.first().map_or("a program", String::as_str));
    log::debug!("this is below the level that is kept");
    writeln!(olin::io::stderr(), "and the standard error is a log as well")?;
    writeln!(Resource::open("log://?prefix=about")?, "so is this")?;
    runtime::sleep(Duration::from_millis(1));

    let (major, minor) = runtime::spec();
    let mut zeroes = [1; 4];
    Resource::open("zero://")?.read_exact(&mut zeroes)?;
    reply::json(&About {
        host: runtime::name()?,
        specification: format!("{major}.{minor}"),
        arguments: startup::args()?,
        invocation: env::get("RUN_ID"),
        executor: env::get("WORKER_ID"),
        server: env::get("SERVER_SOFTWARE"),
        seconds_since_1970: time::system_time().duration_since(SystemTime::UNIX_EPOCH)?.as_secs(),
        random: is_random()?,
        zeroes,
    })
}

fn is_random() -> Result<bool, Failure> {
    let mut read = [0; 8];
    Resource::open("random://")?.read_exact(&mut read)?;
    let numbers = [
        random::u64(),
        random::i64().cast_unsigned(),
        u64::from(random::u32()) << 32 | u64::from(random::i32().cast_unsigned()),
        u64::from_le_bytes(random::bytes()),
        u64::from_le_bytes(read),
    ];
    Ok(numbers
        .iter()
        .enumerate()
        .all(|(at, number)| !numbers.iter().skip(at + 1).any(|other| other == number)))
}

olin::serve!(handle);

#[cfg(test)]
mod tests {
    use olin::testing::Host;

    use super::*;

    #[test]
    fn everything_that_is_asked_for_is_answered() {
        let host = Host::new()
            .request(Request::get("/").body("").unwrap())
            .args(["teapot", "--short"])
            .now(86_400)
            .env("RUN_ID", "17");
        olin::serve(handle);
        let about = String::from_utf8(host.response().into_body()).unwrap();
        for part in [
            r#""host":"olin""#,
            r#""specification":"0.2""#,
            r#""arguments":["teapot","--short"]"#,
            r#""invocation":"17""#,
            r#""executor":null"#,
            r#""seconds_since_1970":86400"#,
            r#""random":true"#,
            r#""zeroes":[0,0,0,0]"#,
        ] {
            assert!(about.contains(part), "{part}: {about}");
        }
        let logs = ["teapot was asked about itself", "about: so is this"].map(|text| (6, text.to_owned()));
        assert_eq!(host.logs(), logs);
        assert_eq!(host.stderr(), b"and the standard error is a log as well\n");
    }
}
