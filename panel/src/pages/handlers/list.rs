//! The list of handlers.

use std::collections::HashMap;

use askama::Template;
use http::StatusCode;
use wasmcloud_wire::body::{Handler, Sparkline};

use super::tab_path;
use crate::api::{Refused, path_with};
use crate::chart::{Spark, spark};
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "handlers/list.html")]
struct ListPage {
    shell: Shell,
    rows: Vec<Row>,
    /// Why there are no charts, if there are none.
    charts_error: Option<Refused>,
    /// The server's own address, for the commands of whoever begins.
    me: String,
}

struct Row {
    handler: Handler,
    link: String,
    spark: Spark,
    /// Whether it is a team's.
    is_teams: bool,
}

/// All handlers that the person can see.
pub(super) async fn show(visitor: &Visitor) -> Result<Response, Refused> {
    let handlers: Vec<Handler> = visitor.api.get("/api/v1/handlers").await?;
    let charts = visitor.api.get::<Vec<Sparkline>>(&path_with(&["charts"], &[("span", Some("day"))])).await;
    let (charts, charts_error) = match charts {
        Ok(charts) => (charts, None),
        Err(refused) => (Vec::new(), Some(refused)),
    };
    let me = visitor.user.as_ref().map(|user| user.name.as_str().to_owned()).unwrap_or_default();
    let lines: HashMap<_, _> = charts.iter().map(|line| (&line.handler, line)).collect();
    let rows = handlers.into_iter().map(|handler| Row {
        link: tab_path(handler.name.as_str(), ""),
        spark: spark(lines.get(&handler.name).copied()),
        is_teams: handler.owner.as_ref().is_some_and(|owner| owner.as_str() != me),
        handler,
    });
    let template =
        ListPage { shell: visitor.shell("Handlers"), rows: rows.collect(), charts_error, me: me.clone() };
    Ok(page(StatusCode::OK, &template))
}
