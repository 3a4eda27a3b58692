//! Certificates that servers make themselves, for the first minute.

use crate::platform::{Platform, Process, Shape, Web};

const SELF_SIGNED: [&str; 4] = ["--api-tls", "self-signed", "--edge-tls", "self-signed"];

/// Where the certificate of a listener is, as the start says it, and its fingerprint.
fn told(process: &Process, which: &str) -> (String, String) {
    let line = process.stdout.wait_for(&format!(" for the {which}: it signs itself, sha256 "));
    let (path, sha256) = line.split_once(&format!(" for the {which}: it signs itself, sha256 ")).unwrap();
    (path.trim_start().trim_start_matches("trust").trim().to_owned(), sha256.to_owned())
}

#[test]
fn a_self_signed_server_says_what_to_trust_and_shows_the_same_after_a_restart() {
    let platform = Platform::new(Shape::Serve);
    let mut args = platform.api_args();
    args.extend(SELF_SIGNED.map(str::to_owned));
    let mut before = None;
    for _ in 0..2 {
        let process = Process::spawn(platform.operator(), &args);
        process.stdout.wait_for("next: ");
        let (edge, api) = (told(&process, "edge"), told(&process, "API"));
        let web = Web::trusting(&std::fs::read_to_string(&edge.0).unwrap());
        let hello = format!("https://localhost:{}/~hello/", platform.edge_port);
        assert_eq!(web.get(&hello).has_status(200).text(), "Hello from wasmcloud!\n");
        assert!(
            web.try_get(&platform.api_url().replace("http://", "https://")).is_err(),
            "it is another certificate"
        );

        let trusting = platform.operator().command(&["list"]).env("SSL_CERT_FILE", &api.0).output().unwrap();
        assert!(trusting.status.success(), "{}", String::from_utf8_lossy(&trusting.stderr));
        assert!(String::from_utf8_lossy(&trusting.stdout).contains("hello"));
        let doubting = platform.operator().command(&["list"]).output().unwrap();
        let said = String::from_utf8_lossy(&doubting.stderr);
        assert!(said.contains("nobody that is trusted here has signed its certificate"), "{said}");
        assert!(said.contains("name the CA's file with SSL_CERT_FILE"), "{said}");
        let mistyped =
            platform.operator().command(&["list"]).env("SSL_CERT_FILE", "no.pem").output().unwrap();
        let said = String::from_utf8_lossy(&mistyped.stderr);
        assert!(said.contains("SSL_CERT_FILE names no.pem, which cannot be read"), "{said}");
        let open = platform.api_url().replace("https://", "http://");
        let plain = platform.operator().run(&["login", "--token", "x", "--api-server", &open]).code(6);
        let said = plain.stderr;
        assert!(said.contains(&format!("{open} does not speak plain HTTP")), "{said}");
        assert!(said.contains(&format!("write {}", open.replace("http://", "https://"))), "{said}");

        if before.is_none() {
            process.stdout.wait_for(&format!("curl --cacert {} {hello}", edge.0));
        }
        let now = Some((edge, api));
        assert!(before.is_none() || before == now, "{before:?} became {now:?}");
        before = now;
        process.signal("TERM");
        process.ends_well();
    }
}

#[test]
fn certificate_files_and_a_self_signed_one_exclude_each_other() {
    let platform = Platform::new(Shape::Split);
    let mut args = platform.api_args();
    args.extend(SELF_SIGNED[..2].iter().map(|arg| (*arg).to_owned()));
    let mut process = Process::spawn(platform.operator(), &args);
    assert_eq!(process.code(), 2);
    let told = process.stderr.text();
    assert!(told.contains("--api-tls self-signed and certificate files exclude each other"), "{told}");
}

#[test]
fn a_self_signed_api_says_how_an_executor_trusts_it_from_any_folder() {
    let platform = Platform::new(Shape::Split);
    let mut args = platform.api_args();
    for flag in ["--api-tls-cert", "--api-tls-key"] {
        let place = args.iter().position(|arg| arg == flag).unwrap();
        args.drain(place..place + 2);
    }
    args.extend(SELF_SIGNED[..2].iter().map(|arg| (*arg).to_owned()));
    let data = args.iter().position(|arg| arg == "--data").unwrap();
    args[data + 1] = "relative".to_owned();
    let process = Process::spawn(platform.operator(), &args);
    process.stdout.wait_for(", once for each executor");
    let certificate = platform.operator().home.path().join("relative/tls/api.pem");
    let said = process.stdout.text();
    for words in ["--plane-ca ", "export SSL_CERT_FILE=", "\n  trust  "] {
        assert!(said.contains(&format!("{words}{}", certificate.display())), "no `{words}` in: {said}");
    }
}
