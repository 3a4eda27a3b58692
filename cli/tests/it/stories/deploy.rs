use reqwest::Method;

use crate::platform::{Platform, Shape, fixture, olin_echo, saying};

every_shape![
    a_program_answers_from_the_moment_that_create_returns,
    a_program_in_rust_reads_a_request_and_answers_it,
    what_cannot_run_is_refused_and_leaves_nothing_behind,
    a_deleted_handler_is_gone_at_once_and_its_name_is_held,
    without_a_name_one_is_made_up,
];

fn a_program_answers_from_the_moment_that_create_returns(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let done = admin.run(&["create", &fixture("echo.wat"), "--name", "parrot"]).good();
    assert_eq!(done.stdout, format!("{}\n", platform.url("parrot")));
    assert_eq!(admin.handler("parrot").post("polly").has_status(200).text(), "polly");
    done.says("created parrot, version 1")
        .says("olin")
        .says("cwa.io_get_stdin")
        .says("(131072 bytes) at first");
    // It is no first start's privilege: an address that was asked for in vain before answers too.
    let late = admin.handler("latecomer");
    late.get().has_status(404);
    admin.create_of("latecomer", &saying("here"));
    late.answers("here");
    admin.run(&["create", &fixture("echo.wat"), "--name", "parrot"]).code(1).says("already");
}

fn a_program_in_rust_reads_a_request_and_answers_it(shape: Shape) {
    let platform = Platform::start(shape);
    let echo = platform.admin().create("rusty", &olin_echo());
    assert_eq!(echo.get_path("a/b?c=d").has_status(200).text(), "GET /a/b?c=d\n");
    let reply = echo.post("tea, earl grey, hot");
    assert_eq!(reply.text(), "POST /\ntea, earl grey, hot");
    assert_eq!(echo.log_of(&reply.invocation()), ["POST / with 19 bytes"]);
    let large = vec![b'x'; 3 << 20];
    assert_eq!(echo.post(large.clone()).body.len(), large.len() + "POST /\n".len());
}

fn what_cannot_run_is_refused_and_leaves_nothing_behind(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let (handlers, modules) = (admin.handlers(), platform.modules());
    let damaged = admin.file("damaged.wasm", b"\0asm\x01\0\0\0\x01\xff\xff\xff");
    let native = admin.file("native.wasm", b"\x7fELF\x02\x01\x01");
    let large = admin.file("large.wasm", [b"\0asm\x01\0\0\0".as_slice(), &vec![0; 33 << 20]].concat());
    for (file, words) in [
        (fixture("unknown_import.wat"), "`cwa.file_delete`, which nobody provides here"),
        (fixture("wrong_type.wat"), "it is provided as"),
        (fixture("missing_start.wat"), "`_start`"),
        (fixture("big_memory.wat"), "2049 pages of memory (134283264 bytes); the memory limit is 2048 pages"),
        (fixture("threads.wat"), "thread"),
        (damaged, "error:"),
        (native, "native"),
        (large, "the upload limit is 33554432"),
    ] {
        admin.run(&["create", &file, "--name", "refused"]).code(5).says(words).says("hint:");
        platform.web().get(&platform.url("refused")).has_status(404);
    }

    // Whoever does not ask by our own command is refused as well.
    let url = format!("{}/api/v1/handlers?name=refused", platform.api_url());
    let large = vec![0; (32 << 20) + 1];
    let reply = platform.web().try_send(Method::POST, &url, &admin.token(), large).unwrap();
    assert_eq!(reply.status, 413, "{}", reply.text());

    assert_eq!(admin.handlers(), handlers);
    assert_eq!(platform.modules(), modules);
    assert_eq!(platform.compiled().iter().filter(|path| path.ends_with("refused")).count(), 0);
    // The name is free still.
    admin.create_of("refused", &saying("accepted")).answers("accepted");
}

fn a_deleted_handler_is_gone_at_once_and_its_name_is_held(shape: Shape) {
    let platform = Platform::start(shape);
    let (ada, bob) = (platform.user("ada"), platform.user("bob"));
    let handler = ada.create_of("short-lived", &saying("alive"));
    handler.answers("alive");
    ada.run(&["delete", "short-lived"]).code(2).says("--yes");
    handler.answers("alive");

    ada.run(&["delete", "short-lived", "--yes"]).good();
    let gone = handler.get().has_status(404);
    assert!(gone.text().contains("handler_not_found"), "{}", gone.text());
    platform.web().get(&platform.url("v1--short-lived")).has_status(404);
    ada.run(&["show", "short-lived"]).code(4);
    ada.run(&["delete", "short-lived", "--yes"]).code(4);
    assert_eq!(ada.handlers(), Vec::<String>::new());

    let file = bob.file("mine.wat", saying("mine"));
    bob.run(&["create", &file, "--name", "short-lived"]).code(1).says("kept until");
    ada.create_of("short-lived", &saying("again")).answers("again");
}

fn without_a_name_one_is_made_up(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let file = admin.file("any.wat", saying("whoever I am"));
    let url = admin.run(&["create", &file]).good().stdout;
    assert_eq!(platform.web().get(url.trim()).has_status(200).text(), "whoever I am");
}
