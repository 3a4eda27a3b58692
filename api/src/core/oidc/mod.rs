//! Signing in at a provider of OpenID Connect: the authorization code flow with PKCE, state and nonce, whose steps are
//! kept as tickets, each good once. Whom a provider's user is here, is asked by issuer and subject alone: names and
//! addresses change hands.

mod provider;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wasmcloud_wire::body::{
    FinishOidc, OidcBegun, OidcFinished, Provider as ProviderInfo, SessionGrant, SignIn,
};
use wasmcloud_wire::{Timestamp, UserId, UserName};

use self::provider::{Provider, Someone};
use super::people::by_session;
use super::{Core, CoreError};
use crate::auth::{Caller, Secret, hash_of};
use crate::store::{Grounds, Linked, NewIdentity, NewTicket, NewUser, Registered, Ticket, Unlinked};
use crate::{ApiError, Config, Registration};

/// How long a step is good, in minutes.
const MINUTES: i64 = 10;
/// Identities of one user.
const IDENTITIES_MAX: u32 = 10;
/// The ticket of a browser that is at a provider.
const FLOW: &str = "oidc";
/// The ticket of somebody who has to choose a name.
const NEWCOMER: &str = "oidc_newcomer";
/// How many names are tried before none is suggested.
const SUGGESTIONS_MAX: u32 = 9;

/// The providers that an operator has named.
pub(crate) struct Oidc(Vec<Provider>);

/// What is remembered of a browser that is at a provider.
#[derive(Serialize, Deserialize)]
struct Flow {
    provider: String,
    /// Whether the provider says at its way back who it is (RFC 9207).
    says_iss: bool,
    state: String,
    nonce: String,
    verifier: String,
}

/// What is remembered of somebody who has to choose a name.
#[derive(Serialize, Deserialize)]
struct Newcomer {
    provider: String,
    issuer: String,
    subject: String,
    label: String,
}

impl Oidc {
    /// The providers of the settings.
    pub(super) fn new(config: &Config) -> Result<Oidc, CoreError> {
        let providers = config.oidc.iter().map(|told| {
            let redirect = config.public_url.join(&format!("/sign-in/{}/callback", told.name()));
            Provider::new(told.clone(), redirect).map_err(CoreError::Oidc)
        });
        Ok(Oidc(providers.collect::<Result<_, _>>()?))
    }

    fn find(&self, name: &str) -> Result<&Provider, ApiError> {
        self.0.iter().find(|provider| provider.told.name == name).ok_or_else(|| {
            let name: String = name.chars().take(40).collect();
            ApiError::new(
                404,
                "provider_not_found",
                format!("there is no provider `{name}` to sign in at"),
                "GET /api/v1/sign-in lists those that there are",
            )
        })
    }
}

impl Core {
    /// The ways to sign in here.
    pub(crate) fn sign_in(&self) -> SignIn {
        let info = |provider: &Provider| ProviderInfo {
            name: provider.told.name.clone(),
            title: provider.told.title.clone(),
        };
        SignIn {
            registration: self.config.registration.to_string(),
            providers: self.oidc.0.iter().map(info).collect(),
        }
    }

    /// Sends a browser to a provider; with `link`, so that who it is there is the caller from then on.
    pub(crate) async fn begin_oidc(&self, name: &str, link: Option<&Caller>) -> Result<OidcBegun, ApiError> {
        let provider = self.oidc.find(name)?;
        if let Some(caller) = link {
            by_session(caller, "an identity is linked in the panel, by whoever is signed in there")?;
        }
        let begun = provider.begin().await?;
        let flow = Flow {
            provider: provider.told.name.clone(),
            says_iss: begun.says_iss,
            state: begun.state,
            nonce: begun.nonce,
            verifier: begun.verifier,
        };
        let user = link.map(|caller| caller.user.id);
        let (secret, expires_at) = self.begin_step(FLOW, user, &flow).await?;
        Ok(OidcBegun { url: begun.url, flow: secret, expires_at })
    }

    /// Takes back a browser that was at a provider; what came of it, and what the provider calls its user.
    pub(crate) async fn finish_oidc(
        &self,
        finish: FinishOidc,
        caller: Option<&Caller>,
        (user_agent, peer): (&str, IpAddr),
    ) -> Result<(OidcFinished, String), ApiError> {
        let ticket = self.store.take_ticket(&hash_of(&finish.flow), FLOW, Timestamp::now()).await?;
        let Ticket { user: begun_by, data } = ticket.ok_or_else(flow_invalid)?;
        let flow: Flow = serde_json::from_str(&data).map_err(ApiError::internal)?;
        // Both are random: their hashes say nothing by how long they take to compare.
        if hash_of(&flow.state) != hash_of(&finish.state) {
            return Err(flow_invalid());
        }
        // Whoever began to link has to be who comes back: else somebody's identity could be slipped to another.
        let linking = match (begun_by, caller) {
            (None, _) => None,
            (Some(user), Some(caller)) if caller.user.id == user => Some(caller),
            (Some(_), _) => return Err(flow_invalid()),
        };
        let provider = self.oidc.find(&flow.provider)?;
        // Before anybody is asked: a code that another provider gave must not be shown to this one (RFC 9207).
        let is_other = finish.iss.as_ref().is_some_and(|iss| iss != provider.told.issuer.as_str());
        if finish.provider != flow.provider || is_other || (flow.says_iss && finish.iss.is_none()) {
            return Err(flow_invalid());
        }
        let someone = provider.finish(finish.code, flow.verifier, flow.nonce).await?;
        let label = someone.label.clone();
        let finished = match linking {
            Some(caller) => self.link(provider, caller, someone).await?,
            None => self.enter(provider, someone, user_agent, peer).await?,
        };
        Ok((finished, label))
    }

    async fn link(
        &self,
        provider: &Provider,
        caller: &Caller,
        someone: Someone,
    ) -> Result<OidcFinished, ApiError> {
        let title = &provider.told.title;
        let new = NewIdentity {
            id: Uuid::now_v7(),
            provider: provider.told.name.clone(),
            issuer: provider.told.issuer.to_string(),
            subject: someone.subject,
            label: someone.label,
        };
        // The provider may have taken its time: whoever has been signed out meanwhile links nothing.
        let grounds = caller.via.grounds();
        match self.store.link_identity(caller.user.id, &new, IDENTITIES_MAX, &grounds).await? {
            Linked::Unfounded => Err(super::tokens::unfounded(&grounds)),
            Linked::Done(identity) => Ok(OidcFinished::Linked { identity }),
            Linked::Taken => Err(identity_taken(title)),
            Linked::TooMany => Err(ApiError::new(
                409,
                "too_many_identities",
                format!("you have {IDENTITIES_MAX} identities, which is the most that a user may have"),
                "unlink one that you do not need",
            )),
        }
    }

    async fn enter(
        &self,
        provider: &Provider,
        someone: Someone,
        user_agent: &str,
        peer: IpAddr,
    ) -> Result<OidcFinished, ApiError> {
        let issuer = provider.told.issuer.to_string();
        let known =
            self.store.sign_in_as(&issuer, &someone.subject, &someone.label, Timestamp::now()).await?;
        if let Some(known) = known {
            if let Some(reason) = known.suspended {
                return Err(ApiError::suspended(&reason));
            }
            let grounds = Grounds::Identity { issuer, subject: someone.subject };
            let session = self.begin_session(known.user, &grounds, user_agent, peer).await?;
            return Ok(OidcFinished::SignedIn { session });
        }
        if self.config.registration == Registration::Off {
            return Err(ApiError::new(
                403,
                "registration_off",
                format!(
                    "nobody here is known as `{}` at {}, and this server does not let people register",
                    someone.label, provider.told.title
                ),
                "if you have a user here, sign in with its password and link this identity; else ask whoever operates this server",
            ));
        }
        let suggested = self.suggest(&someone.nick).await?;
        let label = someone.label;
        let newcomer = Newcomer {
            provider: provider.told.name.clone(),
            issuer,
            subject: someone.subject,
            label: label.clone(),
        };
        let (ticket, _) = self.begin_step(NEWCOMER, None, &newcomer).await?;
        Ok(OidcFinished::NewUser { ticket, suggested, label })
    }

    /// Adds a user who signs in at a provider.
    pub(crate) async fn register_oidc(
        &self,
        ticket: &str,
        name: UserName,
        invitation: Option<&str>,
        (user_agent, peer): (&str, IpAddr),
    ) -> Result<SessionGrant, ApiError> {
        let (hash, now) = (hash_of(ticket), Timestamp::now());
        let step = self.store.ticket(&hash, NEWCOMER, now).await?.ok_or_else(flow_invalid)?;
        let newcomer: Newcomer = serde_json::from_str(&step.data).map_err(ApiError::internal)?;
        let invitation = match self.config.registration {
            Registration::Off => return Err(super::users::registration_off()),
            Registration::Open => None,
            Registration::Invitation => Some(hash_of(invitation.ok_or_else(super::users::bad_invitation)?)),
        };
        // Nothing hashes to an empty text: there is no password.
        let new =
            NewUser { id: UserId::new(), name: name.clone(), password_hash: String::new(), is_admin: false };
        let title = self.oidc.find(&newcomer.provider)?.told.title.clone();
        let identity = NewIdentity {
            id: Uuid::now_v7(),
            provider: newcomer.provider,
            issuer: newcomer.issuer,
            subject: newcomer.subject,
            label: newcomer.label,
        };
        match self.store.register_identity(new, &identity, &hash, invitation.as_ref(), now).await? {
            Registered::Done(user) => self.begin_session(user, &Grounds::Known, user_agent, peer).await,
            Registered::NoTicket => Err(flow_invalid()),
            Registered::NoInvitation => Err(super::users::bad_invitation()),
            Registered::NameTaken => Err(super::users::name_taken(&name)),
            Registered::IdentityTaken => Err(identity_taken(&title)),
        }
    }

    /// Takes an identity from the caller, to whom another way to sign in is left.
    pub(crate) async fn unlink(&self, caller: &Caller, id: &str) -> Result<(), ApiError> {
        let providers: Vec<String> = self.oidc.0.iter().map(|provider| provider.told.name.clone()).collect();
        let unlinked = match Uuid::parse_str(id) {
            Ok(id) => self.store.unlink_identity(caller.user.id, id, &providers).await?,
            Err(_) => Unlinked::NotFound,
        };
        match unlinked {
            Unlinked::Done => Ok(()),
            Unlinked::NotFound => Err(ApiError::new(
                404,
                "identity_not_found",
                "you have no such identity",
                "GET /api/v1/account lists those that you have",
            )),
            Unlinked::LastWay => Err(ApiError::new(
                409,
                "last_way_to_sign_in",
                "this is the last way that you can sign in",
                "set a password, or link another identity, before",
            )),
        }
    }

    /// Keeps a step; what the person holds of it, and until when it is good.
    async fn begin_step(
        &self,
        kind: &'static str,
        user: Option<UserId>,
        data: &impl Serialize,
    ) -> Result<(String, Timestamp), ApiError> {
        let secret = Secret::new().map_err(ApiError::internal)?;
        let data = serde_json::to_string(data).map_err(ApiError::internal)?;
        let expires_at = Timestamp(Timestamp::now().0 + MINUTES * 60_000);
        let ticket = NewTicket { secret_hash: secret.hash(), kind, user, data, expires_at };
        self.store.create_ticket(&ticket, true).await?;
        Ok((secret.reveal(), expires_at))
    }

    /// A name that is free, made of what a provider calls somebody.
    async fn suggest(&self, nick: &str) -> Result<Option<UserName>, ApiError> {
        let base = name_of(nick);
        for number in 1..=SUGGESTIONS_MAX {
            let text = if number == 1 { base.clone() } else { format!("{base}-{number}") };
            let Ok(name) = text.parse::<UserName>() else { continue };
            if self.store.person(&name).await?.is_none() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

/// What of a text can be a name, with room for a number.
fn name_of(nick: &str) -> String {
    let mut name = String::new();
    for sign in nick.chars().take(36) {
        match sign.to_ascii_lowercase() {
            sign if sign.is_ascii_lowercase() || sign.is_ascii_digit() => name.push(sign),
            _ if !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    name.trim_matches('-').to_owned()
}

pub(super) fn flow_invalid() -> ApiError {
    ApiError::new(
        403,
        "flow_invalid",
        format!("this sign-in was begun elsewhere, is over, or is older than {MINUTES} minutes"),
        "begin again on the page to sign in",
    )
}

fn identity_taken(title: &str) -> ApiError {
    ApiError::new(
        409,
        "identity_taken",
        format!("who you are at {title} is another user here"),
        "sign in as that user and unlink it there, or sign in to another account of yours",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_what_can_be_one() {
        for (nick, name) in
            [("Ada Lovelace", "ada-lovelace"), ("_x_", "x"), ("Zoë!!", "zo"), ("ada.l", "ada-l")]
        {
            assert_eq!(name_of(nick), name);
        }
    }
}
