//! Clients of handlers: what curl or a browser would send, and what comes back.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Body, Certificate, Client, Method, Response};
use tokio::runtime::{Builder, Runtime};

use super::Platform;
use super::certificates::Certificates;
use super::eventually::PATIENCE;

/// Runs a future on the tests' shared runtime.
pub fn block_on<F: Future>(future: F) -> F::Output {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime =
        RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());
    runtime.block_on(future)
}

/// A client to which every name is this machine.
#[derive(Clone)]
pub struct Web(Client);

/// An answer that has arrived whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

/// An answer whose body is still coming.
pub struct Coming(Response);

struct ThisMachine;

impl Resolve for ThisMachine {
    fn resolve(&self, _: Name) -> Resolving {
        let here: Addrs = Box::new([SocketAddr::from((Ipv4Addr::LOCALHOST, 0))].into_iter());
        Box::pin(async { Ok(here) })
    }
}

impl Platform {
    /// A client at an address of its own.
    pub fn web_at(&self, address: IpAddr) -> Web {
        Web::at(&Certificates::shared().ca, Some(address))
    }
}

impl Web {
    /// A client that trusts this CA alone. It keeps no connection: a restarted platform is met afresh.
    pub fn trusting(ca_pem: &str) -> Web {
        Web::at(ca_pem, None)
    }

    /// The same, at an address of its own.
    fn at(ca_pem: &str, address: Option<IpAddr>) -> Web {
        // Only the first installation counts.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder()
            .no_proxy()
            .tls_certs_only([Certificate::from_pem(ca_pem.as_bytes()).unwrap()])
            .dns_resolver(Arc::new(ThisMachine))
            .local_address(address)
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE + Duration::from_secs(10));
        Web(client.build().unwrap())
    }

    #[track_caller]
    pub fn get(&self, url: &str) -> Reply {
        self.try_get(url).unwrap_or_else(|error| panic!("GET {url}: {error:?}"))
    }

    /// As [`Web::get`], where an answer need not come.
    pub fn try_get(&self, url: &str) -> reqwest::Result<Reply> {
        block_on(async { Reply::read(self.0.get(url).send().await?).await })
    }

    #[track_caller]
    pub fn post(&self, url: &str, body: impl Into<Body>) -> Reply {
        let sent = block_on(async { Reply::read(self.0.post(url).body(body).send().await?).await });
        sent.unwrap_or_else(|error| panic!("POST {url}: {error:?}"))
    }

    /// A request of any kind.
    #[track_caller]
    pub fn send(
        &self,
        method: Method,
        url: &str,
        headers: &BTreeMap<String, String>,
        body: impl Into<Body>,
    ) -> Reply {
        let request = self.0.request(method, url).body(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let sent = block_on(async { Reply::read(request.send().await?).await });
        sent.unwrap_or_else(|error| panic!("{url}: {error:?}"))
    }

    /// A request with a token, whose answer need not come.
    pub fn try_send(
        &self,
        method: Method,
        url: &str,
        token: &str,
        body: impl Into<Body>,
    ) -> reqwest::Result<Reply> {
        let request = self.0.request(method, url).bearer_auth(token).body(body);
        block_on(async { Reply::read(request.send().await?).await })
    }

    /// Begins a request, and gives its answer back as soon as the head is there.
    #[track_caller]
    pub fn open(&self, url: &str) -> Coming {
        let response = block_on(async { self.0.get(url).send().await });
        Coming(response.unwrap_or_else(|error| panic!("GET {url}: {error:?}")))
    }
}

impl Coming {
    /// The next part of the body; nothing at its end.
    #[track_caller]
    pub fn next(&mut self) -> Option<String> {
        let chunk =
            block_on(self.0.chunk()).unwrap_or_else(|error| panic!("the answer broke off: {error:?}"));
        chunk.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// The rest of the body.
    #[track_caller]
    pub fn rest(mut self) -> String {
        std::iter::from_fn(|| self.next()).collect()
    }

    pub fn invocation(&self) -> String {
        invocation(self.0.headers())
    }
}

impl Reply {
    async fn read(response: Response) -> reqwest::Result<Reply> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Reply { status, headers, body: response.bytes().await?.to_vec() })
    }

    #[track_caller]
    pub fn has_status(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The id under which log and receipt are found.
    #[track_caller]
    pub fn invocation(&self) -> String {
        invocation(&self.headers)
    }
}

#[track_caller]
fn invocation(headers: &reqwest::header::HeaderMap) -> String {
    headers.get("wasmcloud-invocation").expect("every answer has its id").to_str().unwrap().to_owned()
}
