use serde_json::json;

use super::{browser_stories, html, plays};
use crate::platform::{Platform, Shape};

every_shape![a_handlers_page_reaches_nothing_of_the_panel];

browser_stories!["security.mjs":
    the_session_is_in_a_cookie_that_only_this_host_has_and_no_script_reads,
    the_panel_works_by_the_machines_number_as_well,
    every_answer_carries_the_policy,
    the_first_page_is_below_50_kb,
];

fn a_handlers_page_reaches_nothing_of_the_panel(shape: Shape) {
    let platform = Platform::start(shape);
    let page = html(
        &[
            "Set-Cookie: __Host-wasmcloud=mine; Path=/; Secure",
            "Set-Cookie: theirs=mine; Domain=localhost; Path=/",
        ],
        include_str!("../../../browser/attack.html"),
    );
    let evil = platform.admin().create_of("evil", &page);
    let mut places = vec![evil.url];
    if shape == Shape::Serve {
        places.push(format!("http://localhost:{}/~evil/", platform.edge_port));
    }
    let story = "a_handlers_page_reaches_nothing_of_the_panel";
    plays(&platform, "security.mjs", story, json!({ "places": places }));
}
