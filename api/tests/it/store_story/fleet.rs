//! Executors come and go, and what they sign is taken once.

use uuid::Uuid;
use wasmcloud_api::store::Store;
use wasmcloud_wire::{ExecutorReport, Timestamp};

use super::{NOW, later};

pub async fn comes_and_goes(store: &dyn Store) {
    let report = |name: &str| ExecutorReport {
        id: Uuid::now_v7(),
        name: name.to_owned(),
        internal_url: Some("https://10.0.0.2:3002/".to_owned()),
        version: "1".to_owned(),
        started_at: NOW,
        running: 0,
        running_max: 256,
        records_waiting: 0,
        records_dropped: 0,
        draining: false,
    };
    let (two, one) = (report("two"), report("one"));
    store.see_executor(&two, NOW).await.unwrap();
    store.see_executor(&one, later(5)).await.unwrap();
    assert_eq!(store.executors(NOW).await.unwrap(), [(one.clone(), later(5)), (two.clone(), NOW)]);
    let draining = ExecutorReport { draining: true, running: 7, ..two };
    store.see_executor(&draining, later(10)).await.unwrap();
    assert_eq!(store.executors(later(6)).await.unwrap(), [(draining.clone(), later(10))]);
    assert_eq!(store.sweep_fleet(later(6), NOW).await.unwrap(), 1);
    assert_eq!(store.executors(Timestamp(0)).await.unwrap(), [(draining, later(10))]);
    assert_eq!(store.sweep_fleet(later(11), NOW).await.unwrap(), 1);
}

pub async fn signs_each_request_once(store: &dyn Store) {
    assert!(store.use_nonce(&[1; 16], later(10)).await.unwrap());
    assert!(!store.use_nonce(&[1; 16], later(20)).await.unwrap());
    assert!(store.use_nonce(&[2; 16], later(20)).await.unwrap());
    // Only those whose time is over are forgotten.
    store.sweep_fleet(NOW, later(15)).await.unwrap();
    assert!(!store.use_nonce(&[2; 16], later(20)).await.unwrap());
    assert!(store.use_nonce(&[1; 16], later(30)).await.unwrap());
}
