//! What every command needs: where to write, whom to ask, and as whom.

use std::path::PathBuf;

use crate::client::Client;
use crate::config::{Secret, Settings, SettingsFile};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::server::{self, Server};

/// The flags that every command takes.
#[derive(Clone, Debug, clap::Args)]
pub struct GlobalArgs {
    /// The server to ask [default: WASMCLOUD_API_SERVER, then the settings file's, then
    /// http://localhost:3000]
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub api_server: Option<Server>,

    /// The settings file, which holds the login [default: ~/.wasmc.json]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Option<PathBuf>,

    /// Write results as JSON on standard output, and errors as JSON on standard error
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
}

/// One run of the command line.
#[derive(Debug)]
pub struct Session {
    /// Where words go.
    pub output: Output,
    flags: GlobalArgs,
}

/// The settings file as it is now, and the server that this run asks.
#[derive(Debug)]
pub struct Place {
    /// The settings file.
    pub file: SettingsFile,
    /// What it says.
    pub settings: Settings,
    /// The server that this run asks.
    pub server: Server,
}

impl Session {
    /// A run with these flags.
    pub fn new(flags: GlobalArgs) -> Session {
        Session { output: Output::new(flags.json), flags }
    }

    /// Reads the settings and decides which server to ask: flag, environment, file, default.
    pub fn place(&self) -> Result<Place, Failure> {
        let file = SettingsFile::locate(self.flags.config.as_deref())?;
        let settings = file.load()?;
        if settings.token.is_some() && file.is_open_to_others() {
            self.output.warn(&format!(
                "other users of this machine can read {path}, and the token in it: chmod 600 {path}",
                path = file.path().display()
            ));
        }
        let environment = std::env::var(server::ENVIRONMENT).ok();
        let server = choose(self.flags.api_server.as_ref(), environment.as_deref(), &settings)?;
        Ok(Place { file, settings, server })
    }

    /// A client that is logged in; [`Exit::Refused`] if there is no token for the server.
    pub fn client(&self) -> Result<Client, Failure> {
        Ok(self.client_and_user()?.0)
    }

    /// The same, and who is logged in, if the settings file says.
    pub fn client_and_user(&self) -> Result<(Client, Option<String>), Failure> {
        let place = self.place()?;
        match place.token() {
            Some(token) => {
                let client = Client::new(place.server.clone(), Some(token.clone()))?;
                Ok((client, place.settings.username))
            }
            None => Err(place.not_logged_in()),
        }
    }
}

impl Place {
    /// The token for the server that this run asks. A token goes to the server that gave it and to
    /// no other.
    pub fn token(&self) -> Option<&Secret> {
        self.settings.token.as_ref().filter(|_| self.is_home())
    }

    /// Whether the server that this run asks is the one of the settings file.
    fn is_home(&self) -> bool {
        let home = self.settings.api_server.as_deref().unwrap_or(server::DEFAULT).parse();
        home.is_ok_and(|home: Server| home == self.server)
    }

    fn not_logged_in(&self) -> Failure {
        let elsewhere = match (&self.settings.token, &self.settings.api_server) {
            (Some(_), Some(home)) => format!(" (the login in {} is for {home})", self.file.path().display()),
            _ => String::new(),
        };
        Failure::new(
            Exit::Refused,
            "not_logged_in",
            format!("not logged in at {}{elsewhere}", self.server),
            match self.is_home() {
                true => "log in: `wasmcloud login`".to_owned(),
                false => format!("log in: `wasmcloud login --api-server {}`", self.server),
            },
        )
    }
}

fn choose(flag: Option<&Server>, environment: Option<&str>, settings: &Settings) -> Result<Server, Failure> {
    if let Some(server) = flag {
        return Ok(server.clone());
    }
    if let Some(text) = environment.filter(|text| !text.is_empty()) {
        return text.parse().map_err(|error| {
            Failure::usage(
                format!("{}: {error}", server::ENVIRONMENT),
                "correct it, or name one with --api-server",
            )
        });
    }
    settings.api_server.as_deref().unwrap_or(server::DEFAULT).parse().map_err(|error| {
        Failure::usage(
            format!("`api_server` in the settings file: {error}"),
            "name a server with --api-server",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(server: Option<&str>) -> Settings {
        Settings {
            api_server: server.map(str::to_owned),
            token: Some(Secret::new("t")),
            ..Settings::default()
        }
    }

    #[test]
    fn a_server_is_chosen_by_flag_then_environment_then_file_then_default() {
        let flag: Server = "http://flag:1".parse().unwrap();
        let file = settings(Some("http://file:3"));
        for (flag, environment, settings, chosen) in [
            (Some(&flag), Some("http://env:2"), &file, "http://flag:1"),
            (None, Some("http://env:2"), &file, "http://env:2"),
            (None, Some(""), &file, "http://file:3"),
            (None, None, &file, "http://file:3"),
            (None, None, &Settings::default(), "http://localhost:3000"),
        ] {
            assert_eq!(choose(flag, environment, settings).unwrap().to_string(), chosen);
        }
        assert_eq!(choose(None, Some("nonsense"), &file).unwrap_err().exit(), Exit::Usage);
    }

    #[test]
    fn a_token_goes_to_the_server_that_gave_it_and_to_no_other() {
        let place = |home: Option<&str>, server: &str| Place {
            file: SettingsFile::locate(Some("settings.json".as_ref())).unwrap(),
            settings: settings(home),
            server: server.parse().unwrap(),
        };
        assert!(place(Some("http://a:1"), "http://a:1/").token().is_some());
        assert!(place(None, "http://localhost:3000").token().is_some());
        assert!(place(Some("http://a:1"), "http://a:2").token().is_none());
        assert!(place(Some("http://a:1"), "https://a:1").token().is_none());
        assert!(place(Some("nonsense"), "http://a:1").token().is_none());
        assert!(place(None, "http://a:1").token().is_none());
    }
}
