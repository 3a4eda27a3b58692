//! Certificates that change while their port is served.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::time::sleep;
use wasmcloud_listener::{Settings, Tls};

use crate::harness::{Client, GET, Port, assert_status, patient, within};
use crate::tls::{Files, dial, files};

/// How often the files are looked at here.
const OFTEN: Duration = Duration::from_millis(10);
/// So many looks see whatever there is to be seen.
const LOOKS: u32 = 10;

/// A folder whose files the port reads, first those of `files`.
struct Place(tempfile::TempDir);

impl Place {
    fn new(files: &Files) -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        place.put(&files.certificate, &files.key);
        place
    }

    fn put(&self, certificate: &Path, key: &Path) {
        fs::copy(certificate, self.0.path().join("cert.pem")).unwrap();
        fs::copy(key, self.0.path().join("key.pem")).unwrap();
    }

    async fn port(&self) -> Port {
        let tls = Tls::from_files(&self.0.path().join("cert.pem"), &self.0.path().join("key.pem")).unwrap();
        Port::start_with(Settings { certificate_interval: OFTEN, ..patient() }, Some(tls)).await
    }
}

/// Waits until new handshakes show the certificate of `files`.
async fn until_shown(port: &Port, files: &Files) {
    within("the new certificate is shown", async {
        while dial(port, files, &["http/1.1"]).await.is_err() {
            sleep(OFTEN).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_new_certificate_is_used_for_new_connections_and_old_ones_go_on() {
    let (old, new) = (files(), files());
    let place = Place::new(&old);
    let port = place.port().await;
    let mut client = Client::new(dial(&port, &old, &["http/1.1"]).await.unwrap());
    client.send(GET).await;
    assert_status(&client.answer().await, 200);
    place.put(&new.certificate, &new.key);
    until_shown(&port, &new).await;
    assert!(dial(&port, &old, &["http/1.1"]).await.is_err(), "the old certificate is still shown");
    client.send(GET).await;
    assert_status(&client.answer().await, 200);
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_is_followed() {
    // As Kubernetes does it: `cert.pem` leads through a link to a folder, which is exchanged.
    let (old, new) = (files(), files());
    let place = tempfile::tempdir().unwrap();
    for (name, files) in [("one", &old), ("two", &new)] {
        fs::create_dir(place.path().join(name)).unwrap();
        fs::copy(&files.certificate, place.path().join(name).join("cert.pem")).unwrap();
        fs::copy(&files.key, place.path().join(name).join("key.pem")).unwrap();
    }
    symlink("one", place.path().join("data")).unwrap();
    let (cert, key) = (place.path().join("cert.pem"), place.path().join("key.pem"));
    symlink("data/cert.pem", &cert).unwrap();
    symlink("data/key.pem", &key).unwrap();
    let tls = Tls::from_files(&cert, &key).unwrap();
    let port = Port::start_with(Settings { certificate_interval: OFTEN, ..patient() }, Some(tls)).await;
    until_shown(&port, &old).await;
    symlink("two", place.path().join("next")).unwrap();
    fs::rename(place.path().join("next"), place.path().join("data")).unwrap();
    until_shown(&port, &new).await;
}

#[tokio::test]
async fn a_pair_that_does_not_do_leaves_the_old_one_in_use() {
    let (old, new) = (files(), files());
    let place = Place::new(&old);
    let port = place.port().await;
    let half = place.0.path().join("half.pem");
    let text = fs::read(&new.certificate).unwrap();
    fs::write(&half, &text[..text.len() / 2]).unwrap();
    let empty = place.0.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    for (certificate, key) in
        [(&new.certificate, &old.key), (&half, &new.key), (&empty, &empty), (&old.certificate, &new.key)]
    {
        place.put(certificate, key);
        for _ in 0..LOOKS {
            sleep(OFTEN).await;
            dial(&port, &old, &["http/1.1"]).await.expect("the old certificate is gone");
        }
    }
    fs::remove_file(place.0.path().join("cert.pem")).unwrap();
    sleep(OFTEN * LOOKS).await;
    dial(&port, &old, &["http/1.1"]).await.expect("the old certificate is gone");
    place.put(&new.certificate, &new.key);
    until_shown(&port, &new).await;
}

#[tokio::test]
async fn who_trusts_a_self_signed_certificate_trusts_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let first = Tls::self_signed(folder.path(), "edge", &names(&["localhost", "127.0.0.1"])).unwrap();
    let made = first.made_here().unwrap();
    let der = CertificateDer::from_pem_slice(&fs::read(made.certificate()).unwrap()).unwrap();
    let trusting = Files { der, ..files() };
    let port = Port::start_with(patient(), Some(first.clone())).await;
    dial(&port, &trusting, &["h2"]).await.unwrap();

    let again = Tls::self_signed(folder.path(), "edge", &names(&["127.0.0.1", "localhost"])).unwrap();
    assert_eq!(again.made_here(), first.made_here(), "it is made anew without a reason");
    let more = Tls::self_signed(folder.path(), "edge", &names(&["localhost", "*.example.net"])).unwrap();
    assert_ne!(more.made_here().unwrap().sha256(), made.sha256());
    let port = Port::start_with(patient(), Some(more)).await;
    dial(&port, &trusting, &["h2"]).await.unwrap();
}
