//! What a client says that it is.

use rocket::request::{FromRequest, Outcome, Request};

/// The field `User-Agent`; nothing if it is not there.
pub(crate) struct UserAgent(pub String);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for UserAgent {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<UserAgent, ()> {
        Outcome::Success(UserAgent(request.headers().get_one("user-agent").unwrap_or_default().to_owned()))
    }
}
