//! What the first page weighs.

use crate::fake::{Browser, Fake};

/// The most that a browser has to get before it shows the first page, uncompressed, in bytes.
const FIRST_PAGE_BYTES_MAX: usize = 50_000;

#[tokio::test]
async fn the_first_page_with_all_that_it_needs_is_under_50_kb() {
    let mut browser = Browser::new(&Fake::new());
    let page = browser.get("/sign-in").await;
    let mut bytes = page.body.len();
    let mut found = 0;
    for link in page.body.split(['"']).filter(|link| link.starts_with("/assets/")) {
        let asset = browser.get(link).await;
        asset.is(200);
        assert_eq!(
            asset.headers.get("cache-control").unwrap(),
            "public, max-age=31536000, immutable",
            "{link}"
        );
        bytes += asset.body.len();
        found += 1;
    }
    assert!(found >= 3, "styles, a script and a picture: {}", page.body);
    assert!(bytes < FIRST_PAGE_BYTES_MAX, "{bytes} bytes");
}

#[tokio::test]
async fn an_asset_of_another_version_is_what_is_there_now_and_is_not_kept() {
    let asset = Browser::new(&Fake::new()).get("/assets/0123456789abcdef/panel.css").await;
    asset.is(200).says(":focus-visible");
    assert_eq!(asset.headers.get("cache-control"), None);
}
