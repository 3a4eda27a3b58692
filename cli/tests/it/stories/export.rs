//! A platform that is written to a file and put elsewhere: its users notice nothing but the address.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::Value;

use crate::platform::{Person, Platform, Shape, eventually, files, fixture, saying};
use crate::user::Done;

const PASSPHRASE: &str = "correct horse battery";

/// The flags of `serve` or `api` that say where everything is.
const PLACE: &[&str] = &["--data", "--database", "--storage", "--jwt-key-file", "--settings-key-file"];

/// A command on a platform's own data, with a file that has the passphrase.
fn operate(platform: &Platform, command: &[&str]) -> Done {
    let passphrase = platform.operator().file("passphrase", format!("{PASSPHRASE}\n"));
    let mut args: Vec<String> = command.iter().map(|&arg| arg.to_owned()).collect();
    let all = platform.api_args();
    for pair in all.windows(2) {
        if PLACE.iter().any(|flag| pair[0] == *flag) || pair[0].starts_with("--storage-") {
            args.extend_from_slice(pair);
        }
    }
    args.extend(["--passphrase-file".to_owned(), passphrase]);
    platform.operator().run(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What a person sees, but for addresses, which have a port of the platform.
fn sees(person: &Person<'_>) -> Vec<Value> {
    let mut seen: Vec<Value> = [
        &["list"][..],
        &["versions", "teapot"],
        &["env", "list", "teapot"],
        &["policy", "show", "teapot"],
        &["versions", "cup"],
        &["tokens", "list"],
    ]
    .iter()
    .map(|command| person.run(&[command, &["--json"][..]].concat()).good().json())
    .collect();
    seen.iter_mut().for_each(without_addresses);
    seen
}

fn without_addresses(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("url");
            // Of a token: whether it was used to ask.
            fields.remove("current");
            // And in which minute.
            fields.remove("used_at");
            fields.values_mut().for_each(without_addresses);
        }
        Value::Array(values) => values.iter_mut().for_each(without_addresses),
        _ => {}
    }
}

/// The status of a request with this token.
fn whoami(platform: &Platform, token: &str) -> u16 {
    let headers = BTreeMap::from([("authorization".to_owned(), format!("Bearer {token}"))]);
    platform.web().send(Method::GET, &format!("{}/api/v1/whoami", platform.api_url()), &headers, "").status
}

/// What is imported at `to` from a file, and looked at by the operator, who logs in with the password from before.
fn moves(file: &str, to: &Platform, password: &str, token: &str) -> Vec<Value> {
    operate(to, &["import", file]).good();
    to.start_again();
    assert!(!to.said().contains("password"), "no first start: {}", to.said());
    assert_eq!(whoami(to, token), 200, "a token from before");
    let login = ["login", "admin", "--password-stdin", "--api-server", &to.api_url()];
    to.operator().run_with_input(&login, password).good();
    let admin = to.admin();
    let noted = admin.run(&["audit", "--action", "installation.import", "--json"]).good().json();
    let last = (&noted[0]["via"], &noted[0]["status"]);
    assert_eq!(last, (&"server".into(), &200.into()), "{noted}");
    let teapot = admin.handler("teapot");
    assert_eq!(teapot.get_path("?POT").has_status(200).text(), "brown");
    assert_eq!(teapot.get_path("?TEA").has_status(200).text(), "green");
    admin.handler("cup").answers("cup 2");
    assert_eq!(to.web().get(&to.url("v1--cup")).has_status(200).text(), "cup 1");
    // An executor that has just begun is not yet known to every API.
    eventually("an invocation", || (admin.run(&["invoke", "cup"]).code == 0).then_some(()));
    let revoked = admin.run(&["tokens", "list", "--json"]).good().json();
    let latest = revoked.as_array().unwrap().iter().find(|token| token["current"] == true).unwrap();
    let seen = sees(&admin);
    // The login's own token is new.
    let tokens = seen.last().unwrap().as_array().unwrap();
    let old: Vec<Value> = tokens.iter().filter(|token| token["id"] != latest["id"]).cloned().collect();
    [&seen[..seen.len() - 1], &[Value::Array(old)]].concat()
}

#[test]
fn a_platform_moves_from_sqlite_to_postgresql_and_back() {
    let first = Platform::start(Shape::Serve);
    let admin = first.admin();
    admin
        .run(&[
            "create",
            &fixture("env.wat"),
            "--name",
            "teapot",
            "--env",
            "TEA=green",
            "--secret",
            "POT=brown",
        ])
        .good();
    admin.run(&["policy", "set", "teapot", "--gas", "5000000"]).good();
    admin.run(&["policy", "allow", "teapot", "https://example.com/"]).good();
    admin.create_of("cup", &saying("cup 1")).update(&saying("cup 2"));
    admin.create_of("gone", &saying("gone"));
    admin.run(&["delete", "gone", "--yes"]).good();
    let ada = first.user("ada");
    ada.create_of("hers", &saying("hers"));
    let (password, token) = (first.password().to_owned(), admin.token());

    // While it runs, and serves.
    let file = first.operator().home.path().join("export").to_str().unwrap().to_owned();
    let exported = operate(&first, &["export", &file, "--json"]).good().json();
    assert_eq!(
        (&exported["users"], &exported["settings"], &exported["file"]),
        (&2.into(), &2.into(), &file.as_str().into())
    );
    admin.handler("cup").answers("cup 2");
    let seen = sees(&admin);
    first.stop();

    let second = Platform::new(Shape::Split);
    assert_eq!(moves(&file, &second, &password, &token), seen);
    // The login there is one token more.
    let there = sees(&second.admin());
    let back = second.operator().home.path().join("back").to_str().unwrap().to_owned();
    operate(&second, &["export", &back]).good();
    assert_eq!(whoami(&second, &ada.token()), 200);
    second.admin().handler("hers").answers("hers");
    second.stop();

    let third = Platform::new(Shape::Serve);
    assert_eq!(moves(&back, &third, &password, &token), there);
    // The name of a deleted handler is held for its owner, and a taken one is taken.
    let taken = third.admin().file("taken.wat", saying("taken"));
    third.admin().run(&["create", &taken, "--name", "hers"]).code(1);
    third.admin().run(&["create", &taken, "--name", "gone"]).good();
}

#[test]
fn a_backup_is_checked_without_a_platform_and_refused_where_there_is_one() {
    let platform = Platform::start(Shape::Serve);
    let operator = platform.operator();
    let file = operator.home.path().join("backup").to_str().unwrap().to_owned();
    let exported = operate(&platform, &["export", &file]).good();
    assert!(exported.stdout.starts_with("exported 1 user, 1 handler name, "), "{exported:?}");
    operate(&platform, &["export", &file]).code(1).says("is there already").says("another name");

    let passphrase = operator.file("passphrase", PASSPHRASE);
    let check = ["import", &file, "--check", "--passphrase-file", &passphrase];
    let checked = operator.run(&check).good();
    assert!(checked.stdout.contains("is whole, with 1 user, 1 handler name, "), "{checked:?}");
    let other = operator.file("other", "another passphrase");
    operator
        .run(&["import", &file, "--check", "--passphrase-file", &other])
        .code(1)
        .says("not the passphrase");
    let damaged = operator.file("damaged", &std::fs::read(&file).unwrap()[..5_000]);
    operator
        .run(&["import", &damaged, "--check", "--passphrase-file", &passphrase])
        .code(1)
        .says("is damaged");
    operator.run(&["import", &file, "--check"]).code(2).says("WASMCLOUD_PASSPHRASE");
    let by_variable =
        operator.command(&["import", &file, "--check"]).env("WASMCLOUD_PASSPHRASE", PASSPHRASE).output();
    Done::of(by_variable.unwrap()).good();

    // A file that cannot be written whole is not there.
    let mut full = std::process::Command::new("sh");
    full.args(["-c", r#"trap '' XFSZ; ulimit -f 4; exec "$0" "$@""#, env!("CARGO_BIN_EXE_wasmcloud")]);
    let data = platform.data();
    full.args(["export", "large", "--data", data.to_str().unwrap(), "--passphrase-file", &passphrase]);
    let full = Done::of(full.env_clear().current_dir(operator.home.path()).output().unwrap());
    full.code(1).says("cannot write large").says("free some space");
    let left = operator.home.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_str().unwrap().starts_with("large")));

    // Over a platform that runs, and one that does not.
    operate(&platform, &["import", &file]).code(1).says("another wasmcloud is using").says("stop it first");
    platform.stop();
    operate(&platform, &["import", &file])
        .code(1)
        .says("there are users here already")
        .says("another --data");
    // Nor does a wrong way make an installation.
    let nowhere = operator.home.path().join("nowhere");
    let export = ["export", "new", "--data", nowhere.to_str().unwrap(), "--passphrase-file", &passphrase];
    operator.run(&export).code(1).says("there is no data directory").says("--data");
    assert!(!nowhere.exists());
    platform.start_again();
    platform.admin().handler("hello").get().has_status(200);

    // An import that was refused left nothing that would look like an installation.
    let fresh = Platform::new(Shape::Serve);
    operate(&fresh, &["import", &damaged]).code(1).says("nothing was written");
    assert_eq!(files(&fresh.data().join("modules")), Vec::<std::path::PathBuf>::new());
    assert!(!fresh.data().join("jwt-key.pk8").exists() && !fresh.data().join("settings-key").exists());
}
