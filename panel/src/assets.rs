//! Styles and scripts, compiled in. Their addresses carry a hash of what they hold, so browsers keep them for good.

use std::sync::LazyLock;

use http::{HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};

use crate::response::{Response, text};

/// How long browsers keep what never changes, in seconds: a year.
const KEPT: &str = "public, max-age=31536000, immutable";

/// A file of the panel.
struct Asset {
    name: &'static str,
    kind: &'static str,
    body: &'static str,
}

const ASSETS: &[Asset] = &[
    Asset { name: "panel.css", kind: "text/css; charset=utf-8", body: include_str!("../assets/panel.css") },
    Asset {
        name: "copy.js",
        kind: "text/javascript; charset=utf-8",
        body: include_str!("../assets/copy.js"),
    },
    Asset { name: "log.js", kind: "text/javascript; charset=utf-8", body: include_str!("../assets/log.js") },
    Asset {
        name: "upload.js",
        kind: "text/javascript; charset=utf-8",
        body: include_str!("../assets/upload.js"),
    },
    Asset { name: "try.js", kind: "text/javascript; charset=utf-8", body: include_str!("../assets/try.js") },
    Asset { name: "icon.svg", kind: "image/svg+xml", body: include_str!("../assets/icon.svg") },
];

/// A hash of all of them, for their addresses.
pub(crate) static HASH: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for asset in ASSETS {
        hash.update(asset.body);
    }
    hex::encode(hash.finalize()).chars().take(16).collect()
});

/// One of them: `/assets/HASH/NAME`. An older hash gets what is there now, unkept.
pub(crate) fn answer(hash: &str, name: &str) -> Option<Response> {
    let asset = ASSETS.iter().find(|asset| asset.name == name)?;
    let mut response = text(StatusCode::OK, asset.kind, asset.body.to_owned());
    if hash == HASH.as_str() {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(KEPT));
    }
    Some(response)
}
