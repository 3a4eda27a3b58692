//! Teams: accounts that own handlers and hosts, and that several people act for. Nobody logs in as a team.

use std::sync::Arc;

use wasmcloud_wire::body::{Handler, Member, Role, Team, TeamWithMembers};
use wasmcloud_wire::limits::{MEMBERS_PER_TEAM_MAX, TEAMS_PER_OWNER_MAX};
use wasmcloud_wire::{Change, HandlerName, Invoker, UserId, UserName};

use super::access::{has_role, team_not_found};
use super::hosts::user_not_found;
use super::{Core, handler_body};
use crate::ApiError;
use crate::auth::Caller;
use crate::store::{
    CreateTeam, DeleteTeam, NewTeamRow, RemoveMember, SetMemberResult, TeamLimits, TeamRow, TransferHandler,
};

const LIMITS: TeamLimits = TeamLimits { teams_max: TEAMS_PER_OWNER_MAX, members_max: MEMBERS_PER_TEAM_MAX };

impl Core {
    /// The handlers that a caller can see, by name: those of one team, or all of the caller's and of the caller's teams.
    pub(crate) async fn visible_handlers(
        &self,
        caller: &Caller,
        team: Option<&str>,
    ) -> Result<Vec<Handler>, ApiError> {
        let only = match team {
            Some(name) => Some(self.team_for(caller, name, Role::Viewer).await?.id),
            None => None,
        };
        let rows = self.store.visible_handlers(caller.user.id).await?;
        let teams = self.store.teams(caller.user.id).await?;
        let role = |owner: UserId| match owner == caller.user.id {
            true => Some(Role::Owner),
            false => teams.iter().find(|team| team.id == owner).map(|team| team.role),
        };
        let wanted = rows.into_iter().filter(|row| only.is_none_or(|only| row.owner == only));
        let reached = wanted.filter(|row| caller.reaches(&row.name));
        // Whoever has left the team since its handlers were read sees them no more.
        let handlers = reached.filter_map(|row| {
            let role = Some(role(row.owner)?);
            Some(Handler { role, ..handler_body(row, &self.config.edge_url) })
        });
        Ok(handlers.collect())
    }

    /// The teams that a user belongs to, by name.
    pub(crate) async fn teams(&self, user: UserId) -> Result<Vec<Team>, ApiError> {
        Ok(self.store.teams(user).await?.into_iter().map(team_body).collect())
    }

    /// Makes a team, whose owner its maker is.
    pub(crate) async fn create_team(&self, new: NewTeamRow) -> Result<Team, ApiError> {
        match self.store.create_team(&new, TEAMS_PER_OWNER_MAX).await? {
            CreateTeam::Created(row) => Ok(team_body(row)),
            CreateTeam::NameTaken => Err(ApiError::new(
                409,
                "user_name_taken",
                format!("there is a user or a team `{}` already", new.name),
                "choose another name",
            )),
            CreateTeam::TooMany => Err(too_many_teams("you own")),
        }
    }

    /// A team that the caller belongs to, with everybody in it.
    pub(crate) async fn show_team(&self, caller: &Caller, name: &str) -> Result<TeamWithMembers, ApiError> {
        let row = self.team_for(caller, name, Role::Viewer).await?;
        let people = self.store.members(row.id).await?;
        Ok(TeamWithMembers { team: team_body(row), people })
    }

    /// Deletes a team that has nothing any more.
    pub(crate) async fn delete_team(&self, by: UserId, team: &TeamRow) -> Result<(), ApiError> {
        not_suspended(team)?;
        let name = &team.name;
        match self.store.delete_team(by, team.id).await? {
            DeleteTeam::Deleted => {
                tracing::info!(team = %name, "a team was deleted");
                Ok(())
            }
            DeleteTeam::HasHandlers(count) => Err(ApiError::new(
                409,
                "team_has_handlers",
                format!("the team `{name}` has {}", counted(count, "handler")),
                format!(
                    "delete them, or give them to another account: wasmcloud list --team {name}, then wasmcloud \
                     delete or wasmcloud transfer"
                ),
            )),
            DeleteTeam::HasHosts(count) => Err(ApiError::new(
                409,
                "team_has_hosts",
                format!("the team `{name}` has {}", counted(count, "host")),
                format!(
                    "remove them first: wasmcloud host list --team {name}, then wasmcloud host remove --team {name}"
                ),
            )),
            DeleteTeam::NotOwner => Err(team_not_found(name.as_str())),
        }
    }

    /// Adds somebody to a team, or gives another role.
    pub(crate) async fn set_member(
        &self,
        by: UserId,
        team: &TeamRow,
        user: &str,
        role: Role,
    ) -> Result<Member, ApiError> {
        let user: UserName = user.parse().map_err(|_| user_not_found(user))?;
        match self.store.set_member(by, team.id, &user, role, LIMITS).await? {
            SetMemberResult::Set(member) => Ok(member),
            SetMemberResult::NoSuchUser => Err(user_not_found(user.as_str())),
            SetMemberResult::LastOwner => Err(last_owner(team, &user)),
            SetMemberResult::TooManyMembers => Err(ApiError::new(
                409,
                "too_many_members",
                format!(
                    "the team `{}` has {MEMBERS_PER_TEAM_MAX} members, which is the most that a team may have",
                    team.name
                ),
                "take out those who do not work with it any more",
            )),
            SetMemberResult::TooManyTeams => Err(too_many_teams(&format!("`{user}` owns"))),
            SetMemberResult::NotOwner => Err(team_not_found(team.name.as_str())),
        }
    }

    /// Takes somebody out of a team, for an owner, or for whoever leaves.
    pub(crate) async fn remove_member(
        &self,
        by: &Caller,
        team: &TeamRow,
        user: &str,
    ) -> Result<(), ApiError> {
        if user != by.user.name.as_str() {
            has_role(team.role, Role::Owner)?;
        }
        let not_found = || {
            let user: String = user.chars().take(64).collect();
            ApiError::new(
                404,
                "member_not_found",
                format!("`{user}` does not belong to the team `{}`", team.name),
                format!("`wasmcloud teams show {}` shows who does", team.name),
            )
        };
        let user: UserName = user.parse().map_err(|_| not_found())?;
        match self.store.remove_member(by.user.id, team.id, &user).await? {
            RemoveMember::Removed => Ok(()),
            RemoveMember::NotFound => Err(not_found()),
            RemoveMember::LastOwner => Err(last_owner(team, &user)),
            RemoveMember::NotOwner => Err(team_not_found(team.name.as_str())),
        }
    }

    /// Where a handler may be given to: to the caller, or to a team that the caller owns.
    pub(crate) async fn transfer_target(&self, caller: &Caller, to: &str) -> Result<UserId, ApiError> {
        if to == caller.user.name.as_str() {
            return Ok(caller.user.id);
        }
        let team = self.team_for(caller, to, Role::Owner).await?;
        not_suspended(&team)?;
        Ok(team.id)
    }

    /// Gives a handler to another account; every executor knows when this returns.
    pub(crate) async fn transfer(
        &self,
        invoker: &Arc<dyn Invoker>,
        caller: &Caller,
        from: UserId,
        name: HandlerName,
        to: UserId,
    ) -> Result<Handler, ApiError> {
        if from == to {
            return Err(ApiError::new(
                409,
                "same_owner",
                format!("`{name}` is that account's already"),
                "`wasmcloud list` shows whose each handler is",
            ));
        }
        // What is suspended cannot be carried away.
        let teams = self.store.teams(caller.user.id).await?;
        teams.iter().find(|team| team.id == from).map_or(Ok(()), not_suspended)?;
        match self.store.transfer_handler(from, &name, to).await? {
            TransferHandler::Transferred(row) => {
                self.announce(invoker, Change::Handler { name }).await;
                Ok(Handler { role: Some(Role::Owner), ..handler_body(*row, &self.config.edge_url) })
            }
            TransferHandler::HasRoutes(count) => Err(ApiError::new(
                409,
                "handler_has_routes",
                format!("{} to `{name}`, on hosts that stay where they are", lead(count)),
                "remove them first: `wasmcloud route list` shows them (with --team TEAM those of a team), and \
                 `wasmcloud route remove` removes one",
            )),
            TransferHandler::OverQuota(over) => Err(over.into()),
            TransferHandler::NotFound => Err(ApiError::handler_not_found(name.as_str())),
        }
    }
}

fn not_suspended(team: &TeamRow) -> Result<(), ApiError> {
    team.suspended.as_deref().map_or(Ok(()), |reason| Err(ApiError::suspended(reason)))
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("a {what}") } else { format!("{count} {what}s") }
}

fn lead(count: u64) -> String {
    if count == 1 { "a route leads".to_owned() } else { format!("{count} routes lead") }
}

fn too_many_teams(who: &str) -> ApiError {
    ApiError::new(
        409,
        "too_many_teams",
        format!("{who} {TEAMS_PER_OWNER_MAX} teams, which is the most that a user may own"),
        "delete those that nobody needs, or make somebody else their owner",
    )
}

fn last_owner(team: &TeamRow, user: &UserName) -> ApiError {
    ApiError::new(
        409,
        "last_owner",
        format!("`{user}` is the last owner of the team `{}`, and a team has one", team.name),
        format!("make somebody else an owner first: wasmcloud teams add {} USER --role owner", team.name),
    )
}

fn team_body(row: TeamRow) -> Team {
    Team { name: row.name, role: row.role, members: row.members, created_at: row.created_at }
}
