//! A handler's policy: which URLs it may open, its limits, and what could be learned from what ran.

use askama::Template;
use http::{Method, StatusCode};
use wasmcloud_wire::body::Server;
use wasmcloud_wire::{Limits, Policy, PolicyPatch, PolicyRules};

use super::{Frame, invalid, tab_path};
use crate::api::{Refused, path};
use crate::request::{Form, Request};
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor};

const MIB: u64 = 1 << 20;

#[derive(Template)]
#[template(path = "handlers/policy.html")]
struct PolicyPage {
    shell: Shell,
    frame: Frame,
    policy: Policy,
    limits: Vec<Field>,
    /// What was learned, if that was asked for.
    learned: Option<Learned>,
    form: Form,
}

/// A limit: its field, what it is by itself and at most.
struct Field {
    name: &'static str,
    label: &'static str,
    /// What is filled in: a number, or nothing for the server's default.
    value: String,
    default: String,
    max: String,
}

/// A policy that was learned.
struct Learned {
    policy: Policy,
    /// The same as text, which the form sends back as it was shown.
    json: String,
}

/// The policy.
pub(super) async fn show(request: &Request, visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    let frame = Frame::of(visitor, name, "policy").await?;
    if request.query("learned").is_none() {
        return whole(visitor, frame, &Form::default(), None).await;
    }
    match visitor.api.get::<Policy>(&path(&["handlers", name, "policy", "learned"])).await {
        Ok(policy) => {
            let json = serde_json::to_string_pretty(&policy).unwrap_or_default();
            whole(visitor, frame, &Form::default(), Some(Learned { policy, json })).await
        }
        Err(refused) => whole(visitor, frame.failed(refused)?, &Form::default(), None).await,
    }
}

async fn whole(
    visitor: &Visitor,
    frame: Frame,
    form: &Form,
    learned: Option<Learned>,
) -> Result<Response, Refused> {
    let policy: Policy = visitor.api.get(&path(&["handlers", frame.name(), "policy"])).await?;
    let server: Server = visitor.api.get("/api/v1/server").await?;
    let limits = fields(&policy, &server.limits, &server.limits_max, form);
    // That there is nothing to learn from yet is an answer, and no error of the page.
    let is_nothing = frame.error.as_ref().is_some_and(|refused| refused.error.code == "nothing_learned");
    let status = if is_nothing { StatusCode::OK } else { frame.status() };
    let shell = visitor.shell(&format!("{}: policy", frame.name()));
    Ok(page(status, &PolicyPage { shell, frame, policy, limits, learned, form: form.clone() }))
}

fn fields(policy: &Policy, default: &Limits, max: &Limits, form: &Form) -> Vec<Field> {
    let field = |name: &'static str, label, own: Option<u64>, default: u64, max: u64| Field {
        name,
        label,
        value: match form.get("do") {
            "limits" => form.get(name).to_owned(),
            _ => own.map(|own| own.to_string()).unwrap_or_default(),
        },
        default: crate::view::count(default),
        max: crate::view::count(max),
    };
    vec![
        field("gas", "Gas", policy.gas, default.gas, max.gas),
        field("cpu_ms", "CPU time, in ms", policy.cpu_ms, default.cpu_ms, max.cpu_ms),
        field("wall_ms", "Wall time, in ms", policy.wall_ms, default.wall_ms, max.wall_ms),
        field(
            "memory_mib",
            "Memory, in MiB",
            policy.memory_bytes.map(mib),
            mib(default.memory_bytes),
            mib(max.memory_bytes),
        ),
    ]
}

/// What is no whole number of MiB is rounded up: a handler never has less than is shown.
fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(MIB)
}

/// Changes rules, mode or limits, or takes over what was learned.
pub(super) async fn send(
    _: &Request,
    visitor: &Visitor,
    name: &str,
    form: &Form,
) -> Result<Response, Refused> {
    match change(visitor, name, form).await {
        Ok(sentence) => Ok(visitor.done(&tab_path(name, "policy"), &sentence)),
        Err(refused) => {
            let frame = Frame::of(visitor, name, "policy").await?.failed(refused)?;
            whole(visitor, frame, form, None).await
        }
    }
}

async fn change(visitor: &Visitor, name: &str, form: &Form) -> Result<String, Refused> {
    let path = path(&["handlers", name, "policy"]);
    if form.get("do") == "learned" {
        let policy: Policy = serde_json::from_str(form.get("policy"))
            .map_err(|_| invalid("what was learned came back changed", "have it learned once more"))?;
        let _: Policy = visitor.api.send(Method::PUT, &path, &policy).await?;
        return Ok("What was learned is the policy now.".to_owned());
    }
    let (patch, sentence) = match form.get("do") {
        "add" => (PolicyPatch { add: rules(form)?, ..PolicyPatch::default() }, "The rule is added."),
        "remove" => (PolicyPatch { remove: rules(form)?, ..PolicyPatch::default() }, "The rule is removed."),
        "mode" => {
            let mode = form.get("mode").parse().ok();
            let mode = mode.ok_or_else(|| invalid("there is no such mode", "choose one of the list"))?;
            (PolicyPatch { mode: Some(mode), ..PolicyPatch::default() }, "The mode is changed.")
        }
        "limits" => (limits(form, &visitor.api.get(&path).await?)?, "The limits are changed."),
        _ => return Err(invalid("it is not said what to change", "use one of the buttons")),
    };
    let _: Policy = visitor.api.send(Method::PATCH, &path, &patch).await?;
    Ok(sentence.to_owned())
}

/// The rule that a form is about, in its list.
fn rules(form: &Form) -> Result<PolicyRules, Refused> {
    let rule = form.given("rule");
    let rule = rule.ok_or_else(|| {
        invalid("a rule is missing", "write a regular expression such as `^https://api\\.example\\.com/`")
    })?;
    match form.get("list") {
        "disallow" => Ok(PolicyRules { allow: Vec::new(), disallow: vec![rule.to_owned()] }),
        _ => Ok(PolicyRules { allow: vec![rule.to_owned()], disallow: Vec::new() }),
    }
}

/// All limits as they were filled in. What is as it was shown stays as it is to the byte.
fn limits(form: &Form, now: &Policy) -> Result<PolicyPatch, Refused> {
    let number = |name: &str| match form.given(name) {
        None => Ok(None),
        Some(text) => text.replace([' ', '_', '\u{a0}'], "").parse::<u64>().map(Some).map_err(|_| {
            invalid(&format!("`{text}` is no whole number"), "leave a limit empty for the server's default")
        }),
    };
    let memory_bytes = match number("memory_mib")? {
        shown if shown == now.memory_bytes.map(mib) => now.memory_bytes,
        Some(mib) => Some(mib.checked_mul(MIB).ok_or_else(too_much)?),
        None => None,
    };
    Ok(PolicyPatch {
        gas: Some(number("gas")?),
        cpu_ms: Some(number("cpu_ms")?),
        wall_ms: Some(number("wall_ms")?),
        memory_bytes: Some(memory_bytes),
        ..PolicyPatch::default()
    })
}

fn too_much() -> Refused {
    Refused {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        ..invalid("so much memory there is nowhere", "write fewer MiB")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Form {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Form { fields: fields.collect(), files: Vec::new() }
    }

    #[test]
    fn limits_that_are_left_as_they_are_shown_do_not_change() {
        let now = Policy { memory_bytes: Some(3 * MIB + 5), ..Policy::default() };
        let patch = limits(&form(&[("gas", "5 000"), ("memory_mib", "4")]), &now).unwrap();
        assert_eq!(patch.memory_bytes, Some(Some(3 * MIB + 5)));
        assert_eq!((patch.gas, patch.cpu_ms), (Some(Some(5_000)), Some(None)));
        let patch = limits(&form(&[("memory_mib", "8")]), &now).unwrap();
        assert_eq!(patch.memory_bytes, Some(Some(8 * MIB)));
        assert!(limits(&form(&[("gas", "much")]), &now).unwrap_err().error.message.contains("`much`"));
        assert!(limits(&form(&[("memory_mib", &u64::MAX.to_string())]), &now).is_err());
    }

    #[test]
    fn a_rule_belongs_to_one_list() {
        let rule = [("rule", " ^https://a/ "), ("list", "disallow")];
        assert_eq!(rules(&form(&rule)).unwrap().disallow, ["^https://a/"]);
        assert_eq!(rules(&form(&rule[..1])).unwrap().allow, ["^https://a/"]);
        assert!(rules(&form(&[("rule", "  ")])).is_err());
    }
}
