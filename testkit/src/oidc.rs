//! A real provider of OpenID Connect: npm's `oidc-provider`, run by Node.js on loopback.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::browser;

/// A provider that goes with this value. In its own pages a person signs in with any name and any password; below `/test`
/// it does so without a browser (`/test/sign-in?url=U&login=L` answers with the address that the browser is sent back to),
/// and spoils its next token (`/test/spoil?how=H`).
pub struct OidcServer {
    /// What it calls itself.
    pub issuer: String,
    /// The client that it knows.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: String,
    redirect_uris: Vec<String>,
    process: Child,
}

impl OidcServer {
    /// Starts one that sends browsers back to these addresses.
    pub fn start(redirect_uris: &[&str]) -> OidcServer {
        OidcServer::start_at(0, redirect_uris.iter().map(|&uri| uri.to_owned()).collect())
    }

    fn start_at(port: u16, redirect_uris: Vec<String>) -> OidcServer {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/oidc/provider.mjs");
        let mut process = Command::new("node")
            .arg(script)
            .arg(browser::folder().join("node_modules"))
            .arg(port.to_string())
            .args(&redirect_uris)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It warns of what is meant for development alone.
            .stderr(Stdio::null())
            .spawn()
            .expect("node: run `cargo xtask setup`");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let told = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with('{')));
        let told = told.expect("the provider ended before it listened").unwrap();
        let field = |name: &str| {
            let (_, rest) = told.split_once(&format!("\"{name}\":\"")).unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        OidcServer {
            issuer: field("issuer"),
            client_id: field("client_id"),
            client_secret: field("client_secret"),
            redirect_uris,
            process,
        }
    }

    /// The same provider with new keys, which has forgotten who signed in.
    pub fn start_again(mut self) -> OidcServer {
        self.end();
        let port = self.issuer.rsplit(':').next().unwrap().parse().unwrap();
        OidcServer::start_at(port, std::mem::take(&mut self.redirect_uris))
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for OidcServer {
    fn drop(&mut self) {
        self.end();
    }
}
