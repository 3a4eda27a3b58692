use serde_json::{Value, json};

use crate::platform::{Handler, Platform, Shape, fixture, saying};

every_shape![
    a_setting_reaches_the_program_from_the_next_request_on,
    a_secret_is_shown_by_no_command_and_no_log,
    a_program_that_needs_a_setting_goes_live_with_it_alone,
    a_restarted_platform_reads_its_settings_and_one_without_the_key_does_not_start,
];

/// What the program finds in a variable; `env.wat` answers 404 where there is none.
#[track_caller]
fn value(handler: &Handler<'_>, name: &str) -> Option<String> {
    let reply = handler.get_path(&format!("?{name}"));
    match reply.status {
        404 => None,
        _ => Some(reply.has_status(200).text()),
    }
}

fn a_setting_reaches_the_program_from_the_next_request_on(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let file = fixture("env.wat");
    admin.run(&["create", &file, "--name", "teapot", "--env", "TEA=green", "--secret", "POT=brown"]).good();
    let teapot = admin.handler("teapot");
    assert_eq!(value(&teapot, "TEA").as_deref(), Some("green"));
    assert_eq!(value(&teapot, "POT").as_deref(), Some("brown"));

    let set = admin.run(&["env", "set", "teapot", "TEA=k\u{e4}se=1", "SUGAR="]).good();
    set.says("teapot: set SUGAR, TEA");
    assert_eq!(value(&teapot, "TEA").as_deref(), Some("k\u{e4}se=1"));
    assert_eq!(value(&teapot, "SUGAR").as_deref(), Some(""));
    admin.run_with_input(&["env", "set", "teapot", "TEA=-"], "two\nlines\n").good();
    assert_eq!(value(&teapot, "TEA").as_deref(), Some("two\nlines"));
    let table = admin.run(&["env", "list", "teapot"]).good().stdout;
    assert!(table.contains("POT    (secret)") && table.contains(r"TEA    two\nlines"), "{table}");

    admin.run(&["update", "teapot", &file, "--env", "MILK=oat"]).good();
    assert_eq!((value(&teapot, "MILK"), value(&teapot, "POT")), (Some("oat".into()), Some("brown".into())));
    admin.run(&["env", "unset", "teapot", "MILK", "POT"]).good().says("teapot: unset MILK, POT");
    assert_eq!((value(&teapot, "MILK"), value(&teapot, "POT")), (None, None));
    admin
        .run(&["env", "unset", "teapot", "SUGAR", "POT"])
        .code(4)
        .says("no setting `POT`")
        .says("env list teapot");
    assert_eq!(value(&teapot, "SUGAR").as_deref(), Some(""), "all or nothing");

    // Neither what CGI owns nor anybody else's.
    admin.run(&["env", "set", "teapot", "HTTP_HOST=x"]).code(2).says("reserved");
    admin.run(&["env", "set", "nobodys", "A=x"]).code(4).says("you have no handler `nobodys`");
    admin.run(&["env", "list", "nobodys"]).code(4);
}

fn a_secret_is_shown_by_no_command_and_no_log(shape: Shape) {
    let platform = Platform::new(shape).common_flags(&["--log", "trace"]).started();
    let admin = platform.admin();
    let teapot = admin.create("teapot", &fixture("env.wat"));
    let commands: &[(&[&str], &str)] = &[
        (&["env", "set", "teapot", "--secret", "POT"], "find-me-1"),
        (&["env", "set", "teapot", "POT=find-me-2"], ""),
        (&["env", "list", "teapot"], ""),
        (&["env", "list", "teapot", "--json"], ""),
        (&["env", "set", "teapot", "POT=find-me-3", "--json"], ""),
        (&["env", "set", "teapot", "--secret", "a-b=find-me-4"], ""),
        (&["show", "teapot", "--json"], ""),
        (&["logs", "teapot"], ""),
    ];
    for (args, input) in commands {
        let done = admin.run_with_input(args, input);
        assert!(!format!("{}{}", done.stdout, done.stderr).contains("find-me"), "{args:?}: {done:?}");
    }
    let env: Value = admin.run(&["env", "list", "teapot", "--json"]).good().json();
    let setting = &env["settings"][0];
    assert_eq!(
        (&setting["name"], &setting["secret"], setting.get("value")),
        (&json!("POT"), &json!(true), None)
    );
    assert_eq!(value(&teapot, "POT").as_deref(), Some("find-me-3"));
    assert!(!platform.api_log().contains("find-me"));
    if shape != Shape::Serve {
        assert!(!platform.executor_log().contains("find-me"));
    }
}

fn a_program_that_needs_a_setting_goes_live_with_it_alone(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let text = saying("tea");
    let needing = |name: &str| {
        let section = format!(r#"(@custom "wasmcloud.needs" "{{\"env\": [\"{name}\"]}}"))"#);
        admin.file(&format!("{name}.wat"), format!("{}{section}", text.trim_end().strip_suffix(')').unwrap()))
    };
    let (pot, cup) = (needing("POT"), needing("CUP"));
    let refused = admin.run(&["create", &pot, "--name", "teapot"]).code(5);
    refused.says("needs POT, which is not set").says("wasmcloud create … --secret POT=…");
    assert!(!admin.handlers().contains(&"teapot".to_owned()));
    admin.run(&["create", &pot, "--name", "teapot", "--secret", "POT=brown"]).good();
    let teapot = admin.handler("teapot");
    teapot.answers("tea");

    let refused = admin.run(&["update", "teapot", &cup]).code(5);
    refused.says("needs CUP, which is not set").says("wasmcloud env set teapot CUP=…");
    admin.run(&["update", "teapot", &cup, "--env", "CUP=blue"]).good();
    admin.run(&["env", "unset", "teapot", "POT"]).good();
    let back = admin.run(&["promote", "teapot", "1"]);
    assert_ne!(back.code, 0, "{back:?}");
    back.says("version 1 needs POT, which is not set").says("wasmcloud env set teapot POT=…");
    admin.run(&["env", "unset", "teapot", "CUP"]).good().says("warning: the live version needs CUP");
    admin.run(&["env", "set", "teapot", "CUP="]).good();
    teapot.answers("tea");

    // What is only found in the code is told, and no reason to refuse.
    let asking = admin.run(&["create", &fixture("env.wat"), "--name", "asking"]).good();
    assert!(!asking.stderr.contains("warning"), "it asks by a name that nobody can know: {asking:?}");
}

fn a_restarted_platform_reads_its_settings_and_one_without_the_key_does_not_start(shape: Shape) {
    let platform = Platform::start(shape);
    let create = ["create", &fixture("env.wat"), "--name", "teapot", "--secret", "POT=brown"];
    platform.admin().run(&create).good();
    platform.stop();
    platform.start_again();
    assert_eq!(value(&platform.admin().handler("teapot"), "POT").as_deref(), Some("brown"));

    platform.stop();
    let key = platform.settings_key();
    let aside = key.with_file_name("aside");
    std::fs::rename(&key, &aside).unwrap();
    let args = platform.api_args();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let refused = platform.operator().run(&args).code(1);
    refused.says("settings-key, is missing, and 1 settings are encrypted with it").says("backup");
    assert!(!key.exists(), "no new key is made");

    // Where an operator keeps the key elsewhere, a setting says where: the larger shapes have it already.
    if shape != Shape::Serve {
        std::fs::rename(&aside, &key).unwrap();
        platform.start_again();
        assert_eq!(value(&platform.admin().handler("teapot"), "POT").as_deref(), Some("brown"));
        return;
    }
    let elsewhere = ["--settings-key-file", aside.to_str().unwrap()];
    let platform = platform.api_flags(&elsewhere).started();
    assert_eq!(value(&platform.admin().handler("teapot"), "POT").as_deref(), Some("brown"));
}
