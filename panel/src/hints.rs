//! What to do next, in the panel's words. The API's hints are for whoever sits at a terminal, and name commands; where a
//! page does it, the page says where.

use wasmcloud_wire::ErrorDetail;

/// Where wat is compiled: the API takes binaries alone.
const WAT: &str = "WebAssembly text (.wat) is compiled by the command line: wasmcloud create FILE";

/// Hints by the error's code, in its order.
const HINTS: [(&str, &str); 27] = [
    ("handler_has_routes", "Remove them first, under Routes."),
    ("invitation_required", "Ask whoever operates this server for an invitation's code."),
    ("invitation_not_found", "Load the list of invitations again."),
    ("has_plan", "Choose another plan."),
    ("last_operator", "Make another user an operator first."),
    ("last_owner", "Make another member an owner first, or delete the team."),
    ("member_not_found", "The team's page shows who belongs to it."),
    ("name_taken", "Choose another name; if it is yours, its Versions page takes the next version."),
    ("no_previous_version", "Make one of the list live."),
    ("not_invited", "An owner of the team can invite you again."),
    ("not_recorded", "Turn recording on under Settings."),
    ("nothing_learned", "Set the mode observe below, send it requests, then ask again."),
    ("nothing_recorded", "Turn recording on under Settings, send it requests, then compare again."),
    ("over_quota", "Account, Quotas shows all of them, and asks for a larger plan."),
    (
        "plan_in_use",
        "Give those who have it another plan, on their pages under Users, and decide the requests for it.",
    ),
    ("plan_is_default", "Let newcomers have another plan first."),
    ("plan_not_found", "Load the list of plans again."),
    ("plan_request_decided", "A user's own page changes the plan without a request."),
    ("plan_request_not_found", "Load the list of requests again."),
    ("reset_invalid", "Ask whoever operates this server for another code."),
    ("role_missing", "Ask one of the team's owners; the team's page shows who they are."),
    ("route_not_found", "Load the list of routes again."),
    ("route_taken", "To change it, remove it first."),
    ("same_owner", "Choose another account."),
    ("team_has_handlers", "Delete them, or give them away under their Settings."),
    ("team_not_found", "Teams shows those that you belong to."),
    ("wrong_credentials", "Check both, and try again."),
];

/// An error of the API as pages show it.
pub(crate) fn of_pages(mut error: ErrorDetail) -> ErrorDetail {
    if let Some((_, hint)) = HINTS.iter().find(|(code, _)| *code == error.code) {
        error.hint = (*hint).to_owned();
    } else if error.code == "not_wasm" {
        let text_hint = error.hint.contains("wasmcloud create");
        error.hint = if text_hint { WAT.to_owned() } else { format!("{}. {WAT}", error.hint) };
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(code: &str, hint: &str) -> String {
        let (code, hint) = (code.to_owned(), hint.to_owned());
        of_pages(ErrorDetail { code, message: String::new(), hint, request_id: String::new() }).hint
    }

    #[test]
    fn what_a_page_does_is_no_command() {
        assert_eq!(hint("wrong_credentials", "`wasmcloud login`"), "Check both, and try again.");
        assert_eq!(hint("something_else", "try again"), "try again");
        assert!(HINTS.iter().all(|(_, hint)| !hint.contains("wasmcloud") && hint.ends_with('.')));
    }

    #[test]
    fn whoever_uploads_text_is_told_what_compiles_it() {
        assert_eq!(hint("not_wasm", "turn it into a binary: `wasmcloud create` does so by itself"), WAT);
        assert_eq!(hint("not_wasm", "unpack it first"), format!("unpack it first. {WAT}"));
    }
}
