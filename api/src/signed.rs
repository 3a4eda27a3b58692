//! Requests of executors: signed, current, and taken once, whichever API process they come to.

use std::time::Duration;

use http::request::Parts;
use wasmcloud_plane::{API, Signed, Unsigned};
use wasmcloud_wire::Timestamp;

use crate::ApiError;
use crate::app::App;

/// How long the store may take to say whether a nonce was used before.
const NONCE_MAX: Duration = Duration::from_millis(1_500);

/// Verifies the signature of a request to `/internal/v1`, before its body is read; the body has to be checked by
/// what this returns. `None` for requests to elsewhere, and where there is no internal interface: routing says
/// 404 then.
///
/// # Errors
///
/// 401 if the request is not signed, or not now, or not for the first time; 503 if nobody can say.
pub(crate) async fn verify(app: &App, parts: &Parts) -> Result<Option<Signed>, ApiError> {
    let mut segments = parts.uri.path().split('/').filter(|segment| !segment.is_empty());
    let is_internal = segments.next() == Some("internal") && segments.next() == Some("v1");
    let is_internal = is_internal && segments.next().is_some();
    let Some(verifier) = app.verifier.as_ref().filter(|_| is_internal) else { return Ok(None) };
    // Replays to this very process end here; nobody is asked about those, nor about what nobody has signed.
    let known_as = |audience: &str| (audience == API).then_some(i64::MIN);
    let signed = verifier.verify(&parts.method, &parts.uri, &parts.headers, known_as)?;
    let used = app.core.store.use_nonce(&signed.nonce, Timestamp(signed.expires_ms));
    match tokio::time::timeout(NONCE_MAX, used).await {
        Ok(Ok(true)) => Ok(Some(signed)),
        Ok(Ok(false)) => Err(Unsigned::Replayed.into()),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(ApiError::unavailable("the store does not say in time whether a nonce was used")),
    }
}

impl From<Unsigned> for ApiError {
    fn from(refused: Unsigned) -> ApiError {
        let error = ApiError::new(refused.status(), refused.code(), refused.to_string(), refused.hint());
        if refused.status() == 503 { error.retry_after(5) } else { error }
    }
}
