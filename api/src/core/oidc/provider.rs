//! Speaking to a provider of OpenID Connect: what it says of itself, codes for tokens, who somebody is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
    CoreGrantType, CoreIdToken, CoreIdTokenClaims, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, AuthType, AuthorizationCode, ClaimsVerificationError,
    ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl, RequestTokenError, Scope,
    SignatureVerificationError, TokenResponse as _,
};
use openidconnect::{EndpointMaybeSet, EndpointNotSet, EndpointSet};
use serde::{Deserialize, Serialize};

use crate::ApiError;
use crate::oidc_provider::{OidcProvider, is_private};

/// How long a request to a provider may take, answer and all.
const REQUEST_MAX: Duration = Duration::from_secs(10);
/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How long what a provider says of itself is believed, its keys with it.
const KNOWN_FOR: Duration = Duration::from_secs(3_600);
/// How long a provider that did not say what it is is not asked again: who comes meanwhile does not wait for it in turn.
const FAILED_FOR: Duration = Duration::from_secs(5);
/// How an identity's token may be signed: by a key that the provider alone has.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 8] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// What a provider says of itself besides what OpenID Connect itself knows.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Besides {
    /// Whether it says at its way back who it is (RFC 9207, 3).
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Besides {}

/// What a provider says of itself.
type Metadata = ProviderMetadata<
    Besides,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A provider, and what it said of itself last.
pub(super) struct Provider {
    pub told: OidcProvider,
    redirect: RedirectUrl,
    http: reqwest::Client,
    known: Mutex<Known>,
    /// Held by the one who asks.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    /// What it said last, and when.
    metadata: Option<(Arc<Metadata>, Instant)>,
    /// When it was asked last and did not say it, if it has not since.
    failed_at: Option<Instant>,
}

/// Where a browser is sent, and what has to be remembered until it comes back.
pub(super) struct Begun {
    pub url: String,
    /// Whether the provider says at its way back who it is.
    pub says_iss: bool,
    pub state: String,
    pub nonce: String,
    pub verifier: String,
}

/// Who somebody is at a provider.
pub(super) struct Someone {
    pub subject: String,
    /// What the provider calls them.
    pub label: String,
    /// What their name here could be made of.
    pub nick: String,
}

/// Why a request to a provider has no answer.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{0} is neither https:// nor on this machine")]
    Exposed(String),
    #[error("{0}")]
    Request(#[from] reqwest::Error),
    #[error("the answer has more than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
    #[error("{0}")]
    Http(#[from] http::Error),
}

impl Provider {
    /// A provider that sends browsers back to `redirect`.
    pub(super) fn new(told: OidcProvider, redirect: String) -> Result<Provider, String> {
        let http = reqwest::Client::builder()
            // Whoever answers must not choose what is asked next.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(REQUEST_MAX)
            .build()
            .map_err(|error| error.to_string())?;
        let redirect = RedirectUrl::new(redirect).map_err(|error| error.to_string())?;
        Ok(Provider { told, redirect, http, known: Mutex::default(), asking: tokio::sync::Mutex::default() })
    }

    /// Where a browser has to go to sign in.
    pub(super) async fn begin(&self) -> Result<Begun, ApiError> {
        let metadata = self.metadata(None).await?;
        let client = self.client(&metadata);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let scopes = self.told.scopes.iter().cloned().map(Scope::new);
        let (url, state, nonce) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scopes(scopes)
            .set_pkce_challenge(challenge)
            .url();
        if !is_private(url.as_str()) {
            return Err(self.failed(format!("its page to sign in at is {url}")));
        }
        Ok(Begun {
            url: url.to_string(),
            says_iss: metadata.additional_metadata().authorization_response_iss_parameter_supported,
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
        })
    }

    /// Who has signed in there, by the code that the browser brought back.
    pub(super) async fn finish(
        &self,
        code: String,
        verifier: String,
        nonce: String,
    ) -> Result<Someone, ApiError> {
        let metadata = self.metadata(None).await?;
        let client = self.client(&metadata);
        let fetch = |request: HttpRequest| fetch(self.http.clone(), request);
        let request =
            client.exchange_code(AuthorizationCode::new(code)).map_err(|error| self.failed(error))?;
        let response = request.set_pkce_verifier(PkceCodeVerifier::new(verifier)).request_async(&fetch).await;
        let response = response.map_err(|error| match error {
            RequestTokenError::ServerResponse(said) => self.refused(&said.to_string()),
            other => self.failed(other),
        })?;
        let token = response.id_token().ok_or_else(|| self.failed("it gave no id_token".to_owned()))?;
        let nonce = Nonce::new(nonce);
        let claims = match self.verify(&client, token, &response, &nonce) {
            Err(Unverified::UnknownKey) => {
                let metadata = self.metadata(Some(&metadata)).await?;
                self.verify(&self.client(&metadata), token, &response, &nonce)
            }
            other => other,
        };
        let claims = claims.map_err(|error| self.failed(error))?;
        let subject = claims.subject().as_str().to_owned();
        let more = self.user_info(&client, &claims, &response).await;
        Ok(someone(subject, &claims, more.as_ref()))
    }

    /// What an id_token says, if it is one of the provider's, for this server, and of this very sign-in.
    fn verify(
        &self,
        client: &Client,
        token: &CoreIdToken,
        response: &CoreTokenResponse,
        nonce: &Nonce,
    ) -> Result<CoreIdTokenClaims, Unverified> {
        let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
        let claims = token.claims(&verifier, nonce).map_err(|error| match error {
            ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
                Unverified::UnknownKey
            }
            other => Unverified::Claims(other),
        })?;
        if let Some(expected) = claims.access_token_hash() {
            let algorithm = token.signing_alg().map_err(|error| Unverified::Other(error.to_string()))?;
            let key = token.signing_key(&verifier).map_err(|error| Unverified::Other(error.to_string()))?;
            let hash = AccessTokenHash::from_token(response.access_token(), algorithm, key)
                .map_err(|error| Unverified::Other(error.to_string()))?;
            if hash != *expected {
                return Err(Unverified::Other("the access token is another one's".to_owned()));
            }
        }
        Ok(claims.clone())
    }

    /// What the provider says more of the user, where its id_token does not name them. Nobody needs it to sign in.
    async fn user_info(
        &self,
        client: &Client,
        claims: &CoreIdTokenClaims,
        response: &CoreTokenResponse,
    ) -> Option<CoreUserInfoClaims> {
        if claims.preferred_username().is_some() {
            return None;
        }
        let fetch = |request: HttpRequest| fetch(self.http.clone(), request);
        let subject = claims.subject().clone();
        let request = client.user_info(response.access_token().clone(), Some(subject)).ok()?;
        let answer: Result<CoreUserInfoClaims, _> = request.request_async(&fetch).await;
        answer
            .inspect_err(|error| tracing::info!(provider = self.told.name, %error, "a provider does not say more of a user"))
            .ok()
    }

    /// What the provider says of itself. It is asked again after a while, and where `instead_of` knows too few keys: such a
    /// token comes from the provider itself, so nobody else can have it asked.
    async fn metadata(&self, instead_of: Option<&Arc<Metadata>>) -> Result<Arc<Metadata>, ApiError> {
        if let Some(metadata) = self.said(instead_of)? {
            return Ok(metadata);
        }
        // Those who come meanwhile wait for the one answer, be it good or not.
        let _asking = self.asking.lock().await;
        if let Some(metadata) = self.said(instead_of)? {
            return Ok(metadata);
        }
        let fetch = |request: HttpRequest| fetch(self.http.clone(), request);
        let asked = Metadata::discover_async(self.told.issuer.clone(), &fetch).await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match asked {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                *known = Known { metadata: Some((Arc::clone(&metadata), Instant::now())), failed_at: None };
                Ok(metadata)
            }
            Err(error) => {
                known.failed_at = Some(Instant::now());
                Err(self.failed(error))
            }
        }
    }

    /// What the provider has said, if it is to be believed; an error if it was asked a moment ago and did not say it.
    fn said(&self, instead_of: Option<&Arc<Metadata>>) -> Result<Option<Arc<Metadata>>, ApiError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((metadata, asked_at)) = &known.metadata {
            let knows_too_little = instead_of.is_some_and(|old| Arc::ptr_eq(old, metadata));
            if !knows_too_little && asked_at.elapsed() < KNOWN_FOR {
                return Ok(Some(Arc::clone(metadata)));
            }
        }
        match known.failed_at {
            Some(at) if at.elapsed() < FAILED_FOR => {
                Err(self.failed("it did not say what it is when it was asked a moment ago".to_owned()))
            }
            _ => Ok(None),
        }
    }

    fn client(&self, metadata: &Metadata) -> Client {
        let id = ClientId::new(self.told.client_id.clone());
        let secret = self.told.client_secret.clone().map(ClientSecret::new);
        let client = CoreClient::from_provider_metadata(metadata.clone(), id, secret)
            .set_redirect_uri(self.redirect.clone());
        // Where nothing is said, the header field is what every provider takes.
        match metadata.token_endpoint_auth_methods_supported() {
            Some(methods)
                if !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
                    && methods.contains(&CoreClientAuthMethod::ClientSecretPost) =>
            {
                client.set_auth_type(AuthType::RequestBody)
            }
            _ => client,
        }
    }

    /// 502: the provider does not do what it should. The log says why.
    fn failed(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ApiError {
        ApiError::new(
            502,
            "provider_failed",
            format!("{} does not answer as it should", self.told.title),
            "try again in a minute; if it goes on, give the request id to whoever operates this server",
        )
        .because(cause)
    }

    /// 403: the provider does not take the code.
    fn refused(&self, why: &str) -> ApiError {
        tracing::info!(provider = self.told.name, why, "a provider refuses a sign-in");
        ApiError::new(
            403,
            "provider_refused",
            format!("{} does not confirm this sign-in", self.told.title),
            "begin again on the page to sign in",
        )
    }
}

/// Why an id_token is not believed.
#[derive(Debug, thiserror::Error)]
enum Unverified {
    #[error("its id_token is signed with a key that it does not list")]
    UnknownKey,
    #[error("its id_token is not good: {0}")]
    Claims(#[source] ClaimsVerificationError),
    #[error("its id_token is not good: {0}")]
    Other(String),
}

fn someone(subject: String, claims: &CoreIdTokenClaims, more: Option<&CoreUserInfoClaims>) -> Someone {
    let user_name = claims.preferred_username().or_else(|| more?.preferred_username());
    let email = claims.email().or_else(|| more?.email());
    let named = |name: &openidconnect::LocalizedClaim<openidconnect::EndUserName>| {
        name.get(None).map(|name| name.as_str().to_owned())
    };
    let name = claims.name().and_then(named).or_else(|| more?.name().and_then(named));
    let label = user_name
        .map(|name| name.as_str().to_owned())
        .or_else(|| email.map(|email| email.as_str().to_owned()))
        .or(name)
        .unwrap_or_else(|| subject.clone());
    let nick = label.split('@').next().unwrap_or_default().to_owned();
    Someone { subject, label: label.chars().filter(|sign| !sign.is_control()).take(200).collect(), nick }
}

/// One request, over a way that nobody reads along, with a bounded answer.
async fn fetch(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, FetchError> {
    let address = request.uri().to_string();
    if !is_private(&address) {
        return Err(FetchError::Exposed(address));
    }
    let mut response = http.execute(request.try_into()?).await?;
    let mut answer = http::Response::builder().status(response.status());
    for (name, value) in response.headers() {
        answer = answer.header(name, value);
    }
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        if body.len() + part.len() > ANSWER_BYTES_MAX {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&part);
    }
    Ok(answer.body(body)?)
}
