//! The very first start: a user, and a handler to look at.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use wasmcloud_api::{ApiError, Core, Target};
use wasmcloud_wire::body::User;
use wasmcloud_wire::{Invoker, Policy};

use super::failed;
use crate::config::{Secret, Settings};
use crate::failure::Failure;
use crate::server::Server;
use crate::session::{Place, Session};

/// The sample handler; the same file that examples/ has.
const HELLO: &str = include_str!("../../../examples/hello.wat");
const HELLO_NAME: &str = "hello";
const ADMIN_NAME: &str = "admin";
/// Characters of the first password: 32 letters and digits that cannot be mistaken for each other.
const PASSWORD_CHARS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Length of the first password: 5 bits a character, 100 in all.
const PASSWORD_LEN: usize = 20;
/// How long the first token lasts.
const TOKEN_DAYS: u32 = 30;

/// Makes the `admin` user if there is no user at all. Gives the user and the password back.
pub async fn make_admin(core: &Core) -> Result<Option<(User, String)>, Failure> {
    if core.count_users().await.map_err(api_failed)? > 0 {
        return Ok(None);
    }
    let password = random_password()?;
    let name = ADMIN_NAME.parse().map_err(|error| failed("first_start", error, "report this as a bug"))?;
    let detail = json!({ "is_admin": true, "why": "first start" });
    let noted = core.note_by_server("user.create", ADMIN_NAME, None, &detail).await.map_err(api_failed)?;
    let user = match core.create_user(name, password.clone(), true).await {
        Ok(user) => user,
        // Another process started on the same database at the same moment, and has made it.
        Err(error) if error.code == "user_name_taken" => {
            core.finish_audit(noted, error.status).await;
            return Ok(None);
        }
        Err(error) => return Err(api_failed(error)),
    };
    core.give_unlimited(user.id).await.map_err(api_failed)?;
    core.finish_audit(noted, 201).await;
    Ok(Some((user, password)))
}

fn random_password() -> Result<String, Failure> {
    let mut bytes = [0; PASSWORD_LEN];
    getrandom::fill(&mut bytes)
        .map_err(|error| failed("random", error, "the system gives no random numbers"))?;
    Ok(bytes
        .iter()
        .filter_map(|byte| PASSWORD_CHARS.get(usize::from(byte % 32)))
        .map(|&byte| char::from(byte))
        .collect())
}

/// Makes the sample handler live. A failure is told and is no reason not to start.
pub async fn deploy_hello(core: &Core, invoker: &Arc<dyn Invoker>, owner: &User) -> Option<String> {
    let module = match wat::parse_str(HELLO) {
        Ok(module) => Bytes::from(module),
        Err(error) => {
            tracing::error!(%error, "the sample handler is no WebAssembly");
            return None;
        }
    };
    let name = HELLO_NAME.parse().ok()?;
    let target = Target::New {
        name,
        forward_authorization: false,
        policy: Policy::default(),
        env: Default::default(),
    };
    match core.deploy(invoker, owner.id, target, module).await {
        Ok(deployed) => Some(deployed.handler.url),
        Err(error) => {
            tracing::error!(%error, "the sample handler could not be deployed");
            None
        }
    }
}

/// Logs the command line in, unless its settings belong to another server. Says what was done.
pub async fn log_in(core: &Core, session: &Session, user: &User, server: &Server) -> String {
    match try_log_in(core, session, user, server).await {
        Ok(said) => said,
        Err(failure) => format!(
            "this user's command line was not logged in ({failure}); log in with `wasmcloud login admin`"
        ),
    }
}

async fn try_log_in(core: &Core, session: &Session, user: &User, server: &Server) -> Result<String, Failure> {
    let Place { file, settings, .. } = session.place()?;
    let home = settings.api_server.as_deref().and_then(|home| home.parse::<Server>().ok());
    if let Some(home) = home.filter(|home| home != server && settings.token.is_some()) {
        return Ok(format!(
            "{} belongs to {home} and stays as it is; log in with `wasmcloud login admin --api-server {server}`",
            file.path().display()
        ));
    }
    let grant = core.grant_token(user, "first start", TOKEN_DAYS).await.map_err(api_failed)?;
    let settings = Settings {
        api_server: Some(server.to_string()),
        token: Some(Secret::new(grant.token)),
        username: Some(user.name.to_string()),
        ..settings
    };
    file.save(&settings)?;
    Ok(format!("this user's command line is logged in ({})", file.path().display()))
}

fn api_failed(error: ApiError) -> Failure {
    failed("first_start", error, "see the log above")
}

#[cfg(test)]
mod tests {
    use futures::future::join;
    use wasmcloud_api::Config;
    use wasmcloud_api::store::SqliteStore;
    use wasmcloud_blob::FsBlobs;

    use super::*;

    #[tokio::test]
    async fn of_two_who_start_at_once_on_an_empty_database_one_makes_the_operator_and_both_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&folder.path().join("wasmcloud.db")).await.unwrap());
        let blobs = Arc::new(FsBlobs::open(folder.path().join("modules")).await.unwrap());
        let config = Config::new(folder.path().join("key"), "http://localhost:3001".parse().unwrap());
        let core = Core::new(store, blobs, config).await.unwrap();
        // Both have counted the users before one of them has hashed a password.
        let (one, other) = join(make_admin(&core), make_admin(&core)).await;
        let made = [one.unwrap(), other.unwrap()].into_iter().flatten().count();
        assert_eq!((made, core.count_users().await.unwrap()), (1, 1));
    }
}
