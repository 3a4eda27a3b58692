//! Whatever no route answered, in the one error shape.

use rocket::http::{Method, Status};
use rocket::{Request, Route, catch};

use crate::ApiError;
use crate::guards::Rejection;

/// Answers for every status that Rocket or a guard came to.
#[catch(default)]
pub(crate) fn any(status: Status, request: &Request<'_>) -> ApiError {
    if let Some(error) = &request.local_cache(|| Rejection(None)).0 {
        return error.clone();
    }
    match status.code {
        404 => not_found(request),
        400 => ApiError::new(
            400,
            "bad_request",
            "the request cannot be understood",
            "check the address: what is no letter, digit or one of -._~ has to be percent-encoded",
        ),
        401 => ApiError::unauthorized(),
        422 => ApiError::invalid("a part of the address cannot be used", "check the address"),
        500 => ApiError::internal("a route failed or panicked"),
        code => ApiError::new(
            code,
            "failed",
            status.reason().unwrap_or("the request failed"),
            "check the request",
        ),
    }
}

/// 405 where the path exists and the method does not, 404 elsewhere.
fn not_found(request: &Request<'_>) -> ApiError {
    let mut allowed: Vec<&str> = request
        .rocket()
        .routes()
        .filter(|route| same_path(route, request))
        .map(|route| route.method.as_str())
        .collect();
    if allowed.contains(&Method::Get.as_str()) {
        allowed.push(Method::Head.as_str());
    }
    allowed.sort_unstable();
    allowed.dedup();
    if allowed.is_empty() {
        return ApiError::new(404, "not_found", "there is nothing at this address", "check the address");
    }
    let allow = allowed.join(", ");
    let mut error = ApiError::new(
        405,
        "method_not_allowed",
        format!("this address does not take {}", request.method()),
        format!("it takes {allow}"),
    );
    error.allow = Some(allow);
    error
}

fn same_path(route: &Route, request: &Request<'_>) -> bool {
    let mut pattern = route.uri.path().split('/').filter(|segment| !segment.is_empty());
    let mut path = request.uri().path().as_str().split('/').filter(|segment| !segment.is_empty());
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted.starts_with('<') || wanted == found => {}
            _ => return false,
        }
    }
}
