//! `wasmcloud serve`: both planes in one process.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wasmcloud_api::store::Schema;
use wasmcloud_api::{Config, Core, OidcProvider};
use wasmcloud_executor::{Edge, Executor};
use wasmcloud_listener::{SelfSigned, Tls};
use wasmcloud_wire::Invoker;

use super::options::{
    API, ApiOptions, Common, EdgeOptions, EgressOptions, EngineOptions, LimitPair, StorageOptions,
    how_to_trust, providers,
};
use super::storage::DataDir;
use super::{block_on, failed, first_start};
use crate::failure::Failure;
use crate::server::Server;
use crate::session::Session;

/// The arguments of `serve`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    api: ApiOptions,
    #[command(flatten)]
    edge: EdgeOptions,
    #[command(flatten)]
    egress: EgressOptions,
    #[command(flatten)]
    engine: EngineOptions,
    #[command(flatten)]
    storage: StorageOptions,
}

/// Runs the platform until a signal.
pub fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let (common, file) = args.common.complete()?;
    let (api, edge) = (args.api.complete(&file), args.edge.complete(&file));
    let oidc = providers(&file.oidc)?;
    let (egress, engine) = (args.egress.complete(&file), args.engine.complete(&file));
    let storage = args.storage.complete(&file);
    block_on(&common, async |shutdown| {
        serve(session, &common, (&api, &storage, oidc), &edge, &egress, &engine, shutdown).await
    })
}

async fn serve(
    session: &Session,
    common: &Common,
    (api, storage, oidc): (&ApiOptions, &StorageOptions, Vec<OidcProvider>),
    edge: &EdgeOptions,
    egress: &EgressOptions,
    engine: &EngineOptions,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    // Everything that can be wrong is found out before a port is bound.
    let limits = common.limits.limits()?;
    common.limits.compile_budget()?;
    let (api_tls, edge_tls) = (api.tls(common)?, edge.tls(common)?);
    edge.domain()?;
    let egress = egress.egress()?;
    apart((api.address(), "--api-listen"), (edge.address(), "--edge-listen"))?;
    let data = DataDir::open(common)?;
    let (store, blobs) = (data.store(api, Schema::Migrate).await?, data.blobs(storage).await?);
    let api_listener = bind(api.address(), "--api-listen").await?;
    let edge_listener = bind(edge.address(), "--edge-listen").await?;
    let (api_address, edge_address) = (local(&api_listener)?, local(&edge_listener)?);

    let public_url = api.public_url(api_address)?;
    let panel = public_url.join("/");
    let config = Config { public_url, oidc, ..api.config(&data, edge.url(edge_address)?, limits) };
    let edge_rules = Edge { trusted_proxies: api.trusted_proxies(), ..edge.edge(edge_address)? };
    let core = Core::new(store, blobs, config).await.map_err(|error| failed("start", error, "see --data"))?;
    let executor = super::start_executor(&data, &common.limits, egress, engine, core.clone())?;
    let invoker: Arc<dyn Invoker> = executor.clone();

    let server = server(api_address, api_tls.is_some())?;
    let edge_url = edge.url(edge_address)?;
    let first = first_start::make_admin(&core).await?;
    let mut said = vec![
        format!("wasmcloud {}", env!("CARGO_PKG_VERSION")),
        format!("  API    {server}"),
        format!("  panel  {panel}, in a browser"),
        format!(
            "  edge   {}://{}:{}, handlers at {}",
            scheme(&edge_url),
            edge_url.domain,
            edge_url.port,
            pattern(&edge_url)
        ),
        format!("  data   {}", data.path().display()),
    ];
    let mut next = "list your handlers: wasmcloud list".to_owned();
    if let Some((user, password)) = first {
        said.push(format!("  user   {} with the password {password} (shown only this once)", user.name));
        said.push(format!("         {}", first_start::log_in(&core, session, &user, &server).await));
        if let Some(url) = first_start::deploy_hello(&core, &invoker, &user).await {
            next = match edge_tls.as_ref().and_then(Tls::made_here).map(SelfSigned::certificate) {
                // Few clients take a certificate for `*.localhost`.
                Some(trust) if edge_rules.by_path => {
                    let edge = self::server(edge_address, true)?;
                    format!("see it work: curl --cacert {} {edge}/~hello/", trust.display())
                }
                Some(trust) => format!("see it work: curl --cacert {} {url}", trust.display()),
                None => format!("see it work: curl {url}"),
            };
        }
    }

    let trust = how_to_trust(5, &[(API, api_tls.as_ref()), ("edge", edge_tls.as_ref())]);
    let serving = async {
        executor.start_reporting(None).await;
        let (api_result, (), ()) = tokio::join!(
            wasmcloud_api::serve(core.clone(), invoker, api_listener, api_tls, shutdown.clone()),
            executor.clone().serve_edge(edge_rules, edge_listener, edge_tls, shutdown.clone()),
            async {
                shutdown.cancelled().await;
                executor.drain().await;
            },
        );
        api_result.map_err(|error| failed("start", error, "report this as a bug"))
    };
    said.extend(trust);
    said.push(format!("next: {next}"));
    say(session, &said)?;
    let result = serving.await;
    stop(&executor).await.and(result)
}

/// Ends an executor once its listeners are gone. A stop that loses records is no clean one.
pub async fn stop(executor: &Executor) -> Result<(), Failure> {
    let lost = executor.stop().await;
    if lost > 0 {
        let message = format!("stopped, but {lost} records did not reach the control plane and are lost");
        return Err(failed("records_lost", message, "stop executors before the API"));
    }
    tracing::info!("stopped");
    Ok(())
}

/// Two listeners of one process do not fit into one address. `flag` is the option that chose each.
pub fn apart(one: (SocketAddr, &str), other: (SocketAddr, &str)) -> Result<(), Failure> {
    if !wasmcloud_listener::collide(one.0, other.0) {
        return Ok(());
    }
    let message =
        format!("{} is {}, and {} is {}: only one of them can listen there", one.1, one.0, other.1, other.0);
    Err(Failure::usage(message, format!("choose another port with {} or {}", one.1, other.1)))
}

/// Binds a port, or says in one line why that cannot be done.
pub async fn bind(address: SocketAddr, flag: &'static str) -> Result<TcpListener, Failure> {
    wasmcloud_listener::bind(address, flag).await.map_err(|error| failed("listen", error, ""))
}

/// The address that was really bound: a port of 0 has become another.
pub fn local(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|error| failed("listen", error, "try again"))
}

/// How clients on this machine reach a listener.
pub fn server(address: SocketAddr, tls: bool) -> Result<Server, Failure> {
    let scheme = if tls { "https" } else { "http" };
    let host = match address.ip() {
        // Other loopback addresses are not what `localhost` stands for.
        ip if ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST || ip.is_unspecified() => {
            "localhost".to_owned()
        }
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        std::net::IpAddr::V4(ip) => ip.to_string(),
    };
    format!("{scheme}://{host}:{}", address.port()).parse().map_err(|error| failed("listen", error, ""))
}

/// Prints the lines that a server begins with.
pub fn say(session: &Session, lines: &[String]) -> Result<(), Failure> {
    lines.iter().try_for_each(|line| session.output.line(line))
}

fn scheme(url: &wasmcloud_api::EdgeUrl) -> &'static str {
    match url.scheme {
        wasmcloud_wire::Scheme::Http => "http",
        wasmcloud_wire::Scheme::Https => "https",
    }
}

fn pattern(url: &wasmcloud_api::EdgeUrl) -> String {
    match (url.scheme, url.port) {
        (wasmcloud_wire::Scheme::Http, 80) | (wasmcloud_wire::Scheme::Https, 443) => {
            format!("{}://NAME.{}/", scheme(url), url.domain)
        }
        (_, port) => format!("{}://NAME.{}:{port}/", scheme(url), url.domain),
    }
}

impl ApiOptions {
    /// The files of the key that signs tokens, and of the key of handlers' settings.
    pub fn key_files(&self, data: &DataDir) -> (PathBuf, PathBuf) {
        let jwt_key_file = self.jwt_key_file.clone().unwrap_or_else(|| data.jwt_key_file());
        (jwt_key_file, self.settings_key_file.clone().unwrap_or_else(|| data.settings_key_file()))
    }

    /// The control plane's settings.
    pub fn config(&self, data: &DataDir, edge_url: wasmcloud_api::EdgeUrl, limits: LimitPair) -> Config {
        let (jwt_key_file, settings_key_file) = self.key_files(data);
        let usual = Config::new(jwt_key_file, edge_url);
        Config {
            settings_key_file,
            registration: self.registration.map_or(usual.registration, |text| text.0),
            record_days: self.record_days.unwrap_or(usual.record_days),
            audit_days: self.audit_days.unwrap_or(usual.audit_days),
            audit_rows_max: self.audit_rows_max.unwrap_or(usual.audit_rows_max),
            record_rows_max: self.record_rows_max.unwrap_or(usual.record_rows_max),
            limits: limits.usual,
            limits_max: limits.max,
            trusted_proxies: self.trusted_proxies(),
            dns_servers: self.dns_servers.iter().flat_map(|list| &list.0).map(|server| server.0).collect(),
            reserved_hosts: self.reserved_hosts.iter().flat_map(|list| &list.0).cloned().collect(),
            ..usual
        }
    }
}
