//! `/api/v1/teams`: teams that a user belongs to, and who else does.

use std::sync::Arc;

use rocket::{State, delete, get, post, put};
use serde_json::json;
use wasmcloud_wire::body::{Member, NewTeam, Role, Scope, SetMember, Team, TeamWithMembers};
use wasmcloud_wire::{UserId, UserName};

use crate::app::App;
use crate::auth::Caller;
use crate::core::{has_scope, is_unlimited};
use crate::guards::{Changing, Json};
use crate::reply::{Done, Reply, Result};
use crate::store::NewTeamRow;

/// The teams that the user belongs to, or is invited to, by name.
#[get("/teams")]
pub(crate) async fn list(app: &State<Arc<App>>, caller: Caller) -> Result<Reply<Vec<Team>>> {
    may_see(&caller)?;
    Reply::ok(app.core.teams(caller.user.id).await?)
}

/// Makes a team, whose owner its maker is.
#[post("/teams")]
pub(crate) async fn create(
    app: &State<Arc<App>>,
    changing: Changing,
    body: Json<NewTeam>,
) -> Result<Reply<Team>> {
    let (id, maker) = (UserId::new(), changing.caller.user.id);
    changing.other(Scope::Admin, id, "team.create", &body.0.name, json!({})).await?;
    let name: UserName = body.0.name.parse()?;
    let location = format!("/api/v1/teams/{name}");
    Reply::created(app.core.create_team(NewTeamRow { id, name, maker }).await?, location)
}

/// A team, with everybody in it.
#[get("/teams/<name>")]
pub(crate) async fn show(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
) -> Result<Reply<TeamWithMembers>> {
    may_see(&caller)?;
    Reply::ok(app.core.show_team(&caller, name).await?)
}

/// Deletes a team that has neither handlers nor hosts; for its owners.
#[delete("/teams/<name>")]
pub(crate) async fn delete(app: &State<Arc<App>>, changing: Changing, name: &str) -> Result<Done> {
    may_change(&changing.caller)?;
    let team = app.core.team_for(&changing.caller, name, Role::Owner).await?;
    changing.other(Scope::Admin, team.id, "team.delete", name, json!({})).await?;
    app.core.delete_team(changing.caller.user.id, &team).await?;
    Ok(Done)
}

/// Makes the caller what a team offers: a member, or an owner.
#[post("/teams/<name>/accept")]
pub(crate) async fn accept(app: &State<Arc<App>>, changing: Changing, name: &str) -> Result<Reply<Team>> {
    may_change(&changing.caller)?;
    let row = app.core.offer_for(&changing.caller, name).await?;
    let detail = json!({ "role": row.offer.role });
    changing.other(Scope::Admin, row.team, "team.accept", name, detail).await?;
    Reply::ok(app.core.accept_offer(&changing.caller, &row).await?)
}

/// Drops what a team offers the caller, who stays what they are.
#[post("/teams/<name>/decline")]
pub(crate) async fn decline(app: &State<Arc<App>>, changing: Changing, name: &str) -> Result<Done> {
    may_change(&changing.caller)?;
    let row = app.core.offer_for(&changing.caller, name).await?;
    let detail = json!({ "role": row.offer.role });
    changing.other(Scope::Admin, row.team, "team.decline", name, detail).await?;
    app.core.decline_offer(&changing.caller, &row).await?;
    Ok(Done)
}

/// Offers somebody a place in a team, or gives a member another role; for its owners.
#[put("/teams/<name>/members/<user>")]
pub(crate) async fn set_member(
    app: &State<Arc<App>>,
    changing: Changing,
    name: &str,
    user: &str,
    body: Json<SetMember>,
) -> Result<Reply<Member>> {
    may_change(&changing.caller)?;
    let team = app.core.team_for(&changing.caller, name, Role::Owner).await?;
    let detail = json!({ "user": cut(user), "role": body.0.role });
    let is_offer = app.core.is_offer(&team, user, body.0.role).await?;
    let action = if is_offer { "team.member.invite" } else { "team.member.set" };
    changing.other(Scope::Admin, team.id, action, name, detail).await?;
    Reply::ok(app.core.set_member(changing.caller.user.id, &team, user, body.0.role).await?)
}

/// Takes somebody out of a team, or an offer back, for its owners; or whoever leaves it.
#[delete("/teams/<name>/members/<user>")]
pub(crate) async fn remove_member(
    app: &State<Arc<App>>,
    changing: Changing,
    name: &str,
    user: &str,
) -> Result<Done> {
    may_change(&changing.caller)?;
    let team = match app.core.team_for(&changing.caller, name, Role::Viewer).await {
        Ok(team) => team,
        // Whoever is invited leaves by declining.
        Err(error) if user != changing.caller.user.name.as_str() => return Err(error),
        Err(error) => {
            let row = app.core.offer_for(&changing.caller, name).await.map_err(|_| error)?;
            let detail = json!({ "role": row.offer.role });
            changing.other(Scope::Admin, row.team, "team.decline", name, detail).await?;
            app.core.decline_offer(&changing.caller, &row).await?;
            return Ok(Done);
        }
    };
    changing.other(Scope::Admin, team.id, "team.member.remove", name, json!({ "user": cut(user) })).await?;
    app.core.remove_member(&changing.caller, &team, user).await?;
    Ok(Done)
}

/// A token that is limited to handlers is not for finding out who works with whom.
fn may_see(caller: &Caller) -> Result<()> {
    has_scope(caller, Scope::Read)?;
    is_unlimited(caller)
}

fn may_change(caller: &Caller) -> Result<()> {
    has_scope(caller, Scope::Admin)?;
    is_unlimited(caller)
}

/// What a path says may be anything yet.
fn cut(name: &str) -> String {
    name.chars().take(64).collect()
}
