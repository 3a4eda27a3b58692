//! Addresses go on answering when the control plane goes away, or stands still.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::watch;
use uuid::Uuid;
use wasmcloud_wire::{
    AccountUse, Change, ChangeStream, ControlPlane, ControlPlaneError, Deployment, Digest, ExecutorReport,
    HostName, HostRoute, Invoker, Record, RouteKey,
};

use crate::app::{TestExecutor, within};
use crate::control::Control;
use crate::wasm::prints;

fn says(text: &str) -> Vec<u8> {
    prints(&format!("A: b\n\n{text}"))
}

fn change(name: &str) -> Change {
    Change::Handler { name: name.parse().unwrap() }
}

/// An executor that has answered for version 1, and has compiled version 2.
async fn before_an_update() -> TestExecutor {
    let app = TestExecutor::start().await;
    app.deploy("hello", &says("one")).await;
    assert_eq!(app.get("hello", "/").await.text(), "one");
    let two = app.store("hello", &says("two"), |_| ());
    within("prepared", app.executor.prepare(&two.digest)).await.unwrap();
    app
}

#[tokio::test]
async fn a_change_that_is_announced_is_served_when_the_control_plane_is_away_right_after() {
    let app = before_an_update().await;
    within("announced", app.executor.announce(&change("hello"))).await;
    app.control.update(|state| state.is_down = true);
    assert_eq!(app.get("hello", "/").await.text(), "two");
}

#[tokio::test]
async fn a_change_that_the_stream_tells_is_asked_for_before_anybody_asks() {
    let app = before_an_update().await;
    app.control.tell(change("hello")).await;
    app.control.until("it is asked for", |state| (state.resolved == 2).then_some(())).await;
    app.control.update(|state| state.is_down = true);
    assert_eq!(app.get("hello", "/").await.text(), "two");
}

#[tokio::test]
async fn a_change_that_cannot_be_asked_for_never_leaves_the_old_version() {
    let app = before_an_update().await;
    app.control.update(|state| state.is_down = true);
    within("announced", app.executor.announce(&change("hello"))).await;
    assert_eq!(app.get("hello", "/").await.status, 503);
    app.control.update(|state| state.is_down = false);
    assert_eq!(app.get("hello", "/").await.text(), "two");
}

#[tokio::test]
async fn after_a_resync_what_nobody_requests_is_asked_for_too() {
    let app = before_an_update().await;
    app.control.tell(Change::Resync).await;
    app.control.until("it is asked for", |state| (state.resolved == 2).then_some(())).await;
    app.control.update(|state| state.is_down = true);
    assert_eq!(app.get("hello", "/").await.text(), "two");
}

/// A control plane that can stand still: it answers no question until it goes on.
#[derive(Clone)]
struct StandsStill {
    control: Control,
    stands_still: watch::Receiver<bool>,
}

#[async_trait]
impl ControlPlane for StandsStill {
    async fn resolve(&self, key: &RouteKey) -> Result<Option<Deployment>, ControlPlaneError> {
        self.stands_still.clone().wait_for(|stands_still| !stands_still).await.unwrap();
        self.control.resolve(key).await
    }

    async fn routes(&self, _: &HostName) -> Result<Vec<HostRoute>, ControlPlaneError> {
        Ok(Vec::new())
    }

    async fn report(&self, _: ExecutorReport) -> Result<(), ControlPlaneError> {
        Ok(())
    }

    async fn usage(
        &self,
        executor: Uuid,
        used: Vec<AccountUse>,
    ) -> Result<Vec<AccountUse>, ControlPlaneError> {
        self.control.usage(executor, used).await
    }

    async fn changes(&self) -> Result<ChangeStream, ControlPlaneError> {
        self.control.changes().await
    }

    async fn record(&self, batch: Vec<Record>) -> Result<(), ControlPlaneError> {
        self.control.record(batch).await
    }

    async fn module(&self, digest: &Digest) -> Result<Option<Bytes>, ControlPlaneError> {
        self.control.module(digest).await
    }
}

#[tokio::test]
async fn after_a_resync_a_control_plane_that_stands_still_holds_up_the_first_requests_only() {
    let (cache, control, (stand_still, stands_still)) =
        (TempDir::new().unwrap(), Control::default(), watch::channel(false));
    let plane = Arc::new(StandsStill { control: control.clone(), stands_still });
    let app = TestExecutor::start_behind(cache.path(), control, plane).await;
    app.deploy("hello", &says("one")).await;
    assert_eq!(app.get("hello", "/").await.text(), "one");
    app.store("hello", &says("two"), |_| ());
    stand_still.send_replace(true);
    app.control.tell(Change::Resync).await;
    let started = Instant::now();
    for _ in 0..30 {
        assert_eq!(app.get("hello", "/").await.text(), "one");
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    stand_still.send_replace(false);
    let found = async { while app.get("hello", "/").await.text() == "one" {} };
    within("the new version is found", found).await;
}
