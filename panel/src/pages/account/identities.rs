//! Who the user is at providers of OpenID Connect.

use askama::Template;
use http::Method;
use wasmcloud_wire::body::{Account, Identity, Provider, SignIn};

use crate::api::{Refused, path};
use crate::pages::oidc;
use crate::response::{Response, form_status, page};
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "account/identities.html")]
struct IdentitiesPage {
    shell: Shell,
    account: Account,
    providers: Vec<Provider>,
    error: Option<Refused>,
}

impl IdentitiesPage {
    /// What people call the provider, if the server still knows it.
    fn title<'a>(&'a self, identity: &'a Identity) -> &'a str {
        let known = self.providers.iter().find(|provider| provider.name == identity.provider);
        known.map_or(identity.provider.as_str(), |provider| provider.title.as_str())
    }
}

/// Those that are linked, and the providers.
pub(super) async fn show(visitor: &Visitor) -> Result<Response, Refused> {
    list(visitor, None).await
}

/// To a provider, to link who the user is there.
pub(super) async fn link(visitor: &Visitor, provider: &str) -> Result<Response, Refused> {
    match oidc::begin(visitor, provider, "/account/identities", true).await {
        Ok(response) => Ok(response),
        Err(refused) => list(visitor, Some(refused)).await,
    }
}

/// Takes a link away.
pub(super) async fn unlink(visitor: &Visitor, id: &str) -> Result<Response, Refused> {
    match visitor.api.act(Method::DELETE, &path(&["account", "identities", id])).await {
        Ok(()) => Ok(visitor
            .done("/account/identities", "The identity is unlinked: nobody signs in with it any more.")),
        Err(refused) => list(visitor, Some(refused)).await,
    }
}

async fn list(visitor: &Visitor, error: Option<Refused>) -> Result<Response, Refused> {
    let account = visitor.api.get("/api/v1/account").await?;
    let providers = visitor.api.get::<SignIn>("/api/v1/sign-in").await?.providers;
    let status = form_status(error.as_ref());
    Ok(page(status, &IdentitiesPage { shell: visitor.shell("Identities"), account, providers, error }))
}
