//! Teams, and who may do what with a handler.
//!
//! `members` says who belongs to a team; `offers`, what somebody may become by accepting it. So whatever asks who may see or
//! do something asks `members` alone, and nobody is anything that they have not accepted.
//!
//! Whatever counts a team's members, or what an account has, holds that account's row until it is committed. Where two
//! rows are held, the one with the smaller id comes first.

use std::collections::BTreeMap;

use async_trait::async_trait;
use wasmcloud_wire::body::{Member, Offer, Role};
use wasmcloud_wire::{HandlerId, HandlerName, InvocationId, Timestamp, UserId, UserName};

use super::SqlStore;
use super::backend::{Backend, Columns, begin, read};
use super::handlers::{self, find_in, vanished};
use super::quotas::room_for;
use super::value::{parse, values};
use crate::store::{
    AcceptOffer, AccountRow, CreateTeam, DeleteTeam, FoundHandler, HandlerRow, NewTeamRow, OfferRow,
    RemoveMember, SetMemberResult, StoreError, TeamLimits, TeamRow, TeamStore, TransferHandler,
};

const FIND_HANDLER: &str = "SELECT h.id, h.owner_id, t.role FROM handlers h
    LEFT JOIN members t ON t.team_id = h.owner_id AND t.user_id = $1
    WHERE h.name = $2 AND h.deleted_at IS NULL AND (h.owner_id = $1 OR t.role IS NOT NULL)";
const RECORDED_HANDLER: &str = "SELECT h.name FROM recordings r
    JOIN handlers h ON h.id = r.handler_id
    WHERE r.invocation_id = $2 AND h.deleted_at IS NULL AND (h.owner_id = $1
        OR EXISTS (SELECT 1 FROM members t WHERE t.team_id = h.owner_id AND t.user_id = $1))";

/// A user's teams; the columns in the order of [`team_row`].
macro_rules! select_teams {
    ($which:literal) => {
        concat!(
            "SELECT u.id, u.name, t.role, (SELECT COUNT(*) FROM members m WHERE m.team_id = u.id), u.suspended_at,
                u.suspended_reason, u.created_at
            FROM members t JOIN users u ON u.id = t.team_id
            WHERE u.kind = 'team' AND ",
            $which
        )
    };
}

const FIND_TEAM: &str = select_teams!("t.user_id = $1 AND u.name = $2");
const TEAM_BY_ID: &str = select_teams!("t.user_id = $1 AND u.id = $2");

/// Offers; the columns in the order of [`offer_row`].
macro_rules! select_offers {
    ($which:literal) => {
        concat!(
            "SELECT u.id, u.name, o.role, o.expires_at, o.created_at
            FROM offers o JOIN users u ON u.id = o.team_id
            WHERE o.user_id = $1 AND o.expires_at > $2",
            $which
        )
    };
}

const OFFERS: &str = select_offers!(" ORDER BY o.created_at DESC, o.team_id DESC LIMIT $3");
const FIND_OFFER: &str = select_offers!(" AND u.name = $3");
const DROP_OFFER: &str = "DELETE FROM offers WHERE team_id = $1 AND user_id = $2";

#[async_trait]
impl<B: Backend> TeamStore for SqlStore<B> {
    async fn find_handler(
        &self,
        user: UserId,
        name: &HandlerName,
    ) -> Result<Option<FoundHandler>, StoreError> {
        let rows = read(&self.read, FIND_HANDLER, values![user, name.as_str()]).await?;
        let found = |row: &B::Row| {
            let role = row.maybe_text(2)?.map_or(Ok(Role::Owner), |role| self::role(&role))?;
            Ok(FoundHandler { id: HandlerId(row.uuid(0)?), owner: UserId(row.uuid(1)?), role })
        };
        rows.first().map(found).transpose()
    }

    async fn visible_handlers(&self, user: UserId) -> Result<Vec<HandlerRow>, StoreError> {
        handlers::visible(&self.read, user).await
    }

    async fn recorded_handler(
        &self,
        user: UserId,
        invocation: InvocationId,
    ) -> Result<Option<HandlerName>, StoreError> {
        let rows = read(&self.read, RECORDED_HANDLER, values![user, invocation]).await?;
        rows.first().map(|row| parse(&row.text(0)?)).transpose()
    }

    async fn account_by_name(&self, name: &UserName) -> Result<Option<AccountRow>, StoreError> {
        let sql = "SELECT id, name, kind FROM users WHERE name = $1";
        let rows = read(&self.read, sql, values![name.as_str()]).await?;
        let account = |row: &B::Row| {
            Ok(AccountRow {
                id: UserId(row.uuid(0)?),
                name: parse(&row.text(1)?)?,
                is_team: row.text(2)? == "team",
            })
        };
        rows.first().map(account).transpose()
    }

    async fn create_team(&self, new: &NewTeamRow, most: TeamLimits) -> Result<CreateTeam, StoreError> {
        let mut transaction = begin(&self.write).await?;
        lock::<B>(&mut transaction, new.maker).await?;
        if owned::<B>(&mut transaction, new.maker).await? >= i64::from(most.teams_max) {
            return Ok(CreateTeam::TooMany);
        }
        if memberships::<B>(&mut transaction, new.maker).await? >= i64::from(most.memberships_max) {
            return Ok(CreateTeam::TooManyMemberships);
        }
        let sql =
            "INSERT INTO users (id, name, password_hash, is_admin, kind) VALUES ($1, $2, '', $3, 'team')
            ON CONFLICT DO NOTHING";
        if B::execute(&mut transaction, sql, values![new.id, new.name.as_str(), false]).await? == 0 {
            return Ok(CreateTeam::NameTaken);
        }
        insert_member::<B>(&mut transaction, new.id, new.maker, Role::Owner).await?;
        let rows = B::rows(&mut transaction, FIND_TEAM, values![new.maker, new.name.as_str()]).await?;
        let row = team_row(rows.first().ok_or_else(no_team)?)?;
        transaction.commit().await?;
        Ok(CreateTeam::Created(row))
    }

    async fn teams(&self, user: UserId) -> Result<Vec<TeamRow>, StoreError> {
        let rows = read(&self.read, select_teams!("t.user_id = $1"), values![user]).await?;
        let mut teams = rows.iter().map(team_row).collect::<Result<Vec<_>, _>>()?;
        // Here and not in SQL: PostgreSQL sorts by the database's locale, which may pass over dashes.
        teams.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(teams)
    }

    async fn team(&self, user: UserId, name: &UserName) -> Result<Option<TeamRow>, StoreError> {
        read(&self.read, FIND_TEAM, values![user, name.as_str()]).await?.first().map(team_row).transpose()
    }

    async fn offers(&self, user: UserId, now: Timestamp, limit: u32) -> Result<Vec<OfferRow>, StoreError> {
        let rows = read(&self.read, OFFERS, values![user, now, i64::from(limit)]).await?;
        let mut offers = rows.iter().map(offer_row).collect::<Result<Vec<_>, _>>()?;
        offers.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(offers)
    }

    async fn offer(
        &self,
        user: UserId,
        name: &UserName,
        now: Timestamp,
    ) -> Result<Option<OfferRow>, StoreError> {
        let rows = read(&self.read, FIND_OFFER, values![user, now, name.as_str()]).await?;
        rows.first().map(offer_row).transpose()
    }

    async fn members(&self, team: UserId, now: Timestamp) -> Result<Vec<Member>, StoreError> {
        let mut connection = self.read.acquire().await?;
        let sql = "SELECT u.name, t.role, t.created_at FROM members t JOIN users u ON u.id = t.user_id
            WHERE t.team_id = $1";
        let rows = B::rows(&mut connection, sql, values![team]).await?;
        let members = rows.iter().map(member).collect::<Result<Vec<_>, _>>()?;
        let sql =
            "SELECT u.name, o.role, o.expires_at, o.created_at FROM offers o JOIN users u ON u.id = o.user_id
            WHERE o.team_id = $1 AND o.expires_at > $2";
        let rows = B::rows(&mut connection, sql, values![team, now]).await?;
        let mut people: BTreeMap<UserName, Member> =
            members.into_iter().map(|member| (member.user.clone(), member)).collect();
        for row in &rows {
            let user: UserName = parse(&row.text(0)?)?;
            let offered = Some(Offer { role: role(&row.text(1)?)?, expires_at: Timestamp(row.int(2)?) });
            let since = Timestamp(row.int(3)?);
            let invited = || Member { user: user.clone(), role: None, offered: None, since };
            people.entry(user.clone()).or_insert_with(invited).offered = offered;
        }
        Ok(people.into_values().collect())
    }

    async fn delete_team(&self, by: UserId, team: UserId) -> Result<DeleteTeam, StoreError> {
        let mut transaction = begin(&self.write).await?;
        lock::<B>(&mut transaction, team).await?;
        if role_of::<B>(&mut transaction, team, by).await? != Some(Role::Owner) {
            return Ok(DeleteTeam::NotOwner);
        }
        let sql = "SELECT COUNT(*) FROM handlers WHERE owner_id = $1 AND deleted_at IS NULL";
        let handlers = count::<B>(&mut transaction, sql, team).await?;
        if handlers > 0 {
            return Ok(DeleteTeam::HasHandlers(handlers.unsigned_abs()));
        }
        let hosts =
            count::<B>(&mut transaction, "SELECT COUNT(*) FROM hosts WHERE owner_id = $1", team).await?;
        if hosts > 0 {
            return Ok(DeleteTeam::HasHosts(hosts.unsigned_abs()));
        }
        // Handlers that it has deleted hold their names for a while, so somebody has to have them.
        B::execute(
            &mut transaction,
            "UPDATE handlers SET owner_id = $2 WHERE owner_id = $1",
            values![team, by],
        )
        .await?;
        for sql in [
            "DELETE FROM members WHERE team_id = $1",
            "DELETE FROM offers WHERE team_id = $1",
            "DELETE FROM plan_requests WHERE account_id = $1",
            "DELETE FROM users WHERE id = $1 AND kind = 'team'",
        ] {
            B::execute(&mut transaction, sql, values![team]).await?;
        }
        transaction.commit().await?;
        Ok(DeleteTeam::Deleted)
    }

    async fn set_member(
        &self,
        by: UserId,
        team: UserId,
        user: &UserName,
        offer: Offer,
        most: TeamLimits,
        now: Timestamp,
    ) -> Result<SetMemberResult, StoreError> {
        let mut transaction = begin(&self.write).await?;
        let name = user;
        let Some(user) = user_id::<B>(&mut transaction, name).await? else {
            return Ok(SetMemberResult::NoSuchUser);
        };
        lock_both::<B>(&mut transaction, team, user).await?;
        if role_of::<B>(&mut transaction, team, by).await? != Some(Role::Owner) {
            return Ok(SetMemberResult::NotOwner);
        }
        let before = role_of::<B>(&mut transaction, team, user).await?;
        let becomes_owner = offer.role == Role::Owner && before != Some(Role::Owner);
        let member = match before {
            Some(before) if !becomes_owner => {
                let leaves_none = before == Role::Owner && offer.role != Role::Owner;
                if leaves_none && owners::<B>(&mut transaction, team).await? <= 1 {
                    return Ok(SetMemberResult::LastOwner);
                }
                set_role::<B>(&mut transaction, team, user, offer.role).await?;
                B::execute(&mut transaction, DROP_OFFER, values![team, user]).await?;
                member_in::<B>(&mut transaction, team, user).await?.ok_or_else(no_team)?
            }
            _ => {
                if before.is_none()
                    && members::<B>(&mut transaction, team).await? >= i64::from(most.members_max)
                {
                    return Ok(SetMemberResult::TooManyMembers);
                }
                if others_offered::<B>(&mut transaction, team, user, now).await? >= i64::from(most.offers_max)
                {
                    return Ok(SetMemberResult::TooManyOffers);
                }
                make_offer::<B>(&mut transaction, team, user, offer).await?;
                let invited = Member { user: name.clone(), role: None, offered: None, since: now };
                let member = member_in::<B>(&mut transaction, team, user).await?.unwrap_or(invited);
                Member { offered: Some(offer), ..member }
            }
        };
        transaction.commit().await?;
        Ok(SetMemberResult::Set(member))
    }

    async fn accept_offer(
        &self,
        user: UserId,
        team: UserId,
        most: TeamLimits,
        now: Timestamp,
    ) -> Result<AcceptOffer, StoreError> {
        let mut transaction = begin(&self.write).await?;
        lock_both::<B>(&mut transaction, team, user).await?;
        let sql = "SELECT role FROM offers WHERE team_id = $1 AND user_id = $2 AND expires_at > $3";
        let rows = B::rows(&mut transaction, sql, values![team, user, now]).await?;
        let Some(row) = rows.first() else { return Ok(AcceptOffer::NotOffered) };
        let offered = role(&row.text(0)?)?;
        let before = role_of::<B>(&mut transaction, team, user).await?;
        let becomes_owner = offered == Role::Owner && before != Some(Role::Owner);
        if becomes_owner && owned::<B>(&mut transaction, user).await? >= i64::from(most.teams_max) {
            return Ok(AcceptOffer::TooManyTeams);
        }
        if before.is_some() {
            set_role::<B>(&mut transaction, team, user, offered).await?;
        } else {
            if memberships::<B>(&mut transaction, user).await? >= i64::from(most.memberships_max) {
                return Ok(AcceptOffer::TooManyMemberships);
            }
            if members::<B>(&mut transaction, team).await? >= i64::from(most.members_max) {
                return Ok(AcceptOffer::TooManyMembers);
            }
            insert_member::<B>(&mut transaction, team, user, offered).await?;
        }
        B::execute(&mut transaction, DROP_OFFER, values![team, user]).await?;
        let rows = B::rows(&mut transaction, TEAM_BY_ID, values![user, team]).await?;
        let row = team_row(rows.first().ok_or_else(no_team)?)?;
        transaction.commit().await?;
        Ok(AcceptOffer::Accepted(row))
    }

    async fn decline_offer(&self, user: UserId, team: UserId) -> Result<bool, StoreError> {
        let mut transaction = begin(&self.write).await?;
        let dropped = B::execute(&mut transaction, DROP_OFFER, values![team, user]).await?;
        transaction.commit().await?;
        Ok(dropped > 0)
    }

    async fn remove_member(
        &self,
        by: UserId,
        team: UserId,
        user: &UserName,
    ) -> Result<RemoveMember, StoreError> {
        let mut transaction = begin(&self.write).await?;
        let Some(user) = user_id::<B>(&mut transaction, user).await? else {
            return Ok(RemoveMember::NotFound);
        };
        lock::<B>(&mut transaction, team).await?;
        if user != by && role_of::<B>(&mut transaction, team, by).await? != Some(Role::Owner) {
            return Ok(RemoveMember::NotOwner);
        }
        let role = role_of::<B>(&mut transaction, team, user).await?;
        if role == Some(Role::Owner) && owners::<B>(&mut transaction, team).await? <= 1 {
            return Ok(RemoveMember::LastOwner);
        }
        let offers = B::execute(&mut transaction, DROP_OFFER, values![team, user]).await?;
        let sql = "DELETE FROM members WHERE team_id = $1 AND user_id = $2";
        let members = B::execute(&mut transaction, sql, values![team, user]).await?;
        transaction.commit().await?;
        Ok(if offers + members > 0 { RemoveMember::Removed } else { RemoveMember::NotFound })
    }

    async fn transfer_handler(
        &self,
        from: UserId,
        name: &HandlerName,
        to: UserId,
    ) -> Result<TransferHandler, StoreError> {
        let mut transaction = begin(&self.write).await?;
        // Whoever adds a route holds the row of the handler's owner.
        lock_both::<B>(&mut transaction, from, to).await?;
        let room = room_for::<B>(&mut transaction, to).await?;
        let sql = "UPDATE handlers SET owner_id = $3 WHERE owner_id = $1 AND name = $2 AND deleted_at IS NULL
            RETURNING id";
        let rows = B::rows(&mut transaction, sql, values![from, name.as_str(), to]).await?;
        let Some(handler) = rows.first() else { return Ok(TransferHandler::NotFound) };
        let sql = "SELECT COUNT(*) FROM routes WHERE handler_id = $1";
        let rows = B::rows(&mut transaction, sql, values![handler.uuid(0)?]).await?;
        let routes = rows.first().map_or(Ok(0), |row| row.int(0))?;
        if routes > 0 {
            // Dropping the transaction rolls it back.
            return Ok(TransferHandler::HasRoutes(routes.unsigned_abs()));
        }
        if let Some(over) = room.over::<B>(&mut transaction).await? {
            return Ok(TransferHandler::OverQuota(over));
        }
        let row = find_in::<B>(&mut transaction, to, name).await?.ok_or_else(vanished)?;
        transaction.commit().await?;
        Ok(TransferHandler::Transferred(Box::new(row)))
    }
}

/// Nothing changes, but whoever else counts or adds what this account has waits for the commit.
async fn lock<B: Backend>(connection: &mut B::Connection, account: UserId) -> Result<(), StoreError> {
    let sql = "UPDATE users SET is_admin = is_admin WHERE id = $1";
    B::execute(connection, sql, values![account]).await.map(|_| ())
}

/// The same for two accounts, always in the same order, so that nobody waits for somebody who waits too.
async fn lock_both<B: Backend>(
    connection: &mut B::Connection,
    one: UserId,
    other: UserId,
) -> Result<(), StoreError> {
    let (first, second) = if one.0 <= other.0 { (one, other) } else { (other, one) };
    lock::<B>(connection, first).await?;
    lock::<B>(connection, second).await
}

async fn count<B: Backend>(
    connection: &mut B::Connection,
    sql: &'static str,
    account: UserId,
) -> Result<i64, StoreError> {
    B::rows(connection, sql, values![account]).await?.first().map_or(Ok(0), |row| row.int(0))
}

/// How many teams a user owns.
async fn owned<B: Backend>(connection: &mut B::Connection, user: UserId) -> Result<i64, StoreError> {
    count::<B>(connection, "SELECT COUNT(*) FROM members WHERE user_id = $1 AND role = 'owner'", user).await
}

/// How many owners a team has.
async fn owners<B: Backend>(connection: &mut B::Connection, team: UserId) -> Result<i64, StoreError> {
    count::<B>(connection, "SELECT COUNT(*) FROM members WHERE team_id = $1 AND role = 'owner'", team).await
}

/// How many belong to a team.
async fn members<B: Backend>(connection: &mut B::Connection, team: UserId) -> Result<i64, StoreError> {
    count::<B>(connection, "SELECT COUNT(*) FROM members WHERE team_id = $1", team).await
}

/// How many teams a user belongs to.
async fn memberships<B: Backend>(connection: &mut B::Connection, user: UserId) -> Result<i64, StoreError> {
    count::<B>(connection, "SELECT COUNT(*) FROM members WHERE user_id = $1", user).await
}

/// How many others a team offers a role that can be accepted yet. The rest is forgotten.
async fn others_offered<B: Backend>(
    connection: &mut B::Connection,
    team: UserId,
    user: UserId,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let sql = "DELETE FROM offers WHERE team_id = $1 AND expires_at <= $2";
    B::execute(connection, sql, values![team, now]).await?;
    let sql = "SELECT COUNT(*) FROM offers WHERE team_id = $1 AND user_id <> $2";
    B::rows(connection, sql, values![team, user]).await?.first().map_or(Ok(0), |row| row.int(0))
}

async fn make_offer<B: Backend>(
    connection: &mut B::Connection,
    team: UserId,
    user: UserId,
    offer: Offer,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO offers (team_id, user_id, role, expires_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (team_id, user_id) DO UPDATE SET role = excluded.role, expires_at = excluded.expires_at";
    B::execute(connection, sql, values![team, user, offer.role.as_str(), offer.expires_at]).await.map(|_| ())
}

async fn set_role<B: Backend>(
    connection: &mut B::Connection,
    team: UserId,
    user: UserId,
    role: Role,
) -> Result<(), StoreError> {
    let sql = "UPDATE members SET role = $3 WHERE team_id = $1 AND user_id = $2";
    B::execute(connection, sql, values![team, user, role.as_str()]).await.map(|_| ())
}

async fn member_in<B: Backend>(
    connection: &mut B::Connection,
    team: UserId,
    user: UserId,
) -> Result<Option<Member>, StoreError> {
    let sql = "SELECT u.name, t.role, t.created_at FROM members t JOIN users u ON u.id = t.user_id
        WHERE t.team_id = $1 AND t.user_id = $2";
    B::rows(connection, sql, values![team, user]).await?.first().map(member).transpose()
}

async fn insert_member<B: Backend>(
    connection: &mut B::Connection,
    team: UserId,
    user: UserId,
    role: Role,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO members (team_id, user_id, role) VALUES ($1, $2, $3)";
    B::execute(connection, sql, values![team, user, role.as_str()]).await.map(|_| ())
}

/// A user's id; teams are no users.
async fn user_id<B: Backend>(
    connection: &mut B::Connection,
    name: &UserName,
) -> Result<Option<UserId>, StoreError> {
    let sql = "SELECT id FROM users WHERE name = $1 AND kind = 'user'";
    let rows = B::rows(connection, sql, values![name.as_str()]).await?;
    rows.first().map(|row| row.uuid(0).map(UserId)).transpose()
}

async fn role_of<B: Backend>(
    connection: &mut B::Connection,
    team: UserId,
    user: UserId,
) -> Result<Option<Role>, StoreError> {
    let sql = "SELECT role FROM members WHERE team_id = $1 AND user_id = $2";
    B::rows(connection, sql, values![team, user]).await?.first().map(|row| role(&row.text(0)?)).transpose()
}

/// A column's text as a role.
fn role(text: &str) -> Result<Role, StoreError> {
    text.parse().map_err(StoreError::Corrupt)
}

fn team_row(row: &impl Columns) -> Result<TeamRow, StoreError> {
    let reason = row.maybe_text(5)?.unwrap_or_default();
    Ok(TeamRow {
        id: UserId(row.uuid(0)?),
        name: parse(&row.text(1)?)?,
        role: role(&row.text(2)?)?,
        members: row.int(3)?.unsigned_abs(),
        suspended: row.maybe_int(4)?.map(|_| reason),
        created_at: Timestamp(row.int(6)?),
    })
}

fn member(row: &impl Columns) -> Result<Member, StoreError> {
    Ok(Member {
        user: parse(&row.text(0)?)?,
        role: Some(role(&row.text(1)?)?),
        offered: None,
        since: Timestamp(row.int(2)?),
    })
}

fn offer_row(row: &impl Columns) -> Result<OfferRow, StoreError> {
    Ok(OfferRow {
        team: UserId(row.uuid(0)?),
        name: parse(&row.text(1)?)?,
        offer: Offer { role: role(&row.text(2)?)?, expires_at: Timestamp(row.int(3)?) },
        created_at: Timestamp(row.int(4)?),
    })
}

/// A row that was written a moment ago, in this transaction, cannot be read.
fn no_team() -> StoreError {
    StoreError::Corrupt("a team without its member".to_owned())
}
