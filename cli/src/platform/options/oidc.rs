//! `[[oidc]]` of `server.toml`: where people can sign in besides.

use std::path::PathBuf;

use serde::Deserialize;
use wasmcloud_api::OidcProvider;

use crate::failure::Failure;
use crate::platform::failed;

/// Providers at most.
const PROVIDERS_MAX: usize = 20;
/// Largest file with a secret, in bytes.
const SECRET_BYTES_MAX: usize = 4 << 10;

/// A provider of OpenID Connect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcFile {
    /// Its name in addresses and commands.
    pub name: String,
    /// Its name for people; the same if absent.
    pub title: Option<String>,
    /// Its issuer, exactly as it says it itself.
    pub issuer: String,
    /// What this server is called there.
    pub client_id: String,
    /// A file with the secret that goes with it; none for a public client.
    pub client_secret_file: Option<PathBuf>,
    /// What is asked for besides `openid`.
    pub scopes: Option<Vec<String>>,
}

/// The providers, checked, with their secrets.
pub fn providers(file: &[OidcFile]) -> Result<Vec<OidcProvider>, Failure> {
    if file.len() > PROVIDERS_MAX {
        let message = format!(
            "there are {} [[oidc]] in the settings file; at most {PROVIDERS_MAX} are taken",
            file.len()
        );
        return Err(failed("oidc", message, "leave out those that nobody uses"));
    }
    let mut providers: Vec<OidcProvider> = Vec::new();
    for told in file {
        let provider = provider(told)?;
        if providers.iter().any(|other| other.name() == provider.name()) {
            let message = format!("two [[oidc]] in the settings file are named `{}`", told.name);
            return Err(failed("oidc", message, "give each a name of its own"));
        }
        providers.push(provider);
    }
    Ok(providers)
}

fn provider(told: &OidcFile) -> Result<OidcProvider, Failure> {
    let secret = match &told.client_secret_file {
        None => None,
        Some(path) => {
            let hint = "write what the provider shows as the client's secret into it, and make it readable for the server's user";
            let unusable = |why: String| {
                let message =
                    format!("client_secret_file of [[oidc]] `{}`, {}: {why}", told.name, path.display());
                failed("oidc", message, hint)
            };
            let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
            let secret = text.trim();
            if secret.is_empty() || secret.len() > SECRET_BYTES_MAX {
                return Err(unusable(format!("it holds no secret of 1 to {SECRET_BYTES_MAX} bytes")));
            }
            Some(secret.to_owned())
        }
    };
    let title = told.title.as_deref().unwrap_or(&told.name);
    let provider =
        OidcProvider::new(&told.name, title, &told.issuer, &told.client_id, secret).map_err(|error| {
            failed("oidc", format!("[[oidc]]: {error}"), "correct it; docs/PEOPLE.md shows an example")
        })?;
    Ok(match &told.scopes {
        Some(scopes) => provider.with_scopes(scopes.clone()),
        None => provider,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<OidcFile> {
        let file: super::super::File = toml::from_str(text).unwrap();
        file.oidc
    }

    #[test]
    fn several_providers_are_read_and_each_has_a_name_of_its_own() {
        let one = "[[oidc]]\nname = \"gitea\"\nissuer = \"https://git.example.net\"\nclient_id = \"w\"\n";
        let other = one.replace("gitea", "keycloak");
        assert_eq!(providers(&told(&format!("{one}{other}"))).unwrap().len(), 2);
        let error = providers(&told(&format!("{one}{one}"))).unwrap_err().to_string();
        assert!(error.contains("two [[oidc]]") && error.contains("`gitea`"), "{error}");
    }

    #[test]
    fn a_secret_that_is_not_there_is_named_with_its_file() {
        let text = "[[oidc]]\nname = \"gitea\"\nissuer = \"https://h\"\nclient_id = \"w\"\nclient_secret_file = \"/nowhere/secret\"\n";
        let error = providers(&told(text)).unwrap_err().to_string();
        assert!(error.contains("/nowhere/secret") && error.contains("`gitea`"), "{error}");
    }
}
