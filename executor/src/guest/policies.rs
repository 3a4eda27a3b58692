//! Policies that are ready to be asked: reading a handler's rules takes longer than many of its runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use wasmcloud_egress::{Policy, PolicyError};
use wasmcloud_wire::UrlPolicy;

/// Most policies that are kept; compiled rules take far more memory than written ones.
const POLICIES_MAX: usize = 64;

/// The policies of handlers that have asked for one, each by its owner.
#[derive(Default)]
pub(crate) struct Policies {
    known: Mutex<HashMap<String, (UrlPolicy, Arc<Policy>)>>,
}

impl Policies {
    /// The policy of these rules: the one that was made before, unless the owner's rules have changed.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the rule that cannot be used.
    pub(crate) fn get(&self, owner: String, urls: &UrlPolicy) -> Result<Arc<Policy>, PolicyError> {
        if let Some((rules, policy)) = self.lock().get(&owner)
            && rules == urls
        {
            return Ok(policy.clone());
        }
        // Not under the lock: others need not wait for these rules.
        let policy = Arc::new(Policy::new(&urls.allow, &urls.disallow)?);
        let mut known = self.lock();
        if known.len() >= POLICIES_MAX && !known.contains_key(&owner) {
            // Any will do: whoever misses theirs makes it again.
            let gone = known.keys().next().cloned();
            gone.and_then(|gone| known.remove(&gone));
        }
        known.insert(owner, (urls.clone(), policy.clone()));
        Ok(policy)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (UrlPolicy, Arc<Policy>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow: &str) -> UrlPolicy {
        UrlPolicy { allow: vec![allow.to_owned()], ..UrlPolicy::default() }
    }

    #[test]
    fn a_policy_is_made_once_until_its_rules_change() {
        let policies = Policies::default();
        let get = |owner: &str, allow: &str| policies.get(owner.to_owned(), &rules(allow)).unwrap();
        let first = get("one", "a");
        assert!(Arc::ptr_eq(&first, &get("one", "a")));
        let changed = get("one", "b");
        assert_eq!(changed.allow()[0].to_string(), "b");
        assert!(Arc::ptr_eq(&changed, &get("one", "b")));
        assert!(policies.get("one".to_owned(), &rules("(")).is_err());
    }

    #[test]
    fn so_many_are_kept_and_no_more() {
        let policies = Policies::default();
        for owner in 0..POLICIES_MAX + 10 {
            policies.get(owner.to_string(), &rules("a")).unwrap();
        }
        assert_eq!(policies.lock().len(), POLICIES_MAX);
    }
}
