//! Installations to export from and to import into.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::TempDir;
use uuid::Uuid;
use wasmcloud_api::export::{ExportError, Imported, Installation, Summary, export, import};
use wasmcloud_api::store::{NewPlanRequestRow, NewTeamRow, NewUser, Row, TABLES, TeamLimits};
use wasmcloud_api::{Config, Core, Target};
use wasmcloud_blob::{BlobError, Blobs, FsBlobs, Stored};
use wasmcloud_wire::body::{Plan, User};
use wasmcloud_wire::{
    ControlPlane as _, Deployment, Digest, EnvPatch, Invoker, NewSetting, Policy, Timestamp, UserId,
};

use crate::app::{FakeInvoker, module};
use crate::database::Database;
use crate::store_story::new_user;

pub const PASSPHRASE: &str = "correct horse battery";

/// A database, a folder for modules and keys.
pub struct Place {
    pub database: Database,
    pub folder: TempDir,
    pub installation: Installation,
}

impl Place {
    /// Where nothing was ever started.
    pub async fn empty(database: Database) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let installation = Installation {
            store: database.open().await.unwrap(),
            blobs: Arc::new(FsBlobs::open(folder.path().join("modules")).await.unwrap()),
            jwt_key_file: folder.path().join("jwt"),
            settings_key_file: folder.path().join("settings"),
        };
        Place { database, folder, installation }
    }

    /// One with rows in every table that an export has.
    pub async fn furnished(database: Database) -> Place {
        let place = Place::empty(database).await;
        let core = place.core().await;
        let ada = place.user(&core, "ada").await;
        let bob = place.user(&core, "bob").await;
        place.deploys(&core, &ada, "teapot", &[("TEA", "green", false), ("POT", "brown", true)]).await;
        place.deploys(&core, &bob, "kettle", &[]).await;
        place.deploys(&core, &bob, "gone", &[("CUP", "blue", true)]).await;
        let store = &place.installation.store;
        assert!(store.delete_handler(bob.id, &"gone".parse().unwrap(), Timestamp::now()).await.unwrap());
        let revoked = core.grant_token(&bob, "revoked", 1).await.unwrap();
        assert!(store.revoke_token(bob.id, revoked.id, Timestamp::now()).await.unwrap());
        let soon = Timestamp(Timestamp::now().0 + 60_000);
        store.create_invitation(&[1; 32], ada.id, soon).await.unwrap();
        store.create_invitation(&[2; 32], ada.id, soon).await.unwrap();
        let (_, password_hash) = store.user_by_name(&ada.name).await.unwrap().unwrap();
        let cyd = NewUser { password_hash, ..new_user("cyd") };
        let invited = store.create_invited_user(cyd, &[2; 32], Timestamp::now()).await;
        assert!(invited.unwrap().is_some());
        let team = NewTeamRow { id: UserId::new(), name: "cups".parse().unwrap(), maker: ada.id };
        store.create_team(&team, TeamLimits::USUAL).await.unwrap();
        let standard = store.plans().await.unwrap().remove(0);
        let large = Plan { name: "large".to_owned(), handlers_max: None, is_default: false, ..standard };
        store.set_plan(&large, 10).await.unwrap();
        assert!(store.give_plan(team.id, "large").await.unwrap());
        let (id, plan, reason) = (Uuid::now_v7(), "large".to_owned(), "growth".to_owned());
        let ask = NewPlanRequestRow { id, account: bob.id, asked_by: bob.id, plan, reason };
        store.ask_plan(ask).await.unwrap();
        store.decide_plan(id, ada.id, false, Some("not now"), soon).await.unwrap();
        for sql in [
            "UPDATE users SET suspended_at = 5, suspended_reason = 'spam' WHERE name = 'cyd'",
            "INSERT INTO identities (id, user_id, provider, issuer, subject, label)
                SELECT id, id, 'forge', 'https://forge.example', '7', 'ada' FROM users WHERE name = 'ada'",
            "INSERT INTO offers (team_id, user_id, role, expires_at)
                SELECT t.id, u.id, 'deployer', 9 FROM users t, users u WHERE t.name = 'cups' AND u.name = 'bob'",
            "UPDATE handlers SET promoted_at = 5, previous_version = 1, split_version = 1, split_percent = 10,
                auto_rollback = FALSE, recording = '{}',
                rolled_back = '{\"from\":2,\"to\":1,\"at\":5,\"reason\":\"why\"}'
                WHERE name = 'kettle'",
            "INSERT INTO hosts (name, owner_id, challenge, proven_at, granted_by)
                SELECT 'api.example.com', id, 'one', 7, id FROM users WHERE name = 'ada'",
            "INSERT INTO hosts (name, owner_id, challenge)
                SELECT 'api.example.com', id, 'two' FROM users WHERE name = 'bob'",
            "INSERT INTO routes (host, path, owner_id, handler_id, strip_prefix)
                SELECT 'api.example.com', '/v1', owner_id, id, TRUE FROM handlers WHERE name = 'teapot'",
        ] {
            place.database.sql(sql).await.unwrap();
        }
        place
    }

    /// The control plane over it, as a server starts it.
    pub async fn core(&self) -> Arc<Core> {
        let Installation { store, blobs, jwt_key_file, settings_key_file } = self.installation.clone();
        let config = Config::new(jwt_key_file, "http://localhost:3001".parse().unwrap());
        Core::new(store, blobs, Config { settings_key_file, ..config }).await.unwrap()
    }

    pub async fn user(&self, core: &Core, name: &str) -> User {
        core.create_user(name.parse().unwrap(), PASSPHRASE.to_owned(), name == "ada").await.unwrap()
    }

    /// A user makes a handler of two versions, with settings: name, value, whether it is secret.
    pub async fn deploys(&self, core: &Core, user: &User, name: &str, settings: &[(&str, &str, bool)]) {
        let invoker: Arc<dyn Invoker> = Arc::new(FakeInvoker::default());
        let setting = |&(name, value, secret): &(&str, &str, bool)| {
            (name.to_owned(), NewSetting { value: value.to_owned(), secret: Some(secret) })
        };
        let env = EnvPatch { set: settings.iter().map(setting).collect(), unset: Vec::new() };
        let parsed = name.parse::<wasmcloud_wire::HandlerName>().unwrap();
        let policy = Policy { gas: Some(5_000_000), ..Policy::default() };
        let new = Target::New { name: parsed.clone(), forward_authorization: true, policy, env };
        let next = Target::Existing { name: parsed, policy: None, env: EnvPatch::default() };
        core.deploy(&invoker, user.id, new, module(&format!("{name} 1"))).await.unwrap();
        core.deploy(&invoker, user.id, next, module(&format!("{name} 2"))).await.unwrap();
    }

    /// A path for an export.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub async fn export(&self, name: &str) -> Result<Summary, ExportError> {
        export(&self.installation, PASSPHRASE, &self.file(name)).await
    }

    pub async fn import(&self, file: &std::path::Path) -> Result<Imported, ExportError> {
        import(&self.installation, PASSPHRASE, file).await
    }

    /// What an executor is told of a handler.
    pub async fn deployment(&self, name: &str) -> Deployment {
        self.core().await.resolve(&name.parse().unwrap()).await.unwrap().unwrap()
    }

    /// Every row of every table.
    pub async fn rows(&self) -> Vec<(&'static str, Vec<Row>)> {
        let mut dump = self.installation.store.dump().await.unwrap();
        let mut all = Vec::new();
        for table in TABLES {
            let mut rows = Vec::new();
            loop {
                let more = dump.rows(table, rows.last()).await.unwrap();
                if more.is_empty() {
                    break;
                }
                rows.extend(more);
            }
            assert_eq!(dump.count(table).await.unwrap(), rows.len() as u64);
            all.push((table.name, rows));
        }
        all
    }

    /// Nothing was written here.
    pub async fn is_untouched(&self) {
        assert_eq!(self.installation.store.count_users().await.unwrap(), 0);
        assert_eq!(self.installation.blobs.list().await.unwrap(), []);
        self.has_no_keys();
    }

    pub fn has_no_keys(&self) {
        assert!(!self.installation.jwt_key_file.exists() && !self.installation.settings_key_file.exists());
    }
}

/// The same rows, in whatever order each database sorts texts.
#[track_caller]
pub fn same_rows(one: &[(&'static str, Vec<Row>)], other: &[(&'static str, Vec<Row>)]) {
    for ((table, one), (_, other)) in one.iter().zip(other) {
        assert_eq!(one.len(), other.len(), "{table}");
        assert!(one.iter().all(|row| other.contains(row)), "{table}");
    }
}

/// A place for modules from which somebody deletes a handler, and its modules, each time that the first of them
/// is asked for, until all of these handlers are gone.
pub struct Vanishing {
    pub installation: Installation,
    pub owner: User,
    pub handlers: Vec<(&'static str, Digest)>,
    pub gone: AtomicU32,
}

#[async_trait]
impl Blobs for Vanishing {
    async fn put(&self, digest: &Digest, bytes: Bytes) -> Result<(), BlobError> {
        self.installation.blobs.put(digest, bytes).await
    }

    async fn get(&self, digest: &Digest) -> Result<Option<Bytes>, BlobError> {
        if let Some((name, _)) = self.handlers.iter().find(|(_, first)| first == digest) {
            let name = name.parse().unwrap();
            let deleted =
                self.installation.store.delete_handler(self.owner.id, &name, Timestamp::now()).await;
            assert!(deleted.unwrap());
            self.installation.blobs.delete(digest).await?;
            self.gone.fetch_add(1, Ordering::Relaxed);
        }
        self.installation.blobs.get(digest).await
    }

    async fn delete(&self, digest: &Digest) -> Result<(), BlobError> {
        self.installation.blobs.delete(digest).await
    }

    async fn list(&self) -> Result<Vec<Stored>, BlobError> {
        self.installation.blobs.list().await
    }

    async fn check(&self) -> Result<(), BlobError> {
        self.installation.blobs.check().await
    }
}
