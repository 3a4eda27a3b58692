//! The public listener: from an HTTP request to an invocation, and from its answer to a response.

mod bodies;
mod cookies;
mod error;
mod request;
mod response;
mod split;
mod suspended;

use std::sync::Arc;

use http::header::SET_COOKIE;
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wasmcloud_listener::{Body, Peer, ResponseBody, Settings, Tls, TrustedProxies};
use wasmcloud_wire::limits::{CALL_DEPTH_MAX, REQUEST_BODY_BYTES_MAX};
use wasmcloud_wire::{Call, InvocationId, Trigger};

use crate::Executor;
use crate::invocation::{self, StartError};
use crate::quota::Moment;
pub(crate) use bodies::Bodies;
use error::EdgeError;
use split::Chosen;

/// Which addresses are handlers'.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Handlers answer at `<name>.<domain>`.
    pub domain: String,
    /// Whether they answer at `/~<name>/` too. That puts all handlers into one origin, where one can
    /// read another's cookies: for loopback, or where the operator knows all handlers.
    pub by_path: bool,
    /// The proxies that are believed when they say whom a request is from.
    pub trusted_proxies: TrustedProxies,
}

/// Serves handlers' own traffic until `shutdown`.
pub(crate) async fn serve(
    executor: Arc<Executor>,
    mut edge: Edge,
    listener: TcpListener,
    tls: Option<Tls>,
    shutdown: CancellationToken,
) {
    // As the hosts of requests are compared with it.
    edge.domain = edge.domain.trim_end_matches('.').to_ascii_lowercase();
    let settings = Settings { trusted_proxies: edge.trusted_proxies.clone(), ..Settings::default() };
    let edge = Arc::new(edge);
    let service = move |request: Request<Body>, peer: Peer| {
        let (executor, edge) = (executor.clone(), edge.clone());
        async move {
            let invocation = InvocationId::new();
            let response = match answer(&executor, &edge, invocation, request, peer).await {
                Ok(response) => response,
                Err(error) => error.response(invocation),
            };
            response::identified(response, invocation)
        }
    };
    wasmcloud_listener::serve(listener, tls, settings, shutdown, service).await;
}

async fn answer(
    executor: &Executor,
    edge: &Edge,
    invocation: InvocationId,
    request: Request<Body>,
    peer: Peer,
) -> Result<Response<ResponseBody>, EdgeError> {
    let (mut parts, body) = request.into_parts();
    cookies::hide_panels(&mut parts.headers);
    let asked = request::address(edge, &executor.routes.hosts, &parts, peer).await?;
    let deployment =
        executor.routes.lookup(&asked.key).await?.ok_or(EdgeError::NoHandler(asked.key.clone()))?;
    if request::depth(&parts.headers) >= CALL_DEPTH_MAX {
        return Err(EdgeError::TooDeep);
    }
    let is_pinned = asked.key.version.is_some();
    let mut request = request::head(&parts, asked, peer);
    let Chosen { deployment, cookie, by_client } =
        split::choose(&executor.routes, deployment, &mut request).await;
    // Before anything of the request is kept.
    if let Some(reason) = &deployment.suspended {
        let html = suspended::wants_html(&parts.headers);
        return Err(EdgeError::Suspended { reason: reason.clone(), html });
    }
    let body = request::has_body(&parts.headers, &body).then_some(body);
    let (body, streamed) = match body {
        Some(body) if !deployment.abi.is_http() => {
            // Before it is read for nothing. What counts is asked when the invocation begins.
            if let Err(error) = executor.quotas.look(&deployment, Moment::now()) {
                let (why, handler) = (error.to_string(), deployment.handler);
                executor.quotas.tell_owner(&executor.recorder, handler, invocation, &why);
                return Err(StartError::from(error).into());
            }
            let body = executor.bodies.collect(body, REQUEST_BODY_BYTES_MAX, deployment.owner).await?;
            (Some(body), None)
        }
        streamed => (None, streamed),
    };
    let call = Call {
        invocation,
        deployment: (*deployment).clone(),
        trigger: if is_pinned || by_client { Trigger::Chosen } else { Trigger::Edge },
        request,
        body,
        count_gas: false,
        inputs: None,
    };
    let answer = invocation::start(executor, call, streamed, false).await?;
    let mut response = response::from_parts(answer).await?;
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}
