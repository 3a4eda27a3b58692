//! `wasmcloud executor`: the data plane alone. It holds no database and no user's secret: it knows
//! the API's address and the service token.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use wasmcloud_executor::{Edge, RemoteControlPlane};
use wasmcloud_listener::TrustedProxies;

use super::options::{
    Common, EdgeOptions, EgressOptions, EngineOptions, InternalOptions, List, PlaneOptions, Range,
    how_to_trust, trusted_proxies,
};
use super::serve::{apart, bind, local, say, server, stop};
use super::storage::DataDir;
use super::{block_on, failed};
use crate::failure::Failure;
use crate::session::Session;

/// The arguments of `executor`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    edge: EdgeOptions,
    #[command(flatten)]
    egress: EgressOptions,
    #[command(flatten)]
    engine: EngineOptions,
    #[command(flatten)]
    internal: InternalOptions,
    #[command(flatten)]
    plane: PlaneOptions,
    /// The API's address, such as https://api.example.com; of several, the next is asked when one does not answer
    #[arg(long, env = "WASMCLOUD_API", value_delimiter = ',', value_name = "URL")]
    api: Vec<String>,
    /// Proxies before the edge that are believed when they say whom a request is from, such as 10.0.0.0/8
    #[arg(long, env = "WASMCLOUD_TRUSTED_PROXIES", value_name = "RANGES")]
    trusted_proxies: Option<List<Range>>,
}

/// Runs the data plane until a signal.
pub fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let (common, file) = args.common.complete()?;
    let (edge, internal) = (args.edge.complete(&file), args.internal.complete(&file));
    let (egress, plane) = (args.egress.complete(&file), args.plane.complete(&file));
    let engine = args.engine.complete(&file);
    let proxies = args.trusted_proxies.or(file.api.trusted_proxies);
    let proxies = trusted_proxies(proxies.as_ref());
    let api = if args.api.is_empty() { file.plane.api.map(Vec::from).unwrap_or_default() } else { args.api };
    if api.is_empty() {
        return Err(Failure::usage(
            "it is not said where the API is",
            "say it: --api https://api.example.com",
        ));
    }
    block_on(&common, async |shutdown| {
        serve(session, &common, (&edge, proxies), (&egress, &engine), (&internal, &plane, &api), shutdown)
            .await
    })
}

async fn serve(
    session: &Session,
    common: &Common,
    (edge, trusted_proxies): (&EdgeOptions, TrustedProxies),
    (egress, engine): (&EgressOptions, &EngineOptions),
    (internal, plane, api): (&InternalOptions, &PlaneOptions, &[String]),
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    common.limits.limits()?;
    common.limits.compile_budget()?;
    let (edge_tls, internal_tls) = (edge.tls(common)?, internal.tls(common)?);
    let (keys, ca) = (plane.keys()?, plane.ca()?);
    edge.domain()?;
    let egress = egress.egress()?;
    let control = RemoteControlPlane::new(api, keys.clone(), ca.as_deref())
        .map_err(|error| failed("api", error, "check --api and --plane-ca"))?;
    apart((edge.address(), "--edge-listen"), (internal.address(), "--internal-listen"))?;
    let data = DataDir::open(common)?;
    let edge_listener = bind(edge.address(), "--edge-listen").await?;
    let internal_listener = bind(internal.address(), "--internal-listen").await?;
    let (edge_address, internal_address) = (local(&edge_listener)?, local(&internal_listener)?);
    let internal_url = internal.url(internal_address, internal_tls.is_some())?;
    let executor = super::start_executor(&data, &common.limits, egress, engine, Arc::new(control))?;

    let rules = Edge { trusted_proxies, ..edge.edge(edge_address)? };
    let mut said = vec![
        format!("wasmcloud {} executor", env!("CARGO_PKG_VERSION")),
        format!("  edge      {} for *.{}", server(edge_address, edge_tls.is_some())?, rules.domain),
        format!("  internal  {internal_url}"),
        format!("  API       {}", api.join(", ")),
        format!("  data      {}", data.path().display()),
    ];
    said.extend(how_to_trust(
        8,
        &[("edge", edge_tls.as_ref()), ("internal listener", internal_tls.as_ref())],
    ));
    said.push("next: see it among the others: wasmcloud executors".to_owned());
    executor.start_reporting(Some(internal_url)).await;
    say(session, &said)?;
    // The API calls it until it has been told.
    let told = CancellationToken::new();
    tokio::join!(
        executor.clone().serve_edge(rules, edge_listener, edge_tls, shutdown.clone()),
        executor.clone().serve_internal(keys, internal_listener, internal_tls, told.clone()),
        async {
            shutdown.cancelled().await;
            executor.drain().await;
            told.cancel();
        },
    );
    stop(&executor).await
}
