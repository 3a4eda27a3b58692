use super::browser_stories;

browser_stories!["operator.mjs":
    an_account_is_suspended_and_resumed,
    a_reset_link_sets_a_new_password,
    somebody_becomes_an_operator_and_is_none_any_more,
    an_invitation_is_shown_once_and_taken_back,
    plans_are_made_changed_and_deleted,
    a_request_for_a_plan_is_approved,
    the_audit_log_is_filtered_and_exported,
];
