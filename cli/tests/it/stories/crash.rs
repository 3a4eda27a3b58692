use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use futures::stream;
use reqwest::{Body, Method};

use crate::platform::{Handler, Platform, Reply, Shape, eventually, saying};

every_shape![
    killed_under_load_it_comes_back_with_all_that_was_acknowledged,
    killed_in_an_upload_the_old_version_serves_or_the_new_one,
    killed_in_the_middle_of_a_body_nothing_has_changed,
];

/// Creates that are acknowledged before the end, and answers that are given.
const CREATED_MIN: usize = 5;
const ANSWERED_MIN: u32 = 50;

fn killed_under_load_it_comes_back_with_all_that_was_acknowledged(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let busy = admin.create_of("busy", &saying("busy"));
    let (created, answered) = (Mutex::new(Vec::new()), AtomicU32::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                let name = format!("made-{number}");
                let file = admin.file(&format!("{name}.wat"), saying(&name));
                if admin.run(&["create", &file, "--name", &name]).code != 0 {
                    return;
                }
                created.lock().unwrap().push(name);
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                // The first request without an answer is the end.
                while let Some(reply) = answered_by_the_platform(platform.web().try_get(&busy.url)) {
                    assert_eq!((reply.status, reply.text().as_str()), (200, "busy"));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let loaded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually("the load", || {
                let enough = created.lock().unwrap().len() >= CREATED_MIN;
                (enough && answered.load(Ordering::Relaxed) >= ANSWERED_MIN).then_some(())
            });
        }));
        // The threads end by this.
        platform.kill();
        loaded.unwrap();
    });

    platform.keeps_everything_whole();
    platform.start_again();
    busy.answers("busy");
    let there = admin.handlers();
    for name in created.lock().unwrap().iter() {
        assert!(there.contains(name), "{name} was acknowledged: {there:?}");
    }
    for name in there.iter().filter(|name| name.starts_with("made-")) {
        admin.handler(name).answers(name);
    }
    // Its own log is one that can be written to again.
    let invocation = busy.answers("busy").invocation();
    busy.log_of(&invocation);
}

/// An answer, unless it is what a proxy says before processes that are gone.
fn answered_by_the_platform(reply: reqwest::Result<Reply>) -> Option<Reply> {
    reply.ok().filter(|reply| reply.status != 502)
}

fn killed_in_an_upload_the_old_version_serves_or_the_new_one(shape: Shape) {
    let platform = Platform::start(shape);
    let handler = platform.admin().create_of("precious", &saying("version 0"));
    let everything = Platform::kill as fn(&Platform);
    let mut moments = vec![
        (Moment::Stored, everything),
        (Moment::Compiled, everything),
        (Moment::Committed, everything),
        (Moment::Acknowledged, everything),
    ];
    if shape != Shape::Serve {
        moments.extend([
            (Moment::Stored, Platform::kill_api as fn(&Platform)),
            (Moment::Stored, Platform::kill_executor),
            (Moment::Compiled, Platform::kill_api),
            (Moment::Committed, Platform::kill_api),
            (Moment::Committed, Platform::kill_executor),
        ]);
    }
    let mut old = "version 0".to_owned();
    for (number, (moment, kill)) in moments.into_iter().enumerate() {
        let new = format!("version {}", number + 1);
        let acknowledged = upload_and_kill(&platform, &handler, &new, moment, kill);
        platform.start_again();
        let serves = handler.get().has_status(200).text();
        assert!(
            serves == new || (serves == old && !acknowledged),
            "{moment:?}: {serves}, not {old} or {new}"
        );
        // What is listed is what serves; an executor that outlived the API may have to hear of it first.
        let live = platform.web().get(&live_url(&platform)).has_status(200).text();
        eventually("the live version", || (handler.get().text() == live).then_some(()));
        // The next upload is as good as any.
        old = format!("{new}, again");
        handler.update(&saying(&old));
        handler.answers(&old);
    }
}

/// What is waited for before the kill.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The module's bytes, or a part of them, are in their folder.
    Stored,
    /// What was compiled of them, or a part of it, is in its folder.
    Compiled,
    /// Something is written to the database.
    Committed,
    /// The upload is answered.
    Acknowledged,
}

/// Kills while a module is uploaded that takes a while to compile. True if the upload was acknowledged.
fn upload_and_kill(
    platform: &Platform,
    handler: &Handler<'_>,
    words: &str,
    moment: Moment,
    kill: fn(&Platform),
) -> bool {
    let admin = platform.admin();
    // No record of an earlier request is still to be written.
    handler.log_of(&handler.get().invocation());
    let look = || match moment {
        Moment::Stored => platform.modules(),
        Moment::Compiled => platform.compiled().iter().map(|path| path.display().to_string()).collect(),
        Moment::Committed => vec![platform.commits()],
        Moment::Acknowledged => Vec::new(),
    };
    let before = look();
    let file = admin.file("large.wat", large(words));
    let mut updating = admin.begin(&["update", &handler.name, &file]);
    eventually(&format!("{moment:?}"), || (look() != before || updating.is_over()).then_some(()));
    kill(platform);
    updating.code() == 0
}

/// The address of the version that is said to be live.
fn live_url(platform: &Platform) -> String {
    let versions = platform.admin().run(&["versions", "precious", "--json"]).good().json();
    let live = versions.as_array().unwrap().iter().find(|version| version["live"] == true).unwrap();
    live["url"].as_str().unwrap().to_owned()
}

/// A program with many functions besides the one that is called.
fn large(words: &str) -> String {
    let body = "(i32.add (i32.mul (local.get 0) (i32.const 17)) (i32.rotl (local.get 0) (i32.const 5)))";
    let functions: String = (0..2_000)
        .map(|n| format!("(func (param i32) (result i32) (i32.xor {body} (i32.const {n})))\n"))
        .collect();
    let small = saying(words);
    format!("{}\n{functions})", small.strip_suffix(')').unwrap())
}

fn killed_in_the_middle_of_a_body_nothing_has_changed(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let handler = admin.create_of("precious", &saying("whole"));
    let modules = platform.modules();
    let url = format!("{}/api/v1/handlers/precious/module", platform.api_url());
    let (half_sent, is_half_sent) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        let upload = scope.spawn(|| {
            let half = stream::once(async { Ok::<_, std::io::Error>(b"\0asm\x01\0\0\0".to_vec()) });
            // Asked for more, the client has sent the first half, and has no more.
            let never = stream::once(async move {
                half_sent.send(()).unwrap();
                std::future::pending().await
            });
            let body = Body::wrap_stream(futures::StreamExt::chain(half, never));
            platform.web().try_send(Method::PUT, &url, &admin.token(), body)
        });
        is_half_sent.recv().unwrap();
        platform.kill();
        assert!(answered_by_the_platform(upload.join().unwrap()).is_none());
    });
    platform.start_again();
    handler.answers("whole");
    assert_eq!(platform.modules(), modules);
}
