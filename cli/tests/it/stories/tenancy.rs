use crate::platform::{Platform, Shape, saying};

every_shape![anothers_handler_is_not_there_for_any_command];

fn anothers_handler_is_not_there_for_any_command(shape: Shape) {
    let platform = Platform::start(shape);
    let (ada, mallory) = (platform.user("ada"), platform.user("mallory"));
    let handler = ada.create_of("private", &saying("of ada"));
    let invocation = handler.answers("of ada").invocation();
    handler.log_of(&invocation);
    let file = mallory.file("evil.wat", saying("of mallory"));
    let policy = mallory.file("evil.json", r#"{"mode": "observe"}"#);
    for person in [&mallory, &platform.admin()] {
        for command in [
            &["show", "private"][..],
            &["update", "private", &file],
            &["versions", "private"],
            &["promote", "private", "1"],
            &["set", "private", "--forward-authorization", "true"],
            &["policy", "show", "private"],
            &["policy", "allow", "private", "^https://a/"],
            &["policy", "disallow", "private", "^https://a/"],
            &["policy", "remove", "private", "^https://a/"],
            &["policy", "set", "private", "--gas", "1"],
            &["policy", "learned", "private"],
            &["policy", "learned", "private", "--apply"],
            &["update", "private", &file, "--policy", &policy],
            &["invoke", "private"],
            &["logs", "private"],
            &["logs", "private", "--follow"],
            &["logs", "private", "--invocation", &invocation],
            &["invocations", "private"],
            &["invocations", "private", &invocation],
            &["delete", "private", "--yes"],
        ] {
            let done = person.run(command).code(4);
            assert!(done.stdout.is_empty() && !done.stderr.contains("of ada"), "{command:?}: {done:?}");
        }
        assert!(!person.handlers().contains(&"private".to_owned()));
    }
    // An id of another's invocation is worth nothing at one's own handler.
    mallory.create_of("decoy", &saying("of mallory"));
    mallory.run(&["invocations", "decoy", &invocation]).code(4);
    assert_eq!(mallory.run(&["logs", "decoy", "--invocation", &invocation]).good().stdout, "");
    mallory.run(&["create", &file, "--name", "private"]).code(1);
    handler.answers("of ada");
    assert_eq!(ada.handlers(), ["private"]);
}
