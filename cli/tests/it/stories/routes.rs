use wasmcloud_testkit::dns::{DnsServer, Says};

use crate::platform::{Person, Platform, ROUTED_DOMAIN, Shape, block_on, eventually, fixture, saying};

every_shape![
    a_host_of_ones_own_is_proven_and_routed_to_handlers,
    an_operator_grants_a_host_and_takes_it_back,
    anothers_host_and_routes_are_not_there,
];

/// A platform whose API asks a DNS server of the test's own.
fn start(shape: Shape) -> (Platform, DnsServer) {
    let dns = block_on(DnsServer::start());
    let at = dns.addr().to_string();
    let flags = ["--registration", "invitation", "--dns-server", &at];
    (Platform::new(shape).api_flags(&flags).started(), dns)
}

/// A host that the platform's certificate is good for.
fn host() -> String {
    format!("api.{ROUTED_DOMAIN}")
}

/// What a path below the host answers: status and body.
fn get(platform: &Platform, path: &str) -> (u16, String) {
    let scheme = if platform.shape == Shape::Serve { "http" } else { "https" };
    let reply = platform.web().get(&format!("{scheme}://{}:{}{path}", host(), platform.edge_port));
    (reply.status, reply.text())
}

/// Sets the DNS record that a command has printed.
fn set_record(dns: &DnsServer, printed: &str) {
    let (name, value) = printed.trim().split_once(" TXT ").unwrap();
    dns.set(name, Says::text(value.trim_matches('"')));
}

fn says(words: &str) -> (u16, String) {
    (200, words.to_owned())
}

fn a_host_of_ones_own_is_proven_and_routed_to_handlers(shape: Shape) {
    let (platform, dns) = start(shape);
    let (ada, host) = (platform.user("ada"), host());
    ada.create_of("front", &saying("the front"));
    ada.create_of("first", &saying("version one"));
    ada.create("seen", &fixture("env.wat"));
    let (status, text) = get(&platform, "/");
    assert!(status == 404 && text.contains(&format!("wasmcloud route add {host} NAME")), "{text}");

    // The record is what one sets, word for word.
    let added = ada.run(&["route", "add", &format!("{host}/v1"), "first"]).good();
    let added = added.says("leads to first").says("Set this DNS record");
    let added = added.says(&format!("wasmcloud host verify {host}"));
    assert_eq!(ada.run(&["host", "add", &host]).good().stdout, added.stdout);
    assert_eq!(get(&platform, "/v1").0, 404, "nothing is served before the proof");
    ada.run(&["host", "verify", &host]).code(1).says("NXDOMAIN").says("_wasmcloud.api.");
    dns.set(&format!("_wasmcloud.{host}"), Says::text("wasmcloud=something-else"));
    ada.run(&["host", "verify", &host]).code(1).says("something-else");
    set_record(&dns, &added.stdout);
    ada.run(&["host", "verify", &host]).good().says("its route is served");
    assert_eq!(get(&platform, "/v1/x"), says("version one"));

    // Several handlers under one host; what is most specific answers.
    ada.run(&["route", "add", &host, "front"]).good();
    ada.run(&["route", "add", &format!("{host}/v1/seen"), "seen", "--strip-prefix"]).good();
    assert_eq!(get(&platform, "/v10"), says("the front"));
    assert_eq!(get(&platform, "/v1"), says("version one"));
    for (name, value) in [("SCRIPT_NAME", "/v1/seen"), ("PATH_INFO", "/a b"), ("SERVER_NAME", &host)] {
        assert_eq!(get(&platform, &format!("/v1/seen/a%20b?{name}")), says(value));
    }
    ada.run(&["route", "add", &format!("{host}/v1"), "front"]).code(1).says("your handler `first`");
    ada.run(&["route", "add", &format!("{host}/../x"), "front"]).code(1).says("`..`");
    let list = ada.run(&["route", "list"]).good().stdout;
    assert!(list.contains(&format!("{host}/v1/seen")) && list.contains("stripped"), "{list}");
    let hosts = ada.run(&["host", "list", "--json"]).good().json();
    assert_eq!((&hosts[0]["state"], &hosts[0]["routes"]), (&"proven".into(), &3.into()));

    // A route goes on to the version that is live, and is gone when it is removed, or its handler is deleted.
    ada.handler("first").update(&saying("version two"));
    assert_eq!(get(&platform, "/v1"), says("version two"));
    ada.run(&["route", "remove", &format!("{host}/v1/seen")]).good();
    assert_eq!(get(&platform, "/v1/seen"), says("version two"));
    ada.run(&["host", "remove", &host]).code(1).says("2 routes");
    ada.run(&["delete", "first", "--yes"]).good();
    assert_eq!(get(&platform, "/v1"), says("the front"));
    ada.run(&["route", "remove", &host]).good();
    ada.run(&["host", "remove", &host]).good();
    assert_eq!(get(&platform, "/").0, 404);
}

fn an_operator_grants_a_host_and_takes_it_back(shape: Shape) {
    let (platform, dns) = start(shape);
    let (ada, admin, host) = (platform.user("ada"), platform.admin(), host());
    ada.create_of("front", &saying("granted"));
    ada.run(&["route", "add", &host, "front"]).good();
    ada.run(&["host", "grant", &host, "ada"]).code(3).says("operates");
    admin.run(&["host", "grant", &host, "ada"]).good().says("was granted to ada");
    assert_eq!(get(&platform, "/"), says("granted"));
    assert!(ada.run(&["host", "list"]).good().stdout.contains("granted"));
    admin.run(&["host", "revoke", &host]).good().says("until now it was ada's");
    assert_eq!(get(&platform, "/").0, 404);
    for (name, words) in [
        ("*.example.com", "wildcard"),
        ("10.0.0.1", "address"),
        ("localhost", "no host name"),
        (platform.url("x").split('/').nth(2).unwrap().split(':').next().unwrap(), "handlers answer below"),
    ] {
        ada.run(&["host", "add", name]).code(1).says(words);
    }
    assert_eq!(dns.questions(), [] as [String; 0], "a grant needs no DNS");
}

fn anothers_host_and_routes_are_not_there(shape: Shape) {
    let (platform, dns) = start(shape);
    let (ada, mallory, host) = (platform.user("ada"), platform.user("mallory"), host());
    ada.create_of("front", &saying("of ada"));
    mallory.create_of("decoy", &saying("of mallory"));
    let verify = |person: &Person<'_>| {
        set_record(&dns, &person.run(&["host", "add", &host]).good().stdout);
        person.run(&["host", "verify", &host]).good()
    };
    // Whoever was there first without a proof stands in nobody's way.
    mallory.run(&["route", "add", &host, "decoy"]).good();
    ada.run(&["route", "add", &host, "front"]).good();
    verify(&ada);
    assert_eq!(get(&platform, "/"), says("of ada"));
    mallory.run(&["route", "add", &format!("{host}/x"), "decoy"]).code(1).says("another user");
    mallory.run(&["host", "verify", &host]).code(1).says("wasmcloud=");
    for person in [&mallory, &platform.admin()] {
        person.run(&["route", "remove", &format!("{host}/y")]).code(4);
        assert!(!person.run(&["route", "list"]).good().stdout.contains("front"));
    }
    platform.admin().run(&["host", "remove", &host]).code(4);
    assert_eq!(get(&platform, "/"), says("of ada"));
    // Whoever controls the name's DNS has the host; a restart changes nothing.
    verify(&mallory);
    assert_eq!(get(&platform, "/"), says("of mallory"));
    platform.stop();
    platform.start_again();
    eventually("the route is back", || (get(&platform, "/") == says("of mallory")).then_some(()));
}
