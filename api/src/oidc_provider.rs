//! A provider of OpenID Connect, as an operator names it.

use std::fmt;

use openidconnect::IssuerUrl;

/// What is asked for besides `openid`, unless an operator says otherwise: what the provider calls the user.
const SCOPES: [&str; 2] = ["profile", "email"];
/// Longest name and longest title, in characters.
const NAME_CHARS_MAX: usize = 40;

/// A provider of OpenID Connect that people can sign in at.
#[derive(Clone)]
pub struct OidcProvider {
    /// Its name in addresses and commands.
    pub(crate) name: String,
    /// Its name for people.
    pub(crate) title: String,
    /// Whom it says that it is.
    pub(crate) issuer: IssuerUrl,
    /// Who this server is there.
    pub(crate) client_id: String,
    /// What this server proves that with, where it is not a public client.
    pub(crate) client_secret: Option<String>,
    /// What is asked for besides `openid`.
    pub(crate) scopes: Vec<String>,
}

/// What is wrong with a provider.
#[derive(Debug, thiserror::Error)]
pub enum OidcProviderError {
    /// Its name cannot stand in an address.
    #[error("`{0}` is no provider's name: use 1 to {NAME_CHARS_MAX} of a-z, 0-9 and `-`")]
    Name(String),
    /// Its title cannot be shown.
    #[error("the title of `{0}` has to have 1 to {NAME_CHARS_MAX} printable characters")]
    Title(String),
    /// Its issuer is no URL, or whoever is on the way there could be it.
    #[error("the issuer of `{name}`, `{issuer}`, is no https:// address; http:// is for this machine alone")]
    Issuer {
        /// The provider.
        name: String,
        /// What was given.
        issuer: String,
    },
    /// This server is nobody there.
    #[error("`{0}` has no client_id: register this server there, and give what it is called")]
    ClientId(String),
}

impl OidcProvider {
    /// A provider, with what is usually asked for.
    pub fn new(
        name: &str,
        title: &str,
        issuer: &str,
        client_id: &str,
        client_secret: Option<String>,
    ) -> Result<OidcProvider, OidcProviderError> {
        let sign = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-';
        if !(1..=NAME_CHARS_MAX).contains(&name.len()) || !name.chars().all(sign) {
            return Err(OidcProviderError::Name(name.to_owned()));
        }
        if !(1..=NAME_CHARS_MAX).contains(&title.chars().count()) || title.chars().any(char::is_control) {
            return Err(OidcProviderError::Title(name.to_owned()));
        }
        if client_id.is_empty() {
            return Err(OidcProviderError::ClientId(name.to_owned()));
        }
        let wrong = || OidcProviderError::Issuer { name: name.to_owned(), issuer: issuer.to_owned() };
        let url = IssuerUrl::new(issuer.to_owned()).map_err(|_| wrong())?;
        if !is_private(url.url().as_str()) {
            return Err(wrong());
        }
        Ok(OidcProvider {
            name: name.to_owned(),
            title: title.to_owned(),
            issuer: url,
            client_id: client_id.to_owned(),
            client_secret,
            scopes: SCOPES.map(str::to_owned).to_vec(),
        })
    }

    /// The same provider, asked for these scopes besides `openid`.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Vec<String>) -> OidcProvider {
        self.scopes = scopes;
        self
    }

    /// Its name in addresses and commands.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for OidcProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcProvider")
            .field("name", &self.name)
            .field("issuer", &self.issuer.as_str())
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// Whether nobody on the way can read or change what is sent there: it is encrypted, or stays on this machine.
pub(crate) fn is_private(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let loopback =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => loopback,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_over_plain_http_is_on_this_machine() {
        let provider =
            |issuer: &str| OidcProvider::new("gitea", "Gitea", issuer, "id", Some("sesame".to_owned()));
        for issuer in
            ["https://git.example.net", "http://localhost:3003", "http://127.0.0.1:1", "http://[::1]:1"]
        {
            let shown = format!("{:?}", provider(issuer).unwrap());
            assert!(shown.contains(issuer) && !shown.contains("sesame"), "{shown}");
        }
        for issuer in ["http://git.example.net", "http://localhost.example.net", "ftp://localhost", "git", ""]
        {
            assert!(matches!(provider(issuer), Err(OidcProviderError::Issuer { .. })), "{issuer}");
        }
    }

    #[test]
    fn names_that_cannot_stand_in_an_address_are_refused() {
        for name in ["", "Gitea", "a/b", "a b"] {
            let provider = OidcProvider::new(name, "x", "https://h", "id", None);
            assert!(matches!(provider, Err(OidcProviderError::Name(_))), "{name}");
        }
    }
}
