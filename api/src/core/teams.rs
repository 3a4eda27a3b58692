//! Teams: accounts that own handlers and hosts, and that several people act for. Nobody logs in as a team.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmcloud_wire::body::{Handler, Member, Offer, Role, Team, TeamWithMembers};
use wasmcloud_wire::limits::{
    MEMBERS_PER_TEAM_MAX, OFFER_DAYS, OFFERS_PER_TEAM_MAX, OFFERS_SHOWN_MAX, TEAMS_PER_MEMBER_MAX,
    TEAMS_PER_OWNER_MAX,
};
use wasmcloud_wire::{Change, HandlerName, Invoker, Timestamp, UserId, UserName};

use super::access::{has_role, team_not_found};
use super::hosts::user_not_found;
use super::{Core, DAY_MS, handler_body};
use crate::ApiError;
use crate::auth::Caller;
use crate::store::{
    AcceptOffer, CreateTeam, DeleteTeam, NewTeamRow, OfferRow, RemoveMember, SetMemberResult, TeamLimits,
    TeamRow, TransferHandler,
};

const LIMITS: TeamLimits = TeamLimits::USUAL;

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

    /// The teams that a user belongs to, or is invited to, by name.
    pub(crate) async fn teams(&self, user: UserId) -> Result<Vec<Team>, ApiError> {
        let offers = self.store.offers(user, Timestamp::now(), OFFERS_SHOWN_MAX).await?;
        // In this order: whoever accepts one in between is shown as a member.
        let rows = self.store.teams(user).await?;
        let mut teams: BTreeMap<UserName, Team> =
            rows.into_iter().map(|row| (row.name.clone(), team_body(row))).collect();
        for row in offers {
            let offered = Some(row.offer);
            teams.entry(row.name.clone()).or_insert_with(|| invited_body(row)).offered = offered;
        }
        Ok(teams.into_values().collect())
    }

    /// Makes a team, whose owner its maker is.
    pub(crate) async fn create_team(&self, new: NewTeamRow) -> Result<Team, ApiError> {
        match self.store.create_team(&new, LIMITS).await? {
            CreateTeam::Created(row) => Ok(team_body(row)),
            CreateTeam::NameTaken => Err(ApiError::new(
                409,
                "user_name_taken",
                format!("there is a user or a team `{}` already", new.name),
                "choose another name",
            )),
            CreateTeam::TooMany => Err(too_many_teams()),
            CreateTeam::TooManyMemberships => Err(too_many_memberships()),
        }
    }

    /// A team that the caller belongs to, with everybody in it.
    pub(crate) async fn show_team(&self, caller: &Caller, name: &str) -> Result<TeamWithMembers, ApiError> {
        let row = self.team_for(caller, name, Role::Viewer).await?;
        let people = self.store.members(row.id, Timestamp::now()).await?;
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

    /// Whether somebody would have to accept this role in a team.
    pub(crate) async fn is_offer(&self, team: &TeamRow, user: &str, role: Role) -> Result<bool, ApiError> {
        let people = self.store.members(team.id, Timestamp::now()).await?;
        let has = people.iter().find(|member| member.user.as_str() == user).and_then(|member| member.role);
        Ok(has.is_none_or(|has| role == Role::Owner && has != Role::Owner))
    }

    /// Offers somebody a place in a team, or gives a member another role.
    pub(crate) async fn set_member(
        &self,
        by: UserId,
        team: &TeamRow,
        user: &str,
        role: Role,
    ) -> Result<Member, ApiError> {
        let user: UserName = user.parse().map_err(|_| user_not_found(user))?;
        let now = Timestamp::now();
        let offer = Offer { role, expires_at: Timestamp(now.0 + OFFER_DAYS * DAY_MS) };
        match self.store.set_member(by, team.id, &user, offer, LIMITS, now).await? {
            SetMemberResult::Set(member) => Ok(member),
            SetMemberResult::NoSuchUser => Err(user_not_found(user.as_str())),
            SetMemberResult::LastOwner => Err(last_owner(team, &user)),
            SetMemberResult::TooManyMembers => Err(too_many_members(&team.name)),
            SetMemberResult::TooManyOffers => Err(ApiError::new(
                409,
                "too_many_offers",
                format!(
                    "{OFFERS_PER_TEAM_MAX} of those whom `{}` has invited have not answered yet, which is the most",
                    team.name
                ),
                format!(
                    "wait for answers, or take some back: wasmcloud teams show {0}, then wasmcloud teams remove {0} USER",
                    team.name
                ),
            )),
            SetMemberResult::NotOwner => Err(team_not_found(team.name.as_str())),
        }
    }

    /// What a team offers the caller.
    pub(crate) async fn offer_for(&self, caller: &Caller, name: &str) -> Result<OfferRow, ApiError> {
        let offer = match name.parse::<UserName>() {
            Ok(name) => self.store.offer(caller.user.id, &name, Timestamp::now()).await?,
            Err(_) => None,
        };
        offer.ok_or_else(|| not_offered(name))
    }

    /// Makes the caller what a team offers.
    pub(crate) async fn accept_offer(&self, caller: &Caller, row: &OfferRow) -> Result<Team, ApiError> {
        match self.store.accept_offer(caller.user.id, row.team, LIMITS, Timestamp::now()).await? {
            AcceptOffer::Accepted(team) => Ok(team_body(team)),
            AcceptOffer::NotOffered => Err(not_offered(row.name.as_str())),
            AcceptOffer::TooManyTeams => Err(too_many_teams()),
            AcceptOffer::TooManyMemberships => Err(too_many_memberships()),
            AcceptOffer::TooManyMembers => Err(too_many_members(&row.name)),
        }
    }

    /// Drops what a team offers the caller.
    pub(crate) async fn decline_offer(&self, caller: &Caller, row: &OfferRow) -> Result<(), ApiError> {
        match self.store.decline_offer(caller.user.id, row.team).await? {
            true => Ok(()),
            false => Err(not_offered(row.name.as_str())),
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
            has_role(team.role, Role::Owner, Some(&team.name))?;
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

fn too_many_teams() -> ApiError {
    ApiError::new(
        409,
        "too_many_teams",
        format!("you own {TEAMS_PER_OWNER_MAX} teams, which is the most that a user may own"),
        "delete those that nobody needs, or make somebody else their owner",
    )
}

fn too_many_memberships() -> ApiError {
    ApiError::new(
        409,
        "too_many_memberships",
        format!("you belong to {TEAMS_PER_MEMBER_MAX} teams, which is the most that a user may belong to"),
        "leave one that you do not work with any more: wasmcloud teams leave TEAM",
    )
}

fn too_many_members(team: &UserName) -> ApiError {
    ApiError::new(
        409,
        "too_many_members",
        format!(
            "the team `{team}` has {MEMBERS_PER_TEAM_MAX} members, which is the most that a team may have"
        ),
        "its owners can take out those who do not work with it any more",
    )
}

/// A team that nobody knows, or that offers the caller nothing: nobody is told which.
fn not_offered(name: &str) -> ApiError {
    let name: String = name.chars().take(64).collect();
    ApiError::new(
        404,
        "not_invited",
        format!("you have no invitation of a team `{name}`, or it is over"),
        "`wasmcloud teams list` shows those that you have; an owner can invite you again",
    )
}

fn last_owner(team: &TeamRow, user: &UserName) -> ApiError {
    ApiError::new(
        409,
        "last_owner",
        format!("`{user}` is the last owner of the team `{}`, and a team has one", team.name),
        format!(
            "make somebody else an owner first, who has to accept it: wasmcloud teams add {} USER --role owner",
            team.name
        ),
    )
}

fn team_body(row: TeamRow) -> Team {
    Team {
        name: row.name,
        role: Some(row.role),
        offered: None,
        members: row.members,
        created_at: row.created_at,
    }
}

/// A team as whoever is invited sees it.
fn invited_body(row: OfferRow) -> Team {
    Team { name: row.name, role: None, offered: Some(row.offer), members: 0, created_at: row.created_at }
}
