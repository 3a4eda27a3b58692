//! Handlers' own settings: changed within the limits, told to executors, decrypted for them alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wasmcloud_cgi::{EnvError, check_env};
use wasmcloud_wire::{Change, Env, EnvPatch, HandlerId, HandlerName, Invoker, Setting, UserId};

use super::Core;
use super::needs::Missing;
use crate::ApiError;
use crate::sealing::{SealError, value_bytes};
use crate::store::{EditSettings, HandlerSettings, SealedSetting, SettingChanges, SettingRow, Unfit};

impl Core {
    /// A handler's settings, as its owner may see them.
    pub(crate) async fn env(&self, owner: UserId, name: &HandlerName) -> Result<Env, ApiError> {
        let settings = self.store.settings(owner, name).await?;
        let settings = settings.ok_or_else(|| ApiError::handler_not_found(name.as_str()))?;
        Ok(self.env_body(name, settings))
    }

    /// Changes a handler's settings; new requests see it when this returns.
    pub(crate) async fn edit_env(
        &self,
        invoker: &Arc<dyn Invoker>,
        owner: UserId,
        name: HandlerName,
        patch: &EnvPatch,
    ) -> Result<Env, ApiError> {
        let edit = |handler: HandlerId, rows: &[SettingRow]| self.changes(handler, rows, patch);
        match self.store.edit_settings(owner, &name, &edit).await? {
            EditSettings::Changed(settings) => {
                self.announce(invoker, Change::Handler { name: name.clone() }).await;
                Ok(self.env_body(&name, *settings))
            }
            EditSettings::Refused(unfit) => Err(self.unfit(&name, "the live version", unfit)),
            EditSettings::HandlerNotFound => Err(ApiError::handler_not_found(name.as_str())),
        }
    }

    /// What a change comes to, given the settings that there are. It needs none of their values, so that they
    /// can be set again where the key is lost.
    pub(super) fn changes(
        &self,
        handler: HandlerId,
        rows: &[SettingRow],
        patch: &EnvPatch,
    ) -> Result<SettingChanges, Unfit> {
        let mut there: BTreeMap<&str, &SealedSetting> =
            rows.iter().map(|row| (row.setting.name.as_str(), &row.setting)).collect();
        let mut unset = BTreeSet::new();
        for name in &patch.unset {
            if unset.insert(name) && there.remove(name.as_str()).is_none() {
                return Err(Unfit::NotSet(name.clone()));
            }
        }
        // A value that is there counts by its length.
        let kept = there.values().filter(|setting| !patch.set.contains_key(&setting.name));
        let kept = kept.map(|setting| (setting.name.clone(), " ".repeat(value_bytes(setting))));
        let new = patch.set.iter().map(|(name, setting)| (name.clone(), setting.value.clone()));
        check_env(&kept.chain(new).collect())?;
        let seal = |(name, new): (&String, &wasmcloud_wire::NewSetting)| {
            let was_secret = rows.iter().any(|row| row.setting.name == *name && row.setting.secret);
            let secret = new.secret.unwrap_or(was_secret);
            self.settings_key.seal(handler, name, secret, &new.value).ok_or(Unfit::Unsealed)
        };
        let set = patch.set.iter().map(seal).collect::<Result<_, _>>()?;
        Ok(SettingChanges { set, unset: unset.into_iter().cloned().collect() })
    }

    /// The environment that a program of this handler is given.
    pub(super) fn open_env(
        &self,
        handler: HandlerId,
        rows: &[SettingRow],
    ) -> Result<BTreeMap<String, String>, SealError> {
        let open =
            |row: &SettingRow| Ok((row.setting.name.clone(), self.settings_key.open(handler, &row.setting)?));
        rows.iter().map(open).collect()
    }

    fn env_body(&self, name: &HandlerName, settings: HandlerSettings) -> Env {
        let HandlerSettings { handler, rows, live } = settings;
        let missing = Missing::of(&live.needs, &names(&rows));
        let body = |row: SettingRow| {
            let opened = self.settings_key.open(handler, &row.setting).ok();
            Setting {
                unreadable: opened.is_none(),
                value: opened.filter(|_| !row.setting.secret),
                name: row.setting.name,
                secret: row.setting.secret,
                updated_at: row.updated_at,
            }
        };
        Env { settings: rows.into_iter().map(body).collect(), warnings: missing.all_in_words(name) }
    }

    /// The refusal of settings that can be no handler's.
    pub(super) fn env_refused(error: &EnvError) -> ApiError {
        let code = match error {
            EnvError::TooMany { .. } | EnvError::EntryTooLarge { .. } | EnvError::TooLarge { .. } => {
                "env_over_limit"
            }
            _ => "invalid_env",
        };
        let text = error.to_string();
        match text.split_once("; ") {
            Some((message, hint)) => ApiError::new(422, code, message, hint),
            None => ApiError::new(422, code, text, "choose another name"),
        }
    }
}

/// The names of settings.
pub(super) fn names(rows: &[SettingRow]) -> BTreeSet<String> {
    rows.iter().map(|row| row.setting.name.clone()).collect()
}

/// The names of settings after a change.
pub(super) fn names_after(mut names: BTreeSet<String>, patch: &EnvPatch) -> BTreeSet<String> {
    for name in &patch.unset {
        names.remove(name);
    }
    names.extend(patch.set.keys().cloned());
    names
}
