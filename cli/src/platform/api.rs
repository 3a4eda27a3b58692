//! `wasmcloud api`: the control plane alone.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use wasmcloud_api::store::Schema;
use wasmcloud_api::{Config, Core, EdgeUrl, OidcProvider, RemoteInvoker};
use wasmcloud_wire::Invoker;

use super::options::{
    API, ApiOptions, Common, EdgeUrlText, PlaneOptions, StorageOptions, absolute, how_to_trust, providers,
};
use super::serve::{bind, local, say, server};
use super::storage::DataDir;
use super::{block_on, failed, first_start};
use crate::failure::Failure;
use crate::session::Session;

/// The arguments of `api`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    api: ApiOptions,
    #[command(flatten)]
    plane: PlaneOptions,
    #[command(flatten)]
    storage: StorageOptions,
    /// An executor's internal address, such as https://10.0.0.2:3002, for one that does not report here; may be
    /// given several times
    #[arg(long = "executor", env = "WASMCLOUD_EXECUTORS", value_delimiter = ',', value_name = "URL")]
    executors: Vec<String>,
    /// Where clients find the edge, such as https://example.net
    #[arg(long, env = "WASMCLOUD_EDGE_URL", value_name = "URL")]
    edge_url: Option<EdgeUrlText>,
    /// Refuse to start on a database that is not up to date, instead of bringing it there
    #[arg(long, env = "WASMCLOUD_NO_MIGRATE")]
    no_migrate: bool,
}

/// Runs the control plane until a signal.
pub fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let (common, file) = args.common.clone().complete()?;
    let (api, plane) = (args.api.complete(&file), args.plane.complete(&file));
    let storage = args.storage.complete(&file);
    let oidc = providers(&file.oidc)?;
    let executors = if args.executors.is_empty() { file.plane.executors } else { args.executors };
    let Some(edge_url) = args.edge_url.or(file.edge.url) else {
        return Err(Failure::usage(
            "it is not said where clients find the edge",
            "say it: --edge-url https://example.net",
        ));
    };
    let schema = if args.no_migrate { Schema::Require } else { Schema::Migrate };
    block_on(&common, async |shutdown| {
        serve(session, &common, (&api, schema, &storage, oidc), &plane, &executors, edge_url.0, shutdown)
            .await
    })
}

async fn serve(
    session: &Session,
    common: &Common,
    (api, schema, storage, oidc): (&ApiOptions, Schema, &StorageOptions, Vec<OidcProvider>),
    plane: &PlaneOptions,
    executors: &[String],
    edge_url: EdgeUrl,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let limits = common.limits.limits()?;
    let (tls, keys, ca) = (api.tls(common)?, plane.keys()?, plane.ca()?);
    let data = DataDir::open(common)?;
    let (store, blobs) = (data.store(api, schema).await?, data.blobs(storage).await?);
    let invoker = RemoteInvoker::new(store.clone(), executors, keys.clone(), ca.as_deref())
        .map_err(|error| failed("executor", error, "check --executor and --plane-ca"))?;
    let invoker: Arc<dyn Invoker> = Arc::new(invoker);
    let listener = bind(api.address(), "--api-listen").await?;
    let address = local(&listener)?;
    let server = server(address, tls.is_some())?;

    let public_url = api.public_url(address)?;
    let panel = public_url.join("/");
    let config = Config { service_keys: Some(keys), public_url, oidc, ..api.config(&data, edge_url, limits) };
    let core = Core::new(store, blobs, config).await.map_err(|error| failed("start", error, "see --data"))?;
    let mut said = vec![
        format!("wasmcloud {} api", env!("CARGO_PKG_VERSION")),
        format!("  API    {server}"),
        format!("  panel  {panel}, in a browser"),
        format!("  data   {}", data.path().display()),
    ];
    if let Some((user, password)) = first_start::make_admin(&core).await? {
        said.push(format!("  user   {} with the password {password} (shown only this once)", user.name));
    }
    said.extend(how_to_trust(5, &[(API, tls.as_ref())]));
    said.push(format!("next: wasmcloud login admin --api-server {server}"));
    if executors.is_empty() {
        let ca = match tls.as_ref().map(|tls| tls.made_here().map(absolute)) {
            None => String::new(),
            Some(Some(path)) => format!(" --plane-ca {}", path.display()),
            // Whether executors trust a certificate of the operator's own is not known here.
            Some(None) => " --plane-ca CA".to_owned(),
        };
        said.push(format!(
            "      wasmcloud executor --api {server} --token-file FILE{ca}, once for each executor"
        ));
    }
    say(session, &said)?;
    wasmcloud_api::serve(core, invoker, listener, tls, shutdown)
        .await
        .map_err(|error| failed("start", error, "report this as a bug"))?;
    tracing::info!("stopped");
    Ok(())
}
