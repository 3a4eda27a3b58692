//! A DNS server that answers what a test tells it to, over UDP and TCP on loopback.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{HeaderCounts, MessageType, Metadata, ResponseCode};
use hickory_server::proto::rr::rdata::{CNAME, TXT};
use hickory_server::proto::rr::{Name, RData, Record};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use tokio::net::{TcpListener, UdpSocket};

/// How long an idle TCP connection is kept.
const TCP_IDLE: Duration = Duration::from_secs(5);
/// Answers that wait to be written on a connection.
const TCP_ANSWERS_MAX: usize = 16;
/// How often a port is looked for that is free for both protocols.
const PORT_TRIES: usize = 20;
const TTL_S: u32 = 1;

/// What the server does with a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// TXT records, each of one or more strings.
    Texts(Vec<Vec<String>>),
    /// The name is another's alias; its texts are asked for there.
    Alias(String),
    /// The name is there, but has no texts.
    Nothing,
    /// SERVFAIL.
    Failure,
    /// Nothing ever comes.
    Silence,
}

impl Says {
    /// One TXT record of one string.
    pub fn text(text: &str) -> Says {
        Says::Texts(vec![vec![text.to_owned()]])
    }
}

/// A DNS server that goes with this value. Of names that it was told nothing about it says NXDOMAIN.
pub struct DnsServer {
    addr: SocketAddr,
    zone: Zone,
    _server: Server<Zone>,
}

#[derive(Clone, Default)]
struct Zone(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    names: HashMap<String, Says>,
    questions: Vec<String>,
}

impl DnsServer {
    /// Starts a server on a port of its own. Has to be called within a runtime.
    ///
    /// # Panics
    ///
    /// There is no free port on loopback.
    pub async fn start() -> DnsServer {
        for _ in 0..PORT_TRIES {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a UDP port");
            let addr = udp.local_addr().expect("a bound socket has an address");
            // Somebody else may have the same port for TCP.
            let Ok(tcp) = TcpListener::bind(addr).await else { continue };
            let zone = Zone::default();
            let mut server = Server::new(zone.clone());
            server.register_socket(udp);
            server.register_listener(tcp, TCP_IDLE, TCP_ANSWERS_MAX);
            return DnsServer { addr, zone, _server: server };
        }
        panic!("no port is free for UDP and TCP")
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Lets it say this about a name from now on.
    pub fn set(&self, name: &str, says: Says) {
        self.zone.state().names.insert(plain(name), says);
    }

    /// Lets it know nothing of a name from now on.
    pub fn forget(&self, name: &str) {
        self.zone.state().names.remove(&plain(name));
    }

    /// The names that it was asked about, and of which type, in order: `_wasmcloud.example.com TXT`.
    pub fn questions(&self) -> Vec<String> {
        self.zone.state().questions.clone()
    }
}

impl Zone {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, name: &Name, kind: &str) -> (ResponseCode, Option<Vec<Record>>) {
        let mut state = self.state();
        state.questions.push(format!("{} {kind}", plain(&name.to_string())));
        let record = |data| Record::from_rdata(name.clone(), TTL_S, data);
        match state.names.get(&plain(&name.to_string())) {
            None => (ResponseCode::NXDomain, Some(Vec::new())),
            Some(Says::Nothing) => (ResponseCode::NoError, Some(Vec::new())),
            Some(Says::Failure) => (ResponseCode::ServFail, Some(Vec::new())),
            Some(Says::Silence) => (ResponseCode::NoError, None),
            Some(Says::Texts(texts)) => {
                let records = texts.iter().map(|strings| record(RData::TXT(TXT::new(strings.clone()))));
                (ResponseCode::NoError, Some(records.collect()))
            }
            Some(Says::Alias(of)) => {
                let alias = format!("{}.", plain(of)).parse().map(|of| record(RData::CNAME(CNAME(of))));
                (ResponseCode::NoError, Some(alias.into_iter().collect()))
            }
        }
    }
}

#[async_trait]
impl RequestHandler for Zone {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut response: R,
    ) -> ResponseInfo {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.authoritative = true;
        let (code, records) = match request.request_info() {
            Ok(info) => self.answer(&Name::from(info.query.name()), &info.query.query_type().to_string()),
            Err(_) => (ResponseCode::FormErr, Some(Vec::new())),
        };
        metadata.response_code = code;
        if let Some(records) = records {
            let message = MessageResponseBuilder::from_message_request(request).build(
                metadata,
                records.iter(),
                [],
                [],
                [],
            );
            if let Ok(sent) = response.send_response(message).await {
                return sent;
            }
        }
        let nothing = Metadata::new(request.metadata.id, MessageType::Response, request.metadata.op_code);
        hickory_server::proto::op::Header { metadata: nothing, counts: HeaderCounts::default() }.into()
    }
}

/// A name in lower case, without its final dot.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
