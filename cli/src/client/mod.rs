//! The API, typed: every request that the command line makes.

mod audit;
mod charts;
mod exchange;
mod hosts;
mod people;
mod quotas;
mod recordings;
mod teams;

use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder};
use uuid::Uuid;
use wasmcloud_wire::body::{
    Deployed, ExecutorStatus, Handler, HandlerPatch, Invitation, Invocation, Invocations, InvokeRequest,
    LoginRequest, Logs, NewToken, POLICY_HEADER, Promote, Promoted, RegisterRequest, Server as ServerInfo,
    Token, TokenGrant, User, Version,
};
use wasmcloud_wire::{ENV_HEADER, Env, EnvPatch, HandlerName, InvocationId, Policy, PolicyPatch};

pub use audit::AuditQuery;

use crate::config::Secret;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::lines::Lines;
use crate::server::Server;
use crate::since::Since;
use crate::transport::root_cause;

/// How long a connection may take to come about.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an invocation may be silent: longer than the longest one may run.
const INVOKE_IDLE_MAX: Duration = Duration::from_secs(330);
/// How long a followed log may be silent before the connection is made anew.
const FOLLOW_IDLE_MAX: Duration = Duration::from_secs(90);

/// Which lines of a log.
#[derive(Clone, Debug, Default)]
pub struct LogQuery {
    /// Only those of this invocation.
    pub invocation: Option<InvocationId>,
    /// Only those from this time on.
    pub since: Option<Since>,
    /// Only those of this level, and graver ones.
    pub level: Option<&'static str>,
    /// Only those that contain this.
    pub text: Option<String>,
    /// The newest so many of them.
    pub limit: u32,
}

/// Which invocations.
#[derive(Clone, Copy, Debug)]
pub struct InvocationQuery {
    /// Only those from this time on.
    pub since: Option<Since>,
    /// Only those that began before this one.
    pub before: Option<InvocationId>,
    /// Only those that failed.
    pub failed: bool,
    /// The newest so many of them.
    pub limit: u32,
}

/// What goes with an upload.
#[derive(Clone, Debug, Default)]
pub struct With {
    /// The handler's policy from this version on.
    pub policy: Option<Policy>,
    /// Changes of the handler's settings.
    pub env: EnvPatch,
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
                crate::certificate::no_authorities(),
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

    /// The handlers that the user can see, or those of a team.
    pub async fn handlers(&self, team: Option<&str>) -> Result<Vec<Handler>, Failure> {
        self.fetch(self.request(Method::GET, "/handlers", &of_team(team))).await
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
        team: Option<&str>,
        with: &With,
        size: u64,
        module: S,
    ) -> Result<Deployed, Failure>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    {
        let mut query =
            vec![("name", name.to_string()), ("forward_authorization", forward_authorization.to_string())];
        query.extend(of_team(team));
        let request = self.request(Method::POST, "/handlers", &query);
        self.upload(with.fields(request)?, size, module).await
    }

    /// Uploads a handler's next version, and makes it live if it is to be promoted.
    pub async fn update<S>(
        &self,
        name: &HandlerName,
        promote: bool,
        with: &With,
        size: u64,
        module: S,
    ) -> Result<Deployed, Failure>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    {
        let query: &[_] = if promote { &[] } else { &[("promote", "false".to_owned())] };
        let request = self.request(Method::PUT, &format!("/handlers/{name}/module"), query);
        self.upload(with.fields(request)?, size, module).await
    }

    /// Changes a handler's settings.
    pub async fn patch(&self, name: &HandlerName, patch: &HandlerPatch) -> Result<Handler, Failure> {
        self.fetch(self.request(Method::PATCH, &format!("/handlers/{name}"), &[]).json(patch)).await
    }

    /// A handler's settings.
    pub async fn env(&self, name: &HandlerName) -> Result<Env, Failure> {
        self.fetch(self.get(&format!("/handlers/{name}/env"))).await
    }

    /// Changes a handler's settings.
    pub async fn change_env(&self, name: &HandlerName, patch: &EnvPatch) -> Result<Env, Failure> {
        self.fetch(self.request(Method::PATCH, &format!("/handlers/{name}/env"), &[]).json(patch)).await
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

    /// Makes a version live, or lets it answer a part of the clients.
    pub async fn promote(&self, name: &HandlerName, promote: &Promote) -> Result<Promoted, Failure> {
        self.fetch(self.post(&format!("/handlers/{name}/promote")).json(promote)).await
    }

    /// Goes back to the version that was live before.
    pub async fn rollback(&self, name: &HandlerName) -> Result<Promoted, Failure> {
        self.fetch(self.post(&format!("/handlers/{name}/rollback"))).await
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
    pub async fn invocations(
        &self,
        name: &HandlerName,
        query: &InvocationQuery,
    ) -> Result<Invocations, Failure> {
        let mut pairs = vec![("limit", query.limit.to_string())];
        pairs.extend(query.since.map(|since| ("since", since.0.0.to_string())));
        pairs.extend(query.before.map(|id| ("before", id.to_string())));
        pairs.extend(query.failed.then(|| ("failed", "true".to_owned())));
        self.fetch(self.request(Method::GET, &format!("/handlers/{name}/invocations"), &pairs)).await
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

    /// The executors.
    pub async fn executors(&self) -> Result<Vec<ExecutorStatus>, Failure> {
        self.fetch(self.get("/executors")).await
    }
}

/// What of a query names a team.
fn of_team(team: Option<&str>) -> Vec<(&'static str, String)> {
    team.map(|team| ("team", team.to_owned())).into_iter().collect()
}

impl With {
    /// The header fields that it takes.
    fn fields(&self, mut request: RequestBuilder) -> Result<RequestBuilder, Failure> {
        if let Some(policy) = &self.policy {
            request = request.header(POLICY_HEADER, policy.to_ascii_json());
        }
        if !self.env.is_empty() {
            let mut field = HeaderValue::try_from(self.env.to_ascii_json()).map_err(|_| {
                Failure::usage("a setting cannot be sent", "set it afterwards: wasmcloud env set")
            })?;
            field.set_sensitive(true);
            request = request.header(ENV_HEADER, field);
        }
        Ok(request)
    }
}

impl LogQuery {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![("limit", self.limit.to_string())];
        pairs.extend(self.since.map(|since| ("since", since.0.0.to_string())));
        pairs.extend(self.invocation.map(|id| ("invocation", id.to_string())));
        pairs.extend(self.level.map(|level| ("level", level.to_owned())));
        pairs.extend(self.text.clone().map(|text| ("text", text)));
        pairs
    }
}
