use super::browser_stories;

browser_stories!["account.mjs":
    a_token_is_made_copied_once_and_revoked,
    a_password_is_changed_and_other_browsers_are_signed_out,
    sessions_are_listed_and_ended,
    a_form_that_is_sent_after_the_session_ended_leads_back,
    a_larger_plan_is_applied_for,
    a_team_is_made_joined_left_and_deleted,
    the_pages_of_an_account_fit_a_phone,
];
