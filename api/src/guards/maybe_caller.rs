//! Whoever calls, where nobody has to be known.

use rocket::request::{FromRequest, Outcome, Request};

use crate::auth::Caller;

/// The caller, if the request says who that is. One that says so wrongly is refused.
pub(crate) struct MaybeCaller(pub Option<Caller>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for MaybeCaller {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<MaybeCaller, ()> {
        if !request.headers().contains("authorization") {
            return Outcome::Success(MaybeCaller(None));
        }
        request.guard::<Caller>().await.map(|caller| MaybeCaller(Some(caller)))
    }
}
