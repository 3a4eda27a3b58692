//! The API, typed: every request that the command line makes.

use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use uuid::Uuid;
use wasmcloud_wire::body::{
    Deployed, Handler, HandlerPatch, Invitation, Invocation, Invocations, InvokeRequest, LoginRequest, Logs,
    NewToken, POLICY_HEADER, Promote, RegisterRequest, Server as ServerInfo, Token, TokenGrant, User,
    Version,
};
use wasmcloud_wire::{ErrorBody, HandlerName, InvocationId, Policy, PolicyPatch, VersionNumber};

use crate::config::Secret;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::lines::Lines;
use crate::server::Server;
use crate::since::Since;
use crate::transport::{root_cause, transport_failure};

/// How long a connection may take to come about.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request may take as a whole; for a stream, until it begins.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// How long an upload may take: 32 MiB over a slow line, and a minute of compiling.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(600);
/// How long an invocation may be silent: longer than the longest one may run.
const INVOKE_IDLE_MAX: Duration = Duration::from_secs(330);
/// How long a followed log may be silent before the connection is made anew.
const FOLLOW_IDLE_MAX: Duration = Duration::from_secs(90);
/// Largest answer that is not a stream.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// Most of an unknown answer that is quoted.
const QUOTE_CHARS_MAX: usize = 200;

/// Which lines of a log.
#[derive(Clone, Debug, Default)]
pub struct LogQuery {
    /// Only those of this invocation.
    pub invocation: Option<InvocationId>,
    /// Only those from this time on.
    pub since: Option<Since>,
    /// The newest so many of them.
    pub limit: u32,
}

/// A client of one server, perhaps logged in.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    server: Server,
    token: Option<Secret>,
}

impl Client {
    /// A client of this server. The token must be this server's own.
    pub fn new(server: Server, token: Option<Secret>) -> Result<Client, Failure> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("wasmcloud/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // The API never redirects; whoever does so shall not get the request, nor the token in it.
            .redirect(reqwest::redirect::Policy::none());
        if server.is_loopback() {
            builder = builder.no_proxy();
        }
        if !server.is_encrypted() {
            // The machine's certificates are not needed, and a small container may have none.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| {
            Failure::new(
                Exit::Failure,
                "tls",
                format!("cannot prepare an encrypted connection: {}", root_cause(&error)),
                "install the system's CA certificates, or name a file with SSL_CERT_FILE",
            )
        })?;
        Ok(Client { http, server, token })
    }

    /// The server that is asked.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// What the server says about itself to everyone.
    pub async fn server_info(&self) -> Result<ServerInfo, Failure> {
        self.fetch(self.get("/server")).await
    }

    /// Logs in.
    pub async fn login(&self, request: &LoginRequest) -> Result<TokenGrant, Failure> {
        self.fetch(self.post("/login").json(request)).await
    }

    /// Makes a user, and logs in as that user.
    pub async fn register(&self, request: &RegisterRequest) -> Result<TokenGrant, Failure> {
        self.fetch(self.post("/register").json(request)).await
    }

    /// Revokes the token that this client uses.
    pub async fn logout(&self) -> Result<(), Failure> {
        self.done(self.post("/logout")).await
    }

    /// Whose token this client uses.
    pub async fn whoami(&self) -> Result<User, Failure> {
        self.fetch(self.get("/whoami")).await
    }

    /// The user's handlers.
    pub async fn handlers(&self) -> Result<Vec<Handler>, Failure> {
        self.fetch(self.get("/handlers")).await
    }

    /// One handler.
    pub async fn handler(&self, name: &HandlerName) -> Result<Handler, Failure> {
        self.fetch(self.get(&format!("/handlers/{name}"))).await
    }

    /// Makes a handler of a module.
    pub async fn create<S>(
        &self,
        name: &HandlerName,
        forward_authorization: bool,
        policy: Option<&Policy>,
        size: u64,
        module: S,
    ) -> Result<Deployed, Failure>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    {
        let query =
            [("name", name.to_string()), ("forward_authorization", forward_authorization.to_string())];
        let request = self.request(Method::POST, "/handlers", &query);
        self.upload(with_policy(request, policy), size, module).await
    }

    /// Uploads a handler's next version and makes it live.
    pub async fn update<S>(
        &self,
        name: &HandlerName,
        policy: Option<&Policy>,
        size: u64,
        module: S,
    ) -> Result<Deployed, Failure>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    {
        let request = self.request(Method::PUT, &format!("/handlers/{name}/module"), &[]);
        self.upload(with_policy(request, policy), size, module).await
    }

    /// Changes a handler's settings.
    pub async fn patch(&self, name: &HandlerName, patch: &HandlerPatch) -> Result<Handler, Failure> {
        self.fetch(self.request(Method::PATCH, &format!("/handlers/{name}"), &[]).json(patch)).await
    }

    /// A handler's policy.
    pub async fn policy(&self, name: &HandlerName) -> Result<Policy, Failure> {
        self.fetch(self.get(&format!("/handlers/{name}/policy"))).await
    }

    /// Gives a handler another policy.
    pub async fn set_policy(&self, name: &HandlerName, policy: &Policy) -> Result<Policy, Failure> {
        self.fetch(self.request(Method::PUT, &format!("/handlers/{name}/policy"), &[]).json(policy)).await
    }

    /// Changes a handler's policy.
    pub async fn change_policy(&self, name: &HandlerName, patch: &PolicyPatch) -> Result<Policy, Failure> {
        self.fetch(self.request(Method::PATCH, &format!("/handlers/{name}/policy"), &[]).json(patch)).await
    }

    /// The smallest policy that would have allowed what a handler did.
    pub async fn learned_policy(&self, name: &HandlerName, since: Option<Since>) -> Result<Policy, Failure> {
        let query: Vec<_> = since.map(|since| ("since", since.0.0.to_string())).into_iter().collect();
        self.fetch(self.request(Method::GET, &format!("/handlers/{name}/policy/learned"), &query)).await
    }

    /// Deletes a handler.
    pub async fn delete(&self, name: &HandlerName) -> Result<(), Failure> {
        self.done(self.request(Method::DELETE, &format!("/handlers/{name}"), &[])).await
    }

    /// A handler's versions.
    pub async fn versions(&self, name: &HandlerName) -> Result<Vec<Version>, Failure> {
        self.fetch(self.get(&format!("/handlers/{name}/versions"))).await
    }

    /// Makes a version live.
    pub async fn promote(&self, name: &HandlerName, version: VersionNumber) -> Result<Handler, Failure> {
        self.fetch(self.post(&format!("/handlers/{name}/promote")).json(&Promote { version })).await
    }

    /// Runs a handler; the lines are [`wasmcloud_wire::Event`]s.
    pub async fn invoke(&self, name: &HandlerName, request: &InvokeRequest) -> Result<Lines, Failure> {
        let request = self.post(&format!("/handlers/{name}/invoke")).json(request);
        self.stream(request, INVOKE_IDLE_MAX).await
    }

    /// A handler's log lines.
    pub async fn logs(&self, name: &HandlerName, query: &LogQuery) -> Result<Logs, Failure> {
        self.fetch(self.request(Method::GET, &format!("/handlers/{name}/logs"), &query.pairs())).await
    }

    /// A handler's log lines as server-sent events, those to come too.
    pub async fn follow(
        &self,
        name: &HandlerName,
        query: &LogQuery,
        last_id: Option<&str>,
    ) -> Result<Lines, Failure> {
        let mut pairs = query.pairs();
        pairs.push(("follow", "true".to_owned()));
        let mut request = self.request(Method::GET, &format!("/handlers/{name}/logs"), &pairs);
        request = request.header("accept", "text/event-stream");
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        self.stream(request, FOLLOW_IDLE_MAX).await
    }

    /// A handler's last invocations.
    pub async fn invocations(&self, name: &HandlerName, query: &LogQuery) -> Result<Invocations, Failure> {
        self.fetch(self.request(Method::GET, &format!("/handlers/{name}/invocations"), &query.pairs())).await
    }

    /// One invocation with its log.
    pub async fn invocation(&self, name: &HandlerName, id: InvocationId) -> Result<Invocation, Failure> {
        self.fetch(self.get(&format!("/handlers/{name}/invocations/{id}"))).await
    }

    /// The user's tokens.
    pub async fn tokens(&self) -> Result<Vec<Token>, Failure> {
        self.fetch(self.get("/tokens")).await
    }

    /// Makes a token.
    pub async fn create_token(&self, token: &NewToken) -> Result<TokenGrant, Failure> {
        self.fetch(self.post("/tokens").json(token)).await
    }

    /// Revokes a token.
    pub async fn revoke_token(&self, id: Uuid) -> Result<(), Failure> {
        self.done(self.request(Method::DELETE, &format!("/tokens/{id}"), &[])).await
    }

    /// Makes an invitation.
    pub async fn invite(&self) -> Result<Invitation, Failure> {
        self.fetch(self.post("/invitations")).await
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path, &[])
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path, &[])
    }

    /// A request below `/api/v1`. Whatever stands in a path has been parsed and needs no encoding.
    fn request(&self, method: Method, path: &str, query: &[(&str, String)]) -> RequestBuilder {
        let mut url = self.server.url(&format!("/api/v1{path}"));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token.reveal()),
            None => request,
        }
    }

    async fn upload<S>(&self, request: RequestBuilder, size: u64, module: S) -> Result<Deployed, Failure>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    {
        let request = request
            .timeout(UPLOAD_TIMEOUT)
            .header("content-type", "application/wasm")
            .header("content-length", size)
            .body(reqwest::Body::wrap_stream(module));
        let answer = async { self.read(self.send(request).await?).await };
        answer.await.map_err(Failure::of_upload)
    }

    async fn stream(&self, request: RequestBuilder, idle_max: Duration) -> Result<Lines, Failure> {
        let response = tokio::time::timeout(REQUEST_TIMEOUT, self.send(request)).await.map_err(|_| {
            Failure::new(Exit::Unreachable, "timeout", self.late(REQUEST_TIMEOUT), "try again")
        })??;
        Ok(Lines::new(response, self.server.clone(), idle_max))
    }

    async fn fetch<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        self.read(self.send(request.timeout(REQUEST_TIMEOUT)).await?).await
    }

    async fn done(&self, request: RequestBuilder) -> Result<(), Failure> {
        self.send(request.timeout(REQUEST_TIMEOUT)).await.map(drop)
    }

    async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, Failure> {
        let status = response.status();
        let body = self.body(response).await?;
        serde_json::from_slice(&body).map_err(|_| self.foreign(status, &body))
    }

    /// Sends, and turns every answer but a success into a failure.
    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| transport_failure(&self.server, error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.body(response).await?;
        match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(body) => Err(Failure::of_answer(status.as_u16(), body.error)),
            Err(_) => Err(self.foreign(status, &body)),
        }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| transport_failure(&self.server, error))?
        {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                let message = format!("{} answered with more than {ANSWER_BYTES_MAX} bytes", self.server);
                return Err(Failure::new(Exit::Failure, "bad_answer", message, "ask for less"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// An answer that no API of this kind gives: a proxy's error page, another program.
    fn foreign(&self, status: StatusCode, body: &[u8]) -> Failure {
        let exit = Exit::of_status(status.as_u16());
        // A 404 in another shape is not a missing handler: it is the wrong server.
        let exit = if exit == Exit::NotFound { Exit::Failure } else { exit };
        let text: String = String::from_utf8_lossy(body).trim().chars().take(QUOTE_CHARS_MAX).collect();
        let quoted =
            if text.is_empty() { String::new() } else { format!(": {}", crate::text::one_line(&text)) };
        Failure::new(
            exit,
            "bad_answer",
            format!("{} answered {status}, but not as a wasmcloud API does{quoted}", self.server),
            "check the address, or name another with --api-server",
        )
    }

    fn late(&self, limit: Duration) -> String {
        format!("{} did not answer within {} s", self.server, limit.as_secs())
    }
}

/// An upload that sets its handler's policy as well.
fn with_policy(request: RequestBuilder, policy: Option<&Policy>) -> RequestBuilder {
    match policy {
        Some(policy) => request.header(POLICY_HEADER, policy.to_ascii_json()),
        None => request,
    }
}

impl LogQuery {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![("limit", self.limit.to_string())];
        pairs.extend(self.since.map(|since| ("since", since.0.0.to_string())));
        pairs.extend(self.invocation.map(|id| ("invocation", id.to_string())));
        pairs
    }
}
