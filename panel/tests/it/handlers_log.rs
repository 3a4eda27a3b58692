//! The log: the newest lines, and the stream of those to come.

use serde_json::json;

use crate::handlers::{ID, hello, line};

#[tokio::test]
async fn lines_say_their_level_and_show_what_cannot_be_seen() {
    let (api, mut alice) = hello("viewer");
    let lines =
        [line(0, 1, "red\u{1b}[31m"), line(1, 3, "a\u{202e}b"), line(2, 6, "plain"), line(3, 9, "own")];
    api.on("GET /api/v1/handlers/hello/logs", json!({ "lines": lines }));
    let page = alice.get("/handlers/hello/log").await;
    page.is(200).says("<span class=\"level\">error</span>").says("<span class=\"level\">warning</span>");
    page.says("<span class=\"level\">level 9</span>").says("red\u{241b}[31m").says("a‹U+202E›b");
    page.says(&format!("data-key=\"{ID}-2\"")).says(&format!("href=\"/handlers/hello/invocations/{ID}\""));
    page.says("data-events=\"/handlers/hello/log/events\"").says("/log.js\" defer");
}

#[tokio::test]
async fn filters_go_to_the_api_and_stay_in_the_form_and_in_the_stream() {
    let (api, mut alice) = hello("viewer");
    let asked =
        format!("GET /api/v1/handlers/hello/logs?limit=200&level=warning&invocation={ID}&text=a+%26+b");
    api.on(&asked, json!({ "lines": [], "more_before": 5_000 }));
    let query = format!("level=warning&invocation={ID}&text=a+%26+b");
    let page = alice.get(&format!("/handlers/hello/log?{query}")).await;
    page.is(200)
        .says("that the filter lets through")
        .says("value=\"a &#38; b\"")
        .says("<option value=\"warning\" selected>");
    page.says(&format!("data-events=\"/handlers/hello/log/events?{}\"", query.replace('&', "&#38;")));
    page.says("until=5000");
    // Earlier lines are over: nothing is followed there.
    api.on("GET /api/v1/handlers/hello/logs?limit=200&until=5000", json!({ "lines": [line(0, 6, "old")] }));
    alice.get("/handlers/hello/log?until=5000").await.says("old").says_no("data-events");
}

#[tokio::test]
async fn a_filter_that_the_api_refuses_is_an_error_on_the_page() {
    let (api, mut alice) = hello("viewer");
    api.refuses("GET /api/v1/handlers/hello/logs", 422, "invalid", "`invocation` is no id");
    let page = alice.get("/handlers/hello/log?invocation=x").await;
    page.is(422).says("role=\"alert\"").says("is no id").says("value=\"x\"").says_no("data-events");
}

#[tokio::test]
async fn the_stream_is_passed_on_and_goes_on_where_it_was() {
    let (api, mut alice) = hello("viewer");
    let event = "id: 7\nevent: line\ndata: {}\n\n";
    let asked = "GET /api/v1/handlers/hello/logs?follow=true&limit=200&level=error";
    api.streams(asked, "text/event-stream", event);
    let page = alice.get("/handlers/hello/log/events?level=error&last=7").await;
    assert_eq!((page.status, page.body.as_str()), (200, event));
    assert_eq!(page.headers["content-type"], "text/event-stream");
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(api.last_event_id().as_deref(), Some("7"));
    api.refuses(
        "GET /api/v1/handlers/hello/logs?follow=true&limit=200",
        429,
        "too_many_followers",
        "too many",
    );
    alice.get("/handlers/hello/log/events").await.is(429).says("too_many_followers");
}
