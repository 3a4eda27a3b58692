use std::net::{Ipv4Addr, TcpListener};

use sqlx::Connection as _;

use crate::platform::{Platform, Process, Shape, block_on};

/// Expects that a server does not start, for a reason that it tells in one line.
#[track_caller]
fn refuses(platform: &Platform, args: &[String], words: &[&str]) {
    let mut process = Process::spawn(platform.operator(), args);
    let code = process.code();
    let (said, told) = (process.stdout.text(), process.stderr.text());
    assert!(code == 1 || code == 2, "{code}: {told}");
    assert_eq!(said, "", "it began nevertheless");
    let errors: Vec<&str> = told.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{told}");
    for words in words {
        assert!(told.contains(words), "no `{words}` in: {told}");
    }
    let noise = told.lines().filter(|line| !line.starts_with("error: ") && !line.starts_with("hint: "));
    assert_eq!(noise.collect::<Vec<_>>(), Vec::<&str>::new(), "{told}");
}

/// A platform's arguments with others in their place or behind them.
fn with(mut args: Vec<String>, others: &[(&str, &str)]) -> Vec<String> {
    for &(flag, value) in others {
        match args.iter().position(|arg| arg == flag) {
            Some(place) => args[place + 1] = value.to_owned(),
            None => args.extend([flag.to_owned(), value.to_owned()]),
        }
    }
    args
}

fn without(mut args: Vec<String>, flag: &str) -> Vec<String> {
    let place = args.iter().position(|arg| arg == flag).unwrap();
    args.drain(place..place + 2);
    args
}

#[test]
fn a_port_in_use_is_named_with_the_flag_that_chooses_another() {
    let (serve, split) = (Platform::new(Shape::Serve), Platform::new(Shape::Split));
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (platform, args, flag) in [
        (&serve, serve.api_args(), "--api-listen"),
        (&serve, serve.api_args(), "--edge-listen"),
        (&split, split.api_args(), "--api-listen"),
        (&split, split.executor_args(), "--edge-listen"),
        (&split, split.executor_args(), "--internal-listen"),
    ] {
        let words = [&format!("{address} is already in use") as &str, flag];
        refuses(platform, &with(args, &[(flag, &address)]), &words);
    }
    // Nobody was made a user by a start that failed: the password would never have been seen.
    let serve = serve.started();
    assert!(serve.said().contains("admin with the password"), "{}", serve.said());
}

#[test]
fn two_listeners_of_one_process_at_one_address_are_named_both() {
    let (serve, split) = (Platform::new(Shape::Serve), Platform::new(Shape::Split));
    for (platform, args, one, other) in [
        (&serve, serve.api_args(), "--api-listen", "--edge-listen"),
        (&split, split.executor_args(), "--edge-listen", "--internal-listen"),
    ] {
        let address = args[args.iter().position(|arg| arg == one).unwrap() + 1].clone();
        let address = if address.ends_with(":0") { "127.0.0.1:3999".to_owned() } else { address };
        let args = with(args, &[(one, &address), (other, &address)]);
        refuses(platform, &args, &[&format!("{one} is {address}"), &format!("{other} is {address}")]);
    }
    let args = with(serve.api_args(), &[("--edge-listen", "3001")]);
    let mut process = Process::spawn(serve.operator(), &args);
    assert_eq!(process.code(), 2);
    let told = process.stderr.text();
    assert!(told.contains("`3001`") && told.contains("like 127.0.0.1:3001"), "{told}");
}

#[test]
fn a_data_directory_that_is_none_is_named() {
    for (shape, executor) in [(Shape::Serve, false), (Shape::Split, false), (Shape::Split, true)] {
        let platform = Platform::new(shape);
        let args = if executor { platform.executor_args() } else { platform.api_args() };
        let file = platform.operator().file("in-the-way", "a file");
        refuses(&platform, &with(args.clone(), &[("--data", &file)]), &[&file, "is a file", "--data"]);
        let below = format!("{file}/data");
        refuses(&platform, &with(args, &[("--data", &below)]), &[&file, "--data"]);
    }
}

#[test]
fn a_folder_in_a_files_place_is_named() {
    let platform = Platform::new(Shape::Serve);
    std::fs::create_dir_all(platform.data().join("wasmcloud.sqlite")).unwrap();
    refuses(&platform, &platform.api_args(), &["wasmcloud.sqlite", "--data"]);
    std::fs::remove_dir(platform.data().join("wasmcloud.sqlite")).unwrap();
    std::fs::write(platform.data().join("modules"), "a file").unwrap();
    refuses(&platform, &platform.api_args(), &["modules"]);
    std::fs::remove_file(platform.data().join("modules")).unwrap();
    std::fs::write(platform.data().join("compiled"), "a file").unwrap();
    refuses(&platform, &platform.api_args(), &["compiled"]);
}

#[test]
fn a_file_that_is_no_database_is_named_and_left_alone() {
    let platform = Platform::new(Shape::Serve);
    std::fs::create_dir_all(platform.data()).unwrap();
    let path = platform.data().join("wasmcloud.sqlite");
    let text = "no database, but something that somebody needs".repeat(100);
    std::fs::write(&path, &text).unwrap();
    refuses(&platform, &platform.api_args(), &["wasmcloud.sqlite"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn the_database_of_a_newer_version_is_left_alone() {
    let platform = Platform::new(Shape::Serve).started();
    platform.stop();
    let path = platform.data().join("wasmcloud.sqlite");
    block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
        let mut database = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (999999, 'of the future', 1, x'00', 0);
             UPDATE schema_floor SET migration = 999999",
        )
        .execute(&mut database)
        .await
        .unwrap();
        database.close().await.unwrap();
    });
    let before = std::fs::read(&path).unwrap();
    refuses(&platform, &platform.api_args(), &["newer", "999999"]);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_data_directory_has_one_server() {
    for shape in [Shape::Serve, Shape::Split] {
        let platform = Platform::new(shape).started();
        let second = Platform::new(shape);
        let data = platform.data();
        let args = with(second.api_args(), &[("--data", data.to_str().unwrap())]);
        refuses(&second, &args, &["another wasmcloud is using", data.to_str().unwrap()]);
        if shape == Shape::Split {
            let of_first = platform.executor_args();
            let data = &of_first[of_first.iter().position(|arg| arg == "--data").unwrap() + 1];
            refuses(
                &second,
                &with(second.executor_args(), &[("--data", data)]),
                &["another wasmcloud", data],
            );
        }
        platform.stop();
    }
}

#[test]
fn a_mistake_in_the_settings_file_is_named() {
    let platform = Platform::new(Shape::Serve);
    std::fs::create_dir_all(platform.data()).unwrap();
    let path = platform.data().join("server.toml");
    for (text, words) in [
        ("[edge]\ndomian = \"example.net\"\n", &["domian", "domain"][..]),
        ("[egde]\n", &["egde"]),
        ("[limits]\ngas = \"much\"\n", &["gas", "much"]),
        ("[limits]\nwall_ms = 0\n", &["wall_ms", "0", "300000"]),
        ("[api]\nlisten = \"everywhere\"\n", &["listen"]),
        ("[api\n", &["server.toml"]),
    ] {
        std::fs::write(&path, text).unwrap();
        let mut process = Process::spawn(platform.operator(), &platform.api_args());
        assert_ne!(process.code(), 0, "{text}");
        let told = process.stderr.text();
        assert!(told.starts_with("error: "), "{told}");
        for words in words {
            assert!(told.contains(words), "no `{words}` in: {told}");
        }
    }
    let missing = with(platform.api_args(), &[("--settings", "/nowhere/server.toml")]);
    refuses(&platform, &missing, &["/nowhere/server.toml", "check the path that --settings"]);
}

#[test]
fn certificates_that_do_not_do_are_named() {
    let platform = Platform::new(Shape::Split);
    for (args, which) in [
        (platform.api_args(), "api"),
        (platform.executor_args(), "edge"),
        (platform.executor_args(), "internal"),
    ] {
        let (cert, key) = (format!("--{which}-tls-cert"), format!("--{which}-tls-key"));
        let own = |flag: &str| args[args.iter().position(|arg| arg == flag).unwrap() + 1].clone();
        let missing = with(args.clone(), &[(&cert, "/nowhere/cert.pem")]);
        refuses(&platform, &missing, &["/nowhere/cert.pem", &cert]);
        refuses(&platform, &with(args.clone(), &[(&cert, &own(&key))]), &["has no certificate"]);
        refuses(&platform, &without(args.clone(), &key), &["belong together", &key]);
    }
    let args = with(platform.api_args(), &[("--plane-ca", "/nowhere/ca.pem")]);
    refuses(&platform, &args, &["/nowhere/ca.pem", "--plane-ca"]);
    let garbage = platform.operator().file("ca.pem", "no certificate at all");
    refuses(&platform, &with(platform.api_args(), &[("--plane-ca", &garbage)]), &["--plane-ca"]);
    refuses(&platform, &with(platform.executor_args(), &[("--plane-ca", &garbage)]), &["--plane-ca"]);
}

#[test]
fn a_service_token_that_does_not_do_is_named() {
    let platform = Platform::new(Shape::Split);
    let flag = "--service-token-file";
    let short = platform.operator().file("short-token", "hunter2");
    for args in [platform.api_args(), platform.executor_args()] {
        refuses(&platform, &without(args.clone(), flag), &[flag, "is missing", "openssl rand"]);
        refuses(&platform, &with(args.clone(), &[(flag, "/nowhere/token")]), &["/nowhere/token"]);
        let mut process = Process::spawn(platform.operator(), &with(args, &[(flag, &short)]));
        assert_ne!(process.code(), 0);
        let told = process.stderr.text();
        assert!(told.contains("short-token") && !told.contains("hunter2"), "{told}");
    }
}

#[test]
fn an_open_port_between_the_planes_needs_a_certificate() {
    let platform = Platform::new(Shape::Split);
    let open = format!("0.0.0.0:{}", crate::platform::free_port());
    let args = without(without(platform.executor_args(), "--internal-tls-cert"), "--internal-tls-key");
    let args = with(args, &[("--internal-listen", &open)]);
    refuses(&platform, &args, &[&open, "has no certificate", "--internal-tls-cert"]);
    let plain = with(platform.executor_args(), &[("--api", "http://10.0.0.1:3000")]);
    refuses(&platform, &plain, &["http://10.0.0.1:3000", "https"]);
}

#[test]
fn a_module_that_the_database_has_and_the_folder_has_not_is_told_once() {
    let platform = Platform::new(Shape::Serve).started();
    platform.stop();
    for folder in ["modules", "compiled"] {
        std::fs::remove_dir_all(platform.data().join(folder)).unwrap();
    }
    platform.start_again();
    for _ in 0..2 {
        platform.web().get(&platform.url("hello")).has_status(503);
    }
    let log = platform.api_log();
    let told = log.lines().filter(|line| line.contains("a module is in the database, but not where"));
    assert_eq!(told.filter(|line| line.contains("WARN") && line.contains("--storage")).count(), 1, "{log}");
    assert!(!log.contains("already exists, skipping"), "{log}");
}
