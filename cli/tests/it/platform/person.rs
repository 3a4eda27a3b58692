//! Somebody who uses a platform by the command line, and what they make there.

use std::ops::Deref;
use std::sync::Arc;

use super::web::Reply;
use super::{Platform, Process};
use crate::user::{Done, User};

/// A user who is logged in at a platform.
#[derive(Clone)]
pub struct Person<'p> {
    platform: &'p Platform,
    user: Arc<User>,
}

impl Deref for Person<'_> {
    type Target = User;

    fn deref(&self) -> &User {
        &self.user
    }
}

impl<'p> Person<'p> {
    pub(super) fn new(platform: &'p Platform, user: Arc<User>) -> Person<'p> {
        Person { platform, user }
    }

    /// Creates a handler of a file, which is live when this returns.
    #[track_caller]
    pub fn create(&self, name: &str, file: &str) -> Handler<'p> {
        let done = self.run(&["create", file, "--name", name]).good();
        let handler = self.handler(name);
        assert_eq!(done.stdout, format!("{}\n", handler.url));
        handler
    }

    /// Creates a handler of WebAssembly text.
    #[track_caller]
    pub fn create_of(&self, name: &str, text: &str) -> Handler<'p> {
        self.create(name, &self.file(&format!("{name}.wat"), text))
    }

    /// A handler that is there.
    pub fn handler(&self, name: &str) -> Handler<'p> {
        Handler { person: self.clone(), name: name.to_owned(), url: self.platform.url(name) }
    }

    /// The names of the handlers.
    #[track_caller]
    pub fn handlers(&self) -> Vec<String> {
        let list = self.run(&["list", "--json"]).good().json();
        let name = |handler: &serde_json::Value| handler["name"].as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(name).collect()
    }

    /// The token of the settings file.
    pub fn token(&self) -> String {
        self.settings()["token"].as_str().unwrap().to_owned()
    }

    /// Starts a command that goes on.
    pub fn begin(&self, args: &[&str]) -> Process {
        Process::spawn(&self.user, args)
    }
}

/// A handler, as its owner and its clients see it.
#[derive(Clone)]
pub struct Handler<'p> {
    person: Person<'p>,
    pub name: String,
    pub url: String,
}

impl Handler<'_> {
    #[track_caller]
    pub fn get(&self) -> Reply {
        self.person.platform.web().get(&self.url)
    }

    /// What a path, without its first `/`, answers.
    #[track_caller]
    pub fn get_path(&self, path: &str) -> Reply {
        self.person.platform.web().get(&format!("{}{path}", self.url))
    }

    #[track_caller]
    pub fn post(&self, body: impl Into<reqwest::Body>) -> Reply {
        self.person.platform.web().post(&self.url, body)
    }

    /// Expects this answer from the handler's address.
    #[track_caller]
    pub fn answers(&self, words: &str) -> Reply {
        let reply = self.get().has_status(200);
        assert_eq!(reply.text(), words, "{}", self.name);
        reply
    }

    /// Makes the next version of WebAssembly text, live when this returns.
    #[track_caller]
    pub fn update(&self, text: &str) -> Done {
        let file = self.person.file(&format!("{}-next.wat", self.name), text);
        self.person.run(&["update", &self.name, &file]).good()
    }

    /// The texts of an invocation's log, once it is there.
    #[track_caller]
    pub fn log_of(&self, invocation: &str) -> Vec<String> {
        super::eventually(&format!("the log of {invocation}"), || {
            let args = ["invocations", &self.name, invocation, "--json"];
            let done = self.person.run(&args);
            if done.code == 4 {
                return None;
            }
            let found = done.good().json();
            // The receipt says that the lines are complete.
            found["receipt"].as_object()?;
            let text = |line: &serde_json::Value| line["text"].as_str().unwrap().to_owned();
            Some(found["lines"].as_array().unwrap().iter().map(text).collect())
        })
    }
}
