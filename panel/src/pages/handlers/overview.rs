//! A handler's first page: what it is, and how it did.

use askama::Template;
use wasmcloud_wire::body::{Chart, ChartPoint, Span};
use wasmcloud_wire::{Abi, Timestamp};

use super::Frame;
use crate::api::{Refused, path_with};
use crate::chart::{Plot, Sums, moment, plots};
use crate::request::Request;
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "handlers/overview.html")]
struct OverviewPage {
    shell: Shell,
    frame: Frame,
    span: Span,
    charts: Result<Charts, Refused>,
}

struct Charts {
    plots: Vec<Plot>,
    sums: Sums,
    rows: Vec<Row>,
}

/// One point, for the table.
struct Row {
    from: String,
    point: ChartPoint,
}

/// A handler, with charts over the span that is asked for.
pub(super) async fn show(request: &Request, visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    let frame = Frame::of(visitor, name, "overview").await?;
    let span = request.query("span").and_then(|span| span.parse().ok()).unwrap_or(Span::Day);
    let path = path_with(&["handlers", name, "chart"], &[("span", Some(span.as_str()))]);
    let charts = visitor.api.get::<Chart>(&path).await.map(|chart| drawn(&chart, frame.handler.abi));
    let shell = visitor.shell(name);
    Ok(page(frame.status(), &OverviewPage { shell, frame, span, charts }))
}

fn drawn(chart: &Chart, abi: Abi) -> Charts {
    let rows = chart.points.iter().enumerate().filter(|(_, point)| point.invocations > 0);
    let rows = rows.map(|(index, point)| {
        let ms = i64::from(chart.step_s).saturating_mul(1000).saturating_mul(index as i64);
        Row { from: moment(chart.span, Timestamp(chart.from.0.saturating_add(ms))), point: point.clone() }
    });
    Charts { plots: plots(chart, abi), sums: Sums::of(chart), rows: rows.collect() }
}
