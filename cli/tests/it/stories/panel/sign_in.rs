use crate::platform::{Platform, Shape};
use crate::stories::panel::{browser_stories, plays};

every_shape![somebody_signs_in_and_out];

browser_stories!["sign_in.mjs": a_wrong_password_is_said_at_the_form];

fn somebody_signs_in_and_out(shape: Shape) {
    let platform = Platform::start(shape);
    plays(&platform, "sign_in.mjs", "somebody_signs_in_and_out", serde_json::json!({}));
}
