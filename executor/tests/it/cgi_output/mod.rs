//! A program's output as the client sees it: items 11 to 17 of the CGI checklist, over real HTTP, of programs of
//! every kind that speaks CGI.

mod failures;
mod fields;
mod framing;
mod redirects;

use wasmcloud_wire::{Level, Outcome, Source};

use crate::app::TestExecutor;
use crate::client::Answer;
use crate::control::Recorded;
use crate::kinds::{KINDS, Kind};

/// Asks a program of each kind once.
async fn all(program: impl Fn(Kind) -> Vec<u8>) -> Vec<(Kind, Answer, Recorded)> {
    let app = TestExecutor::start().await;
    let mut all = Vec::new();
    for kind in KINDS {
        let (answer, recorded) = app.try_out(kind.name(), &program(kind), |_| ()).await;
        all.push((kind, answer, recorded));
    }
    all
}

/// This output is no CGI answer, and the log says why.
async fn bad_output(app: &TestExecutor, program: impl Fn(Kind) -> Vec<u8>, why: &[&str]) {
    for kind in KINDS {
        let (answer, recorded) = app.try_out(kind.name(), &program(kind), |_| ()).await;
        let told = (answer.status, answer.error().code);
        assert_eq!(told, (502, "bad_output".to_owned()), "{kind:?} {why:?}");
        assert_eq!(recorded.receipt.status, Some(502), "{kind:?}");
        let Outcome::BadOutput { message } = &recorded.receipt.outcome else {
            panic!("{kind:?} {why:?}: {:?}", recorded.receipt.outcome)
        };
        for part in why {
            assert!(message.contains(part), "{kind:?}: {part:?} in {message:?}");
            assert!(
                !answer.text().contains(part),
                "{kind:?}: the client is told the cause: {}",
                answer.text()
            );
        }
        let line = recorded.line(message);
        assert_eq!((line.source, line.level), (Source::Platform, Level::ERROR), "{kind:?}");
    }
}

/// The answers with this output are whole.
async fn documents(output: &str) -> Vec<(Kind, Answer)> {
    let mut documents = Vec::new();
    for (kind, answer, recorded) in all(|kind| kind.prints(output)).await {
        assert_eq!(recorded.receipt.outcome, Outcome::Ok, "{kind:?} {output:?}");
        assert!(answer.complete, "{kind:?} {output:?}");
        documents.push((kind, answer));
    }
    documents
}
