//! Bodies about teams and about what tokens may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Timestamp, UserName};

/// What a token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All that its user may do, with the account as well.
    Admin,
    /// To create, change and delete handlers, their versions, settings, policies and routes; and to read.
    Deploy,
    /// To run handlers through the API, and to replay.
    Invoke,
    /// To see handlers and their versions, logs, invocations, policies and settings that are not secret.
    Read,
}

impl Scope {
    /// All of them, by name.
    pub const ALL: [Scope; 4] = [Scope::Admin, Scope::Deploy, Scope::Invoke, Scope::Read];

    /// Its name in JSON, commands and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Admin => "admin",
            Scope::Deploy => "deploy",
            Scope::Invoke => "invoke",
            Scope::Read => "read",
        }
    }

    /// Whether having this one is having `other`: `admin` is all of them, and whoever deploys may read.
    pub fn covers(self, other: Scope) -> bool {
        self == other || self == Scope::Admin || (self == Scope::Deploy && other == Scope::Read)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Scope, String> {
        let known = Scope::ALL.into_iter().find(|scope| scope.as_str() == text);
        known.ok_or_else(|| format!("`{text}` is no scope: use admin, deploy, invoke or read"))
    }
}

/// What somebody is in a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees the team's handlers.
    Viewer,
    /// Changes and runs them as well.
    Deployer,
    /// Decides as well who belongs to the team, and may delete or give away handlers and the team.
    Owner,
}

impl Role {
    /// Its name in JSON, commands and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Deployer => "deployer",
            Role::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Role, String> {
        let known =
            [Role::Viewer, Role::Deployer, Role::Owner].into_iter().find(|role| role.as_str() == text);
        known.ok_or_else(|| format!("`{text}` is no role: use owner, deployer or viewer"))
    }
}

/// `POST /api/v1/teams`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTeam {
    /// Its name, by the rules for users' names, among which it is one.
    pub name: String,
}

/// A role that a team's owner offers. Whoever it is offered to has it once it is accepted:
/// `POST /api/v1/teams/NAME/accept`, or `…/decline`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// As what.
    pub role: Role,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
}

/// One of `GET /api/v1/teams`: a team that the user belongs to, or is invited to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Its name.
    pub name: UserName,
    /// What the user is in it; nothing for who is invited alone.
    pub role: Option<Role>,
    /// What the user may become by accepting it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<Offer>,
    /// How many belong to it; 0 for who is invited, and sees nothing of it yet.
    pub members: u64,
    /// When it was made; for who is invited, when that was.
    pub created_at: Timestamp,
}

/// `GET /api/v1/teams/NAME`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TeamWithMembers {
    /// The team.
    #[serde(flatten)]
    pub team: Team,
    /// Who belongs to it, and who is invited, by name.
    pub people: Vec<Member>,
}

/// Somebody in a team, or invited to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    pub user: UserName,
    /// As what; nothing for who is invited alone.
    pub role: Option<Role>,
    /// What is offered, and not accepted yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<Offer>,
    /// Since when.
    pub since: Timestamp,
}

/// `PUT /api/v1/teams/NAME/members/USER`, for its owners: invites somebody, or gives a member another role. Nobody becomes a
/// member, or an owner, without accepting it. `DELETE` takes somebody out, or an offer back, and whoever likes may leave.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetMember {
    /// As what.
    pub role: Role,
}

/// `POST /api/v1/handlers/NAME/transfer`: gives a handler to a team, or back to its member.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The name of the user or the team that has it from then on.
    pub to: String,
}
