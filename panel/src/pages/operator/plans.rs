//! `/operator/plans`: what accounts may use.

use askama::Template;
use http::{Method, StatusCode};
use wasmcloud_wire::body::Plan;

use super::amounts;
use crate::api::{Refused, path};
use crate::request::Form;
use crate::response::{Response, page};
use crate::router::{not_found, said};
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "operator/plans.html")]
struct Plans {
    shell: Shell,
    tab: &'static str,
    plans: Vec<Shown>,
    draft: Draft,
    error: Option<Refused>,
}

#[derive(Template)]
#[template(path = "operator/plan.html")]
struct PlanPage {
    shell: Shell,
    tab: &'static str,
    name: String,
    draft: Draft,
    /// Whether it is the default: another has to become it first.
    is_default: bool,
    error: Option<Refused>,
}

/// A plan as the form has it.
#[derive(Clone, Default)]
struct Draft {
    name: String,
    handlers: String,
    storage: String,
    per_minute: String,
    concurrent: String,
    cpu: String,
    is_default: bool,
}

/// A plan as the table has it: what is empty has no limit.
struct Shown {
    name: String,
    is_default: bool,
    handlers: String,
    storage: String,
    per_minute: String,
    concurrent: String,
    cpu: String,
}

/// All plans, and a form for a new one.
pub(crate) async fn list(visitor: &Visitor) -> Result<Response, Refused> {
    listed(visitor, Draft::default(), None).await
}

/// Makes a plan. A name that is taken is refused: the plan would be another one in a moment.
pub(crate) async fn create(visitor: &Visitor, form: &Form) -> Result<Response, Refused> {
    let draft = Draft::of(form);
    let plans: Vec<Plan> = visitor.api.get(&path(&["plans"])).await?;
    let result = if draft.name.is_empty() {
        Err(unfit("a plan needs a name", "write one, such as `team-large`"))
    } else if plans.iter().any(|plan| plan.name == draft.name) {
        let (taken, hint) =
            (format!("there is a plan `{}` already", draft.name), "change that one, or take another name");
        Err(unfit(&taken, hint))
    } else {
        put(visitor, &draft.name, &draft).await
    };
    match result {
        Ok(()) => Ok(visitor.done("/operator/plans", &format!("The plan {} is there.", draft.name))),
        Err(refused) => listed(visitor, draft, Some(refused)).await,
    }
}

/// One plan's form.
pub(crate) async fn edit(visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    let plans: Vec<Plan> = visitor.api.get(&path(&["plans"])).await?;
    let plan = plans.into_iter().find(|plan| plan.name == name).ok_or_else(not_found)?;
    edited(visitor, name, Draft::from(&plan), None)
}

/// Changes a plan.
pub(crate) async fn save(visitor: &Visitor, name: &str, form: &Form) -> Result<Response, Refused> {
    let draft = Draft::of(form);
    match put(visitor, name, &draft).await {
        Ok(()) => Ok(visitor.done("/operator/plans", &format!("The plan {name} is changed."))),
        Err(refused) => edited(visitor, name, draft, Some(refused)),
    }
}

/// Deletes a plan.
pub(crate) async fn delete(visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    match visitor.api.act(Method::DELETE, &path(&["plans", name])).await {
        Ok(()) => Ok(visitor.done("/operator/plans", &format!("The plan {name} is deleted."))),
        Err(refused) => listed(visitor, Draft::default(), Some(refused)).await,
    }
}

async fn put(visitor: &Visitor, name: &str, draft: &Draft) -> Result<(), Refused> {
    let plan = draft.plan().map_err(|(message, hint)| unfit(&message, hint))?;
    visitor.api.tell(Method::PUT, &path(&["plans", name]), &plan).await
}

fn unfit(message: &str, hint: &str) -> Refused {
    said(StatusCode::UNPROCESSABLE_ENTITY, "bad_plan", message, hint)
}

async fn listed(visitor: &Visitor, draft: Draft, error: Option<Refused>) -> Result<Response, Refused> {
    let plans: Vec<Plan> = visitor.api.get(&path(&["plans"])).await?;
    let plans = plans.iter().map(Shown::from).collect();
    let status = error.as_ref().map_or(StatusCode::OK, |refused| refused.status);
    Ok(page(status, &Plans { shell: visitor.shell("Plans"), tab: "plans", plans, draft, error }))
}

fn edited(visitor: &Visitor, name: &str, draft: Draft, error: Option<Refused>) -> Result<Response, Refused> {
    let status = error.as_ref().map_or(StatusCode::OK, |refused| refused.status);
    let plan = PlanPage {
        shell: visitor.shell(&format!("{name} · Plans")),
        tab: "plans",
        name: name.to_owned(),
        is_default: draft.is_default,
        draft,
        error,
    };
    Ok(page(status, &plan))
}

impl Draft {
    fn of(form: &Form) -> Draft {
        let field = |name| form.get(name).trim().to_owned();
        Draft {
            name: field("name"),
            handlers: field("handlers"),
            storage: field("storage"),
            per_minute: field("per_minute"),
            concurrent: field("concurrent"),
            cpu: field("cpu"),
            is_default: form.ticked("is_default"),
        }
    }

    /// The plan, or what is wrong with it, and what to do.
    fn plan(&self) -> Result<Plan, (String, &'static str)> {
        Ok(Plan {
            name: String::new(),
            handlers_max: amounts::count(&self.handlers)?,
            storage_bytes_max: amounts::bytes(&self.storage)?,
            invocations_per_minute_max: amounts::count(&self.per_minute)?,
            concurrent_max: amounts::count(&self.concurrent)?,
            cpu_ms_per_day_max: amounts::milliseconds(&self.cpu)?,
            is_default: self.is_default,
        })
    }
}

impl From<&Plan> for Draft {
    fn from(plan: &Plan) -> Draft {
        let number = |max: Option<u64>| max.map(|max| max.to_string()).unwrap_or_default();
        Draft {
            name: plan.name.clone(),
            handlers: number(plan.handlers_max),
            storage: plan.storage_bytes_max.map(amounts::of_bytes).unwrap_or_default(),
            per_minute: number(plan.invocations_per_minute_max),
            concurrent: number(plan.concurrent_max),
            cpu: plan.cpu_ms_per_day_max.map(amounts::of_milliseconds).unwrap_or_default(),
            is_default: plan.is_default,
        }
    }
}

impl From<&Plan> for Shown {
    fn from(plan: &Plan) -> Shown {
        let or = |text: Option<String>| text.unwrap_or_else(|| "no limit".to_owned());
        Shown {
            name: plan.name.clone(),
            is_default: plan.is_default,
            handlers: or(plan.handlers_max.map(crate::view::count)),
            storage: or(plan.storage_bytes_max.map(crate::view::bytes)),
            per_minute: or(plan.invocations_per_minute_max.map(crate::view::count)),
            concurrent: or(plan.concurrent_max.map(crate::view::count)),
            cpu: or(plan.cpu_ms_per_day_max.map(crate::view::duration_ms)),
        }
    }
}
