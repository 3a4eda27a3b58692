//! Hosts, and the paths below them that lead to handlers.

use async_trait::async_trait;
use wasmcloud_wire::{HandlerName, HostName, HostRoute, Timestamp, UserId, UserName};

use super::SqlStore;
use super::backend::{Backend, Columns, begin, read, write};
use super::value::{parse, values};
use crate::store::{
    AddHost, AddRoute, HostRow, NewHostRow, NewRouteRow, ProveHost, RemoveHost, RouteLimits, RouteRow,
    RouteStore, StoreError,
};

/// Hosts; the columns in the order of [`host_row`].
macro_rules! select_hosts {
    ($which:literal) => {
        concat!(
            "SELECT o.name, o.owner_id, o.challenge, o.proven_at, o.granted_by IS NOT NULL, o.checked_at, o.problem,
                (SELECT COUNT(*) FROM routes r WHERE r.host = o.name AND r.owner_id = o.owner_id), o.created_at
            FROM hosts o WHERE ",
            $which
        )
    };
}

/// Routes; the columns in the order of [`route_row`].
macro_rules! select_routes {
    ($which:literal) => {
        concat!(
            "SELECT r.host, r.path, h.name, r.strip_prefix, o.proven_at, r.created_at
            FROM routes r
            JOIN hosts o ON o.name = r.host AND o.owner_id = r.owner_id
            JOIN handlers h ON h.id = r.handler_id
            WHERE ",
            $which
        )
    };
}

const FIND_HOST: &str = select_hosts!("o.owner_id = $1 AND o.name = $2");
const FIND_ROUTE: &str = select_routes!("r.owner_id = $1 AND r.host = $2 AND r.path = $3");
/// Who can route a host now, and whether by a grant.
const HOLDER: &str = "SELECT o.owner_id, o.granted_by IS NOT NULL, u.name FROM hosts o
    JOIN users u ON u.id = o.owner_id WHERE o.name = $1 AND o.proven_at IS NOT NULL";
/// Takes a host from everybody but one user. A record that is left from before proves nothing any more.
const TAKE_FROM_OTHERS: &str = "UPDATE hosts SET proven_at = NULL, granted_by = NULL, checked_at = NULL,
        problem = NULL, challenge = $3
    WHERE name = $1 AND owner_id <> $2 AND proven_at IS NOT NULL";
/// The same where they have no grant: a grant that comes at the same moment is in the way of the proof.
const TAKE_UNGRANTED_FROM_OTHERS: &str =
    "UPDATE hosts SET proven_at = NULL, checked_at = NULL, problem = NULL,
        challenge = $3
    WHERE name = $1 AND owner_id <> $2 AND proven_at IS NOT NULL AND granted_by IS NULL";

#[async_trait]
impl<B: Backend> RouteStore for SqlStore<B> {
    async fn host_routes(&self, host: &HostName) -> Result<Vec<HostRoute>, StoreError> {
        let sql = "SELECT r.path, h.name, r.strip_prefix FROM routes r
            JOIN hosts o ON o.name = r.host AND o.owner_id = r.owner_id AND o.proven_at IS NOT NULL
            JOIN handlers h ON h.id = r.handler_id AND h.deleted_at IS NULL
            WHERE r.host = $1 ORDER BY length(r.path) DESC, r.path";
        let rows = read(&self.read, sql, values![host.as_str()]).await?;
        let route = |row: &B::Row| {
            Ok(HostRoute { path: row.text(0)?, handler: parse(&row.text(1)?)?, strip_prefix: row.flag(2)? })
        };
        rows.iter().map(route).collect()
    }

    async fn add_host(&self, new: &NewHostRow, hosts_max: u32) -> Result<AddHost, StoreError> {
        let mut transaction = begin(&self.write).await?;
        lock_user::<B>(&mut transaction, new.owner).await?;
        let added = add_host::<B>(&mut transaction, new, hosts_max).await?;
        transaction.commit().await?;
        Ok(added)
    }

    async fn host(&self, owner: UserId, host: &HostName) -> Result<Option<HostRow>, StoreError> {
        read(&self.read, FIND_HOST, values![owner, host.as_str()]).await?.first().map(host_row).transpose()
    }

    async fn hosts(&self, owner: UserId) -> Result<Vec<HostRow>, StoreError> {
        let rows = read(&self.read, select_hosts!("o.owner_id = $1"), values![owner]).await?;
        let mut hosts = rows.iter().map(host_row).collect::<Result<Vec<_>, _>>()?;
        // Here and not in SQL: PostgreSQL sorts by the database's locale, which may pass over dots.
        hosts.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(hosts)
    }

    async fn remove_host(&self, owner: UserId, host: &HostName) -> Result<RemoveHost, StoreError> {
        let mut transaction = begin(&self.write).await?;
        lock_user::<B>(&mut transaction, owner).await?;
        let removed = match find_host::<B>(&mut transaction, owner, host).await? {
            None => RemoveHost::NotFound,
            Some(row) if row.routes > 0 => RemoveHost::HasRoutes(row.routes),
            Some(_) => {
                let sql = "DELETE FROM hosts WHERE owner_id = $1 AND name = $2";
                B::execute(&mut transaction, sql, values![owner, host.as_str()]).await?;
                RemoveHost::Removed
            }
        };
        transaction.commit().await?;
        Ok(removed)
    }

    async fn prove_host(
        &self,
        owner: UserId,
        host: &HostName,
        challenge: &str,
        next_challenge: &str,
        now: Timestamp,
    ) -> Result<ProveHost, StoreError> {
        let mut transaction = begin(&self.write).await?;
        let Some(row) = find_host::<B>(&mut transaction, owner, host).await? else {
            return Ok(ProveHost::NotFound);
        };
        if row.granted {
            return Ok(ProveHost::Proven(Box::new(row)));
        }
        if granted_to_another::<B>(&mut transaction, owner, host).await? == Some(true) {
            return Ok(ProveHost::GrantedToAnother);
        }
        let values = values![host.as_str(), owner, next_challenge];
        B::execute(&mut transaction, TAKE_UNGRANTED_FROM_OTHERS, values).await?;
        let sql = "UPDATE hosts SET proven_at = COALESCE(proven_at, $3), checked_at = $3, problem = NULL
            WHERE owner_id = $1 AND name = $2 AND challenge = $4";
        if B::execute(&mut transaction, sql, values![owner, host.as_str(), now, challenge]).await? == 0 {
            // Dropping the transaction rolls it back.
            return Ok(ProveHost::NotFound);
        }
        let row = find_host::<B>(&mut transaction, owner, host).await?;
        transaction.commit().await?;
        Ok(row.map_or(ProveHost::NotFound, |row| ProveHost::Proven(Box::new(row))))
    }

    async fn grant_host(
        &self,
        new: &NewHostRow,
        by: UserId,
        now: Timestamp,
    ) -> Result<Option<UserName>, StoreError> {
        let (host, owner) = (new.name.as_str(), new.owner);
        let mut transaction = begin(&self.write).await?;
        let holder = holder::<B>(&mut transaction, &new.name).await?;
        B::execute(&mut transaction, TAKE_FROM_OTHERS, values![host, owner, new.challenge.as_str()]).await?;
        let sql = "INSERT INTO hosts (name, owner_id, challenge, proven_at, granted_by)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (name, owner_id) DO UPDATE SET proven_at = COALESCE(hosts.proven_at, excluded.proven_at),
                granted_by = excluded.granted_by, checked_at = NULL, problem = NULL";
        B::execute(&mut transaction, sql, values![host, owner, new.challenge.as_str(), now, by]).await?;
        transaction.commit().await?;
        Ok(holder.filter(|holder| holder.owner != owner).map(|holder| holder.name))
    }

    async fn revoke_host(
        &self,
        host: &HostName,
        next_challenge: &str,
    ) -> Result<Option<UserName>, StoreError> {
        let mut transaction = begin(&self.write).await?;
        let Some(holder) = holder::<B>(&mut transaction, host).await? else { return Ok(None) };
        let sql = "UPDATE hosts SET proven_at = NULL, granted_by = NULL, checked_at = NULL, problem = NULL,
                challenge = $2
            WHERE name = $1 AND proven_at IS NOT NULL";
        B::execute(&mut transaction, sql, values![host.as_str(), next_challenge]).await?;
        transaction.commit().await?;
        Ok(Some(holder.name))
    }

    async fn take_hosts_to_check(
        &self,
        before: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<HostRow>, StoreError> {
        let sql = concat!(
            select_hosts!("o.proven_at IS NOT NULL AND o.granted_by IS NULL"),
            " AND COALESCE(o.checked_at, o.proven_at) < $1 ORDER BY COALESCE(o.checked_at, o.proven_at) LIMIT $2"
        );
        let rows = read(&self.read, sql, values![before, i64::from(limit)]).await?;
        let mut taken = Vec::with_capacity(rows.len());
        for row in rows.iter().map(host_row) {
            let row = row?;
            let sql = "UPDATE hosts SET checked_at = $3
                WHERE owner_id = $1 AND name = $2 AND COALESCE(checked_at, proven_at) < $4";
            if write(&self.write, sql, values![row.owner, row.name.as_str(), now, before]).await? == 1 {
                taken.push(row);
            }
        }
        Ok(taken)
    }

    async fn keep_host_problem(
        &self,
        owner: UserId,
        host: &HostName,
        problem: Option<&str>,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE hosts SET problem = $3
            WHERE owner_id = $1 AND name = $2 AND proven_at IS NOT NULL AND granted_by IS NULL";
        write(&self.write, sql, values![owner, host.as_str(), problem]).await.map(|_| ())
    }

    async fn add_route(&self, new: &NewRouteRow, most: RouteLimits) -> Result<AddRoute, StoreError> {
        let (host, owner) = (&new.host.name, new.host.owner);
        let mut transaction = begin(&self.write).await?;
        lock_user::<B>(&mut transaction, owner).await?;
        // Nothing changes, but the handler cannot be deleted before this is committed.
        let sql = "UPDATE handlers SET last_version = last_version
            WHERE owner_id = $1 AND name = $2 AND deleted_at IS NULL RETURNING id";
        let handlers = B::rows(&mut transaction, sql, values![owner, new.handler.as_str()]).await?;
        let Some(handler) = handlers.first() else { return Ok(AddRoute::HandlerNotFound) };
        if let Some(granted) = granted_to_another::<B>(&mut transaction, owner, host).await? {
            return Ok(AddRoute::HostTaken { granted });
        }
        let known = match add_host::<B>(&mut transaction, &new.host, most.hosts_max).await? {
            AddHost::Added(row) | AddHost::Known(row) => row,
            AddHost::GrantedToAnother => return Ok(AddRoute::HostTaken { granted: true }),
            AddHost::TooMany => return Ok(AddRoute::TooManyHosts),
        };
        if let Some(there) = find_route::<B>(&mut transaction, new).await? {
            return Ok(AddRoute::Taken(Box::new(there)));
        }
        if known.routes >= u64::from(most.routes_max) {
            return Ok(AddRoute::TooManyRoutes);
        }
        let sql =
            "INSERT INTO routes (host, path, owner_id, handler_id, strip_prefix) VALUES ($1, $2, $3, $4, $5)";
        let values = values![host.as_str(), new.path.as_str(), owner, handler.uuid(0)?, new.strip_prefix];
        B::execute(&mut transaction, sql, values).await?;
        let route = find_route::<B>(&mut transaction, new).await?.ok_or_else(vanished)?;
        let host = find_host::<B>(&mut transaction, owner, host).await?.ok_or_else(vanished)?;
        transaction.commit().await?;
        Ok(AddRoute::Added(Box::new(route), Box::new(host)))
    }

    async fn routes(&self, owner: UserId, host: Option<&HostName>) -> Result<Vec<RouteRow>, StoreError> {
        let host = host.map(HostName::as_str);
        let sql = select_routes!("r.owner_id = $1 AND r.host = COALESCE($2, r.host)");
        let rows = read(&self.read, sql, values![owner, host]).await?;
        let mut routes = rows.iter().map(route_row).collect::<Result<Vec<_>, _>>()?;
        routes.sort_by(|one, other| (&one.host, &one.path).cmp(&(&other.host, &other.path)));
        Ok(routes)
    }

    async fn hosts_of_handler(
        &self,
        owner: UserId,
        handler: &HandlerName,
    ) -> Result<Vec<HostName>, StoreError> {
        let sql = "SELECT DISTINCT r.host FROM routes r JOIN handlers h ON h.id = r.handler_id
            WHERE h.owner_id = $1 AND h.name = $2 AND h.deleted_at IS NULL";
        let rows = read(&self.read, sql, values![owner, handler.as_str()]).await?;
        rows.iter().map(|row| parse(&row.text(0)?)).collect()
    }

    async fn remove_route(&self, owner: UserId, host: &HostName, path: &str) -> Result<bool, StoreError> {
        let sql = "DELETE FROM routes WHERE owner_id = $1 AND host = $2 AND path = $3";
        Ok(write(&self.write, sql, values![owner, host.as_str(), path]).await? == 1)
    }
}

/// Nothing changes, but whoever else counts or adds what this account has waits for the commit. A team may be gone by then.
async fn lock_user<B: Backend>(connection: &mut B::Connection, user: UserId) -> Result<(), StoreError> {
    let sql = "UPDATE users SET is_admin = is_admin WHERE id = $1";
    match B::execute(connection, sql, values![user]).await? {
        0 => Err(StoreError::AccountGone),
        _ => Ok(()),
    }
}

/// Adds a host within a transaction that holds its owner's row.
async fn add_host<B: Backend>(
    connection: &mut B::Connection,
    new: &NewHostRow,
    hosts_max: u32,
) -> Result<AddHost, StoreError> {
    if let Some(row) = find_host::<B>(connection, new.owner, &new.name).await? {
        return Ok(AddHost::Known(Box::new(row)));
    }
    if granted_to_another::<B>(connection, new.owner, &new.name).await? == Some(true) {
        return Ok(AddHost::GrantedToAnother);
    }
    let sql = "SELECT COUNT(*) FROM hosts WHERE owner_id = $1";
    let rows = B::rows(connection, sql, values![new.owner]).await?;
    if rows.first().map_or(Ok(0), |row| row.int(0))? >= i64::from(hosts_max) {
        return Ok(AddHost::TooMany);
    }
    let sql = "INSERT INTO hosts (name, owner_id, challenge) VALUES ($1, $2, $3)";
    B::execute(connection, sql, values![new.name.as_str(), new.owner, new.challenge.as_str()]).await?;
    let row = find_host::<B>(connection, new.owner, &new.name).await?.ok_or_else(vanished)?;
    Ok(AddHost::Added(Box::new(row)))
}

/// Who can route a host.
struct Holder {
    owner: UserId,
    granted: bool,
    name: UserName,
}

async fn holder<B: Backend>(
    connection: &mut B::Connection,
    host: &HostName,
) -> Result<Option<Holder>, StoreError> {
    let rows = B::rows(connection, HOLDER, values![host.as_str()]).await?;
    let holder = |row: &B::Row| {
        Ok(Holder { owner: UserId(row.uuid(0)?), granted: row.flag(1)?, name: parse(&row.text(2)?)? })
    };
    rows.first().map(holder).transpose()
}

/// Whether somebody else can route a host, and if so whether by a grant.
async fn granted_to_another<B: Backend>(
    connection: &mut B::Connection,
    owner: UserId,
    host: &HostName,
) -> Result<Option<bool>, StoreError> {
    let holder = holder::<B>(connection, host).await?;
    Ok(holder.filter(|holder| holder.owner != owner).map(|holder| holder.granted))
}

async fn find_host<B: Backend>(
    connection: &mut B::Connection,
    owner: UserId,
    host: &HostName,
) -> Result<Option<HostRow>, StoreError> {
    B::rows(connection, FIND_HOST, values![owner, host.as_str()]).await?.first().map(host_row).transpose()
}

async fn find_route<B: Backend>(
    connection: &mut B::Connection,
    new: &NewRouteRow,
) -> Result<Option<RouteRow>, StoreError> {
    let values = values![new.host.owner, new.host.name.as_str(), new.path.as_str()];
    B::rows(connection, FIND_ROUTE, values).await?.first().map(route_row).transpose()
}

fn host_row(row: &impl Columns) -> Result<HostRow, StoreError> {
    Ok(HostRow {
        name: parse(&row.text(0)?)?,
        owner: UserId(row.uuid(1)?),
        challenge: row.text(2)?,
        proven_at: row.maybe_int(3)?.map(Timestamp),
        granted: row.flag(4)?,
        checked_at: row.maybe_int(5)?.map(Timestamp),
        problem: row.maybe_text(6)?,
        routes: u64::try_from(row.int(7)?).unwrap_or_default(),
        created_at: Timestamp(row.int(8)?),
    })
}

fn route_row(row: &impl Columns) -> Result<RouteRow, StoreError> {
    Ok(RouteRow {
        host: parse(&row.text(0)?)?,
        path: row.text(1)?,
        handler: parse(&row.text(2)?)?,
        strip_prefix: row.flag(3)?,
        served: row.maybe_int(4)?.is_some(),
        created_at: Timestamp(row.int(5)?),
    })
}

/// A row that was written a moment ago, in this transaction, cannot be read.
fn vanished() -> StoreError {
    StoreError::Corrupt("a route without its host".to_owned())
}
