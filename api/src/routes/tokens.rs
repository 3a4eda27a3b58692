//! `/api/v1/tokens`: a user's own tokens.

use std::sync::Arc;

use rocket::{State, delete, get, post};
use serde_json::json;
use uuid::Uuid;
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::{NewToken, Scope, Token, TokenGrant};

use crate::ApiError;
use crate::app::App;
use crate::auth::Via;
use crate::core::{TOKENS_MAX, TokenLimits, has_scope, too_many_tokens};
use crate::guards::{Changing, Json, Whole};
use crate::reply::{Done, Reply, Result};

const DAYS: u32 = 90;
const DAYS_MAX: u32 = 365;
const LABEL_CHARS_MAX: usize = 100;

/// The user's live tokens.
#[get("/tokens")]
pub(crate) async fn list(app: &State<Arc<App>>, whole: Whole) -> Result<Reply<Vec<Token>>> {
    let caller = whole.0;
    let mut tokens = app.core.store.tokens(caller.user.id, Timestamp::now()).await?;
    for token in &mut tokens {
        token.current = caller.via == Via::Token(token.id);
    }
    Reply::ok(tokens)
}

/// Makes a token, which is shown this once.
#[post("/tokens")]
pub(crate) async fn create(
    app: &State<Arc<App>>,
    changing: Changing,
    body: Json<NewToken>,
) -> Result<Reply<TokenGrant>> {
    let Json(NewToken { label, days, scopes, handlers }) = body;
    let detail = json!({ "scopes": scopes, "handlers": handlers });
    // Only a request that may do everything gets this far: no token gives more than its maker has. What is too long is
    // refused before it is noted.
    has_scope(&changing.caller, Scope::Admin)?;
    let limits = TokenLimits::new(scopes, handlers)?;
    let label = label.trim();
    if !(1..=LABEL_CHARS_MAX).contains(&label.chars().count()) || label.chars().any(char::is_control) {
        return Err(ApiError::invalid(
            format!("a token's label has 1 to {LABEL_CHARS_MAX} printable characters"),
            "say in a few words what the token is for",
        ));
    }
    let days = days.unwrap_or(DAYS);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(ApiError::invalid(
            format!("a token lasts 1 to {DAYS_MAX} days, not {days}"),
            "choose another number of days",
        ));
    }
    changing.other(Scope::Admin, changing.caller.user.id, "token.create", label, detail).await?;
    let caller = &changing.caller;
    if app.core.store.tokens(caller.user.id, Timestamp::now()).await?.len() >= TOKENS_MAX as usize {
        return Err(too_many_tokens());
    }
    let grounds = caller.via.grounds();
    let grant = app.core.grant_limited_token(&caller.user, label, days, limits, None, &grounds).await?;
    Reply::created(grant, None)
}

/// Revokes a token.
#[delete("/tokens/<id>")]
pub(crate) async fn revoke(app: &State<Arc<App>>, changing: Changing, id: &str) -> Result<Done> {
    changing.own("token.revoke", id).await?;
    let caller = &changing.caller;
    let revoked = match Uuid::parse_str(id) {
        Ok(id) => app.core.store.revoke_token(caller.user.id, id, Timestamp::now()).await?,
        Err(_) => false,
    };
    if revoked {
        return Ok(Done);
    }
    Err(ApiError::new(
        404,
        "token_not_found",
        "you have no such token",
        "GET /api/v1/tokens lists those that you have",
    ))
}
