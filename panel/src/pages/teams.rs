//! Teams: handlers that several people have together.

use askama::Template;
use http::{Method, StatusCode};
use wasmcloud_wire::body::{Handler, NewTeam, Role, SetMember, Team, TeamWithMembers};

use super::account::quota;
use crate::api::{Refused, path};
use crate::request::{Form, Request};
use crate::response::{Response, form_status, page};
use crate::router::{not_found, said};
use crate::shell::{Shell, Visitor, encoded};

/// What somebody can be in a team, least first.
const ROLES: [(Role, &str); 3] = [
    (Role::Viewer, "sees the handlers"),
    (Role::Deployer, "changes and runs them too"),
    (Role::Owner, "decides who belongs to the team too"),
];

#[derive(Template)]
#[template(path = "teams/list.html")]
struct TeamsPage<'a> {
    shell: Shell,
    teams: Vec<Team>,
    name: &'a str,
    error: Option<Refused>,
}

#[derive(Template)]
#[template(path = "teams/team.html")]
struct TeamPage<'a> {
    shell: Shell,
    team: TeamWithMembers,
    handlers: Vec<Handler>,
    me: String,
    /// Who was to be added, if that did not work.
    user: &'a str,
    error: Option<Refused>,
}

#[derive(Template)]
#[template(path = "teams/delete.html")]
struct DeletePage {
    shell: Shell,
    team: TeamWithMembers,
    handlers: Vec<Handler>,
    error: Option<Refused>,
}

/// A page about teams; `rest` is what follows `/teams`.
pub(crate) async fn show(_: &Request, rest: &[&str], visitor: &Visitor) -> Result<Response, Refused> {
    visitor.known()?;
    match rest {
        [] => list(visitor, "", None).await,
        [name] => team_page(visitor, name, "", None).await,
        [name, "quota"] => quota::show_team(visitor, name).await,
        [name, "delete"] => delete_page(visitor, name, None).await,
        _ => Err(not_found()),
    }
}

/// A form of one of them.
pub(crate) async fn send(
    _: &Request,
    rest: &[&str],
    visitor: &Visitor,
    form: &Form,
) -> Result<Response, Refused> {
    visitor.known()?;
    match rest {
        [] => create(visitor, form).await,
        [name, "members"] => add(visitor, name, form).await,
        [name, "members", user] => change(visitor, name, user, form).await,
        [name, "members", user, "remove"] => remove(visitor, name, user).await,
        [name, "leave"] => leave(visitor, name).await,
        [name, "quota"] => quota::apply_for(visitor, Some(name), form).await,
        [name, "delete"] => delete(visitor, name, form).await,
        _ => Err(not_found()),
    }
}

async fn create(visitor: &Visitor, form: &Form) -> Result<Response, Refused> {
    let new = NewTeam { name: form.get("name").trim().to_owned() };
    match visitor.api.send::<Team>(Method::POST, "/api/v1/teams", &new).await {
        Ok(team) => {
            let sentence =
                format!("The team {} is made, and you own it. Now add who belongs to it.", team.name);
            Ok(visitor.done(&address(team.name.as_str()), &sentence))
        }
        Err(refused) => list(visitor, &new.name, Some(refused)).await,
    }
}

async fn add(visitor: &Visitor, name: &str, form: &Form) -> Result<Response, Refused> {
    let user = form.get("user").trim();
    let outcome = match (user.is_empty(), role_of(form)) {
        (true, _) => {
            Err(wrong("user_missing", "there is no user without a name", "say who is to belong to the team"))
        }
        (false, Err(refused)) => Err(refused),
        (false, Ok(role)) => set(visitor, name, user, role).await.map(|()| role),
    };
    match outcome {
        Ok(role) => Ok(visitor.done(&address(name), &format!("{user} belongs to the team now, as {role}."))),
        Err(refused) => team_page(visitor, name, user, Some(refused)).await,
    }
}

async fn change(visitor: &Visitor, name: &str, user: &str, form: &Form) -> Result<Response, Refused> {
    let outcome = match role_of(form) {
        Ok(role) => set(visitor, name, user, role).await.map(|()| role),
        Err(refused) => Err(refused),
    };
    match outcome {
        Ok(role) => Ok(visitor.done(&address(name), &format!("{user} is {role} now."))),
        Err(refused) => team_page(visitor, name, "", Some(refused)).await,
    }
}

async fn remove(visitor: &Visitor, name: &str, user: &str) -> Result<Response, Refused> {
    match take_out(visitor, name, user).await {
        Ok(()) => Ok(visitor.done(&address(name), &format!("{user} does not belong to the team any more."))),
        Err(refused) => team_page(visitor, name, "", Some(refused)).await,
    }
}

async fn leave(visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    let me = visitor.known()?.name.clone();
    match take_out(visitor, name, me.as_str()).await {
        Ok(()) => Ok(visitor.done("/teams", &format!("You have left {name}."))),
        Err(refused) => team_page(visitor, name, "", Some(refused)).await,
    }
}

/// Deletes a team whose name was typed.
async fn delete(visitor: &Visitor, name: &str, form: &Form) -> Result<Response, Refused> {
    let outcome = if form.get("confirm").trim() == name {
        visitor.api.act(Method::DELETE, &path(&["teams", name])).await
    } else {
        let message = format!("what you typed is not `{name}`");
        Err(wrong("not_confirmed", &message, "type the team's name if you really want to delete it"))
    };
    match outcome {
        Ok(()) => Ok(visitor.done("/teams", &format!("The team {name} is deleted."))),
        Err(refused) => delete_page(visitor, name, Some(refused)).await,
    }
}

fn role_of(form: &Form) -> Result<Role, Refused> {
    form.get("role").parse().map_err(|message: String| wrong("unknown_role", &message, "choose a role"))
}

async fn set(visitor: &Visitor, name: &str, user: &str, role: Role) -> Result<(), Refused> {
    visitor.api.tell(Method::PUT, &path(&["teams", name, "members", user]), &SetMember { role }).await
}

async fn take_out(visitor: &Visitor, name: &str, user: &str) -> Result<(), Refused> {
    visitor.api.act(Method::DELETE, &path(&["teams", name, "members", user])).await
}

async fn list(visitor: &Visitor, name: &str, error: Option<Refused>) -> Result<Response, Refused> {
    let teams = visitor.api.get("/api/v1/teams").await?;
    let status = form_status(error.as_ref());
    Ok(page(status, &TeamsPage { shell: visitor.shell("Teams"), teams, name, error }))
}

async fn team_page(
    visitor: &Visitor,
    name: &str,
    user: &str,
    error: Option<Refused>,
) -> Result<Response, Refused> {
    let (team, handlers) = team_with_handlers(visitor, name).await?;
    let me = visitor.known()?.name.to_string();
    let status = form_status(error.as_ref());
    Ok(page(status, &TeamPage { shell: visitor.shell(name), team, handlers, me, user, error }))
}

async fn delete_page(visitor: &Visitor, name: &str, error: Option<Refused>) -> Result<Response, Refused> {
    let (team, handlers) = team_with_handlers(visitor, name).await?;
    let status = form_status(error.as_ref());
    let shell = visitor.shell(&format!("Delete {name}"));
    Ok(page(status, &DeletePage { shell, team, handlers, error }))
}

async fn team_with_handlers(
    visitor: &Visitor,
    name: &str,
) -> Result<(TeamWithMembers, Vec<Handler>), Refused> {
    let team = visitor.api.get(&path(&["teams", name])).await?;
    let mut handlers: Vec<Handler> = visitor.api.get("/api/v1/handlers").await?;
    handlers.retain(|handler| handler.owner.as_ref().is_some_and(|owner| owner.as_str() == name));
    Ok((team, handlers))
}

/// A team's page.
fn address(name: &str) -> String {
    format!("/teams/{}", encoded(name))
}

fn wrong(code: &str, message: &str, hint: &str) -> Refused {
    said(StatusCode::UNPROCESSABLE_ENTITY, code, message, hint)
}
