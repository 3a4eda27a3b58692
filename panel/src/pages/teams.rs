//! Teams: handlers that several people have together.

use askama::Template;
use http::{Method, StatusCode};
use wasmcloud_wire::body::{Handler, Member, NewTeam, Role, SetMember, Team, TeamWithMembers};

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
    /// What teams offer, to be accepted or declined.
    offers: Vec<Team>,
    name: &'a str,
    error: Option<Refused>,
}

#[derive(Template)]
#[template(path = "teams/team.html")]
struct TeamPage<'a> {
    shell: Shell,
    team: TeamWithMembers,
    /// What the visitor is in it.
    role: Role,
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
        [name, "accept"] => accept(visitor, name).await,
        [name, "decline"] => decline(visitor, name).await,
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
        (false, Ok(role)) => set(visitor, name, user, role).await,
    };
    match outcome {
        Ok(member) => Ok(visitor.done(&address(name), &outcome_of(&member))),
        Err(refused) => team_page(visitor, name, user, Some(refused)).await,
    }
}

async fn change(visitor: &Visitor, name: &str, user: &str, form: &Form) -> Result<Response, Refused> {
    let outcome = match role_of(form) {
        Ok(role) => set(visitor, name, user, role).await,
        Err(refused) => Err(refused),
    };
    match outcome {
        Ok(member) => Ok(visitor.done(&address(name), &outcome_of(&member))),
        Err(refused) => team_page(visitor, name, "", Some(refused)).await,
    }
}

/// What became of somebody, as a sentence.
fn outcome_of(member: &Member) -> String {
    match (member.role, member.offered) {
        (_, Some(offer)) => {
            format!("{} is invited as {}, and has to accept it on the page Teams.", member.user, offer.role)
        }
        (Some(role), None) => format!("{} is {role} now.", member.user),
        (None, None) => format!("{} is changed.", member.user),
    }
}

async fn accept(visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    match visitor.api.act(Method::POST, &path(&["teams", name, "accept"])).await {
        Ok(()) => Ok(visitor.done(&address(name), &format!("You have accepted the invitation of {name}."))),
        Err(refused) => list(visitor, "", Some(refused)).await,
    }
}

async fn decline(visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    match visitor.api.act(Method::POST, &path(&["teams", name, "decline"])).await {
        Ok(()) => Ok(visitor.done("/teams", &format!("You have declined the invitation of {name}."))),
        Err(refused) => list(visitor, "", Some(refused)).await,
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

/// Whether this role is the one that somebody has, or else is invited as.
fn is_chosen(member: &Member, role: &Role) -> bool {
    member.role.or(member.offered.map(|offer| offer.role)) == Some(*role)
}

fn role_of(form: &Form) -> Result<Role, Refused> {
    form.get("role").parse().map_err(|message: String| wrong("unknown_role", &message, "choose a role"))
}

async fn set(visitor: &Visitor, name: &str, user: &str, role: Role) -> Result<Member, Refused> {
    visitor.api.send(Method::PUT, &path(&["teams", name, "members", user]), &SetMember { role }).await
}

async fn take_out(visitor: &Visitor, name: &str, user: &str) -> Result<(), Refused> {
    visitor.api.act(Method::DELETE, &path(&["teams", name, "members", user])).await
}

async fn list(visitor: &Visitor, name: &str, error: Option<Refused>) -> Result<Response, Refused> {
    let all: Vec<Team> = visitor.api.get("/api/v1/teams").await?;
    let offers = all.iter().filter(|team| team.offered.is_some()).cloned().collect();
    let teams = all.into_iter().filter(|team| team.role.is_some()).collect();
    let status = form_status(error.as_ref());
    Ok(page(status, &TeamsPage { shell: visitor.shell("Teams"), teams, offers, name, error }))
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
    // Only members are shown a team.
    let role = team.team.role.unwrap_or(Role::Viewer);
    Ok(page(status, &TeamPage { shell: visitor.shell(name), team, role, handlers, me, user, error }))
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
