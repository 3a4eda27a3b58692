//! What the store is told, and tells, of teams, and of who may do what with a handler.

use async_trait::async_trait;
use wasmcloud_wire::body::{Member, Offer, Role};
use wasmcloud_wire::limits;
use wasmcloud_wire::{HandlerId, HandlerName, InvocationId, Timestamp, UserId, UserName};

use super::{HandlerRow, OverQuota, StoreError};

/// A handler that somebody can see, and by what right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundHandler {
    /// The handler.
    pub id: HandlerId,
    /// The user or the team that has it.
    pub owner: UserId,
    /// What whoever asks is to it: the owner, or what the team says.
    pub role: Role,
}

/// What the control plane remembers of teams.
#[async_trait]
pub trait TeamStore: Send + Sync {
    /// A handler of this user, or of a team that the user belongs to.
    async fn find_handler(
        &self,
        user: UserId,
        name: &HandlerName,
    ) -> Result<Option<FoundHandler>, StoreError>;
    /// Handlers of this user, and of the teams that the user belongs to, by name.
    async fn visible_handlers(&self, user: UserId) -> Result<Vec<HandlerRow>, StoreError>;
    /// The handler that a recorded invocation is of, if it is this user's or of a team that the user belongs to.
    async fn recorded_handler(
        &self,
        user: UserId,
        invocation: InvocationId,
    ) -> Result<Option<HandlerName>, StoreError>;

    /// A user or a team by name.
    async fn account_by_name(&self, name: &UserName) -> Result<Option<AccountRow>, StoreError>;
    /// Adds a team, whose only member, and owner, is its maker.
    async fn create_team(&self, new: &NewTeamRow, most: TeamLimits) -> Result<CreateTeam, StoreError>;
    /// The teams that a user belongs to, by name.
    async fn teams(&self, user: UserId) -> Result<Vec<TeamRow>, StoreError>;
    /// A team that a user belongs to.
    async fn team(&self, user: UserId, name: &UserName) -> Result<Option<TeamRow>, StoreError>;
    /// What teams offer a user who has not answered yet, the newest so many, by name.
    async fn offers(&self, user: UserId, now: Timestamp, limit: u32) -> Result<Vec<OfferRow>, StoreError>;
    /// What a team offers a user.
    async fn offer(
        &self,
        user: UserId,
        name: &UserName,
        now: Timestamp,
    ) -> Result<Option<OfferRow>, StoreError>;
    /// Who belongs to a team, and who is invited, by name.
    async fn members(&self, team: UserId, now: Timestamp) -> Result<Vec<Member>, StoreError>;
    /// Deletes a team without handlers and hosts, for one of its owners. Its name is free from then on; the names of
    /// handlers that it has deleted are held for that owner.
    async fn delete_team(&self, by: UserId, team: UserId) -> Result<DeleteTeam, StoreError>;
    /// Offers somebody a place in a team, or gives a member another role, for one of its owners. To be an owner is
    /// offered to members as well.
    async fn set_member(
        &self,
        by: UserId,
        team: UserId,
        user: &UserName,
        offer: Offer,
        most: TeamLimits,
        now: Timestamp,
    ) -> Result<SetMemberResult, StoreError>;
    /// Gives a user the role that a team offers.
    async fn accept_offer(
        &self,
        user: UserId,
        team: UserId,
        most: TeamLimits,
        now: Timestamp,
    ) -> Result<AcceptOffer, StoreError>;
    /// Drops what a team offers a user, who stays what they are. Whether there was anything.
    async fn decline_offer(&self, user: UserId, team: UserId) -> Result<bool, StoreError>;
    /// Takes somebody out of a team, and an offer back, for one of its owners, or for whoever leaves.
    async fn remove_member(
        &self,
        by: UserId,
        team: UserId,
        user: &UserName,
    ) -> Result<RemoveMember, StoreError>;
    /// Gives a handler without routes to another account.
    async fn transfer_handler(
        &self,
        from: UserId,
        name: &HandlerName,
        to: UserId,
    ) -> Result<TransferHandler, StoreError>;
}

/// A user or a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub name: UserName,
    /// Whether it is a team.
    pub is_team: bool,
}

/// A team to be added.
#[derive(Clone, Debug)]
pub struct NewTeamRow {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub name: UserName,
    /// Who makes it.
    pub maker: UserId,
}

/// A team, as one of its members sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamRow {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub name: UserName,
    /// What the member is in it.
    pub role: Role,
    /// How many belong to it.
    pub members: u64,
    /// Why it is suspended, if so.
    pub suspended: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A role that a team offers somebody, who sees nothing else of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferRow {
    /// The team's id.
    pub team: UserId,
    /// The team's name.
    pub name: UserName,
    /// What is offered.
    pub offer: Offer,
    /// When it was offered first.
    pub created_at: Timestamp,
}

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub struct TeamLimits {
    /// Teams that one user owns.
    pub teams_max: u32,
    /// Teams that one user belongs to.
    pub memberships_max: u32,
    /// Members of one team.
    pub members_max: u32,
    /// Offers of one team that nobody has answered yet.
    pub offers_max: u32,
}

impl TeamLimits {
    /// What every server keeps to.
    pub const USUAL: TeamLimits = TeamLimits {
        teams_max: limits::TEAMS_PER_OWNER_MAX,
        memberships_max: limits::TEAMS_PER_MEMBER_MAX,
        members_max: limits::MEMBERS_PER_TEAM_MAX,
        offers_max: limits::OFFERS_PER_TEAM_MAX,
    };
}

/// What became of a team that was to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateTeam {
    /// It is there.
    Created(TeamRow),
    /// A user or a team has this name.
    NameTaken,
    /// Its maker owns as many teams as one may.
    TooMany,
    /// Its maker belongs to as many teams as one may.
    TooManyMemberships,
}

/// What became of a team that was to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeleteTeam {
    /// It is gone.
    Deleted,
    /// It has so many handlers; nothing changed.
    HasHandlers(u64),
    /// It has so many hosts; nothing changed.
    HasHosts(u64),
    /// Whoever asked is none of its owners any more.
    NotOwner,
}

/// What became of a member that was to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetMemberResult {
    /// It is so, or it is offered.
    Set(Member),
    /// Nobody has this name.
    NoSuchUser,
    /// It is the last owner, who has to stay one.
    LastOwner,
    /// The team has as many members as one may have.
    TooManyMembers,
    /// As many of the team's offers as there may be are not answered yet.
    TooManyOffers,
    /// Whoever asked is none of the team's owners any more.
    NotOwner,
}

/// What became of an offer that was to be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcceptOffer {
    /// The user is that now.
    Accepted(TeamRow),
    /// There is no offer any more.
    NotOffered,
    /// The user owns as many teams as one may.
    TooManyTeams,
    /// The user belongs to as many teams as one may.
    TooManyMemberships,
    /// The team has as many members as one may have.
    TooManyMembers,
}

/// What became of a member that was to be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoveMember {
    /// It is so.
    Removed,
    /// Nobody of this name belongs to the team.
    NotFound,
    /// It is the last owner, who has to stay.
    LastOwner,
    /// Whoever asked is none of the team's owners any more.
    NotOwner,
}

/// What became of a handler that was to be given away.
#[derive(Clone, Debug)]
pub enum TransferHandler {
    /// It is the other's.
    Transferred(Box<HandlerRow>),
    /// So many routes lead to it; nothing changed.
    HasRoutes(u64),
    /// The plan of the account that would get it does not allow it; nothing changed.
    OverQuota(OverQuota),
    /// The account has no such handler.
    NotFound,
}
