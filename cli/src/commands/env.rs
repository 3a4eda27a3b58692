//! `wasmcloud env`: a handler's own settings.

use wasmcloud_wire::{Env, EnvPatch, HandlerName, Setting};

use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::setting_args::{self, SettingArg};
use crate::text::time;

/// What can be done with a handler's settings.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Set settings: variables of the program's environment, in force from the next request on
    Set {
        /// The handler
        name: HandlerName,
        /// The settings; KEY alone asks for the value, `KEY=-` reads it from standard input
        #[arg(required = true, value_name = "KEY=VALUE")]
        settings: Vec<SettingArg>,
        /// Never show the values again; what is secret already stays so without it
        #[arg(long)]
        secret: bool,
    },
    /// Remove settings
    Unset {
        /// The handler
        name: HandlerName,
        /// Their names
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
    },
    /// List a handler's settings, with the values of those that are not secret
    List {
        /// The handler
        name: HandlerName,
    },
}

/// Does it.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::Set { name, settings, secret } => {
            let secret = secret.then_some(true);
            let patch = setting_args::patch(settings.iter().map(|setting| (setting, secret)), false)?;
            change(session, &name, &patch).await
        }
        Command::Unset { name, keys } => {
            change(session, &name, &EnvPatch { unset: keys, ..EnvPatch::default() }).await
        }
        Command::List { name } => list(session, &name).await,
    }
}

async fn change(session: &Session, name: &HandlerName, patch: &EnvPatch) -> Result<(), Failure> {
    let env = session.client()?.change_env(name, patch).await?;
    if session.output.json {
        return session.output.document(&env);
    }
    let is_set = |setting: &&Setting| patch.set.contains_key(&setting.name);
    let set: Vec<String> = env.settings.iter().filter(is_set).map(label).collect();
    for (done, names) in [("set", set), ("unset", patch.unset.clone())] {
        if !names.is_empty() {
            session.output.note(&format!("{name}: {done} {}", names.join(", ")));
        }
    }
    warn(session, &env);
    Ok(())
}

async fn list(session: &Session, name: &HandlerName) -> Result<(), Failure> {
    let env = session.client()?.env(name).await?;
    if session.output.json {
        return session.output.document(&env);
    }
    if env.settings.is_empty() {
        session.output.note(&format!("{name} has no settings; set one: wasmcloud env set {name} KEY=VALUE"));
    } else {
        let mut table = Table::new(&["KEY", "VALUE", "SET"]);
        for setting in &env.settings {
            table.row([setting.name.clone(), value(setting), time(setting.updated_at)]);
        }
        session.output.table(&table)?;
    }
    warn(session, &env);
    Ok(())
}

fn label(setting: &Setting) -> String {
    if setting.secret { format!("{} (secret)", setting.name) } else { setting.name.clone() }
}

fn value(setting: &Setting) -> String {
    match &setting.value {
        _ if setting.unreadable => "(unreadable: set it again)".to_owned(),
        Some(value) => value.clone(),
        None => "(secret)".to_owned(),
    }
}

fn warn(session: &Session, env: &Env) {
    env.warnings.iter().for_each(|warning| session.output.warn(warning));
}
