use super::browser_stories;

browser_stories!["handlers.mjs":
    a_program_is_dropped_inspected_and_deployed,
    a_version_is_uploaded_promoted_split_rolled_back_and_deleted,
    the_live_log_shows_lines_as_they_come,
    the_live_log_waits_for_whoever_reads_further_up,
    a_live_log_that_loses_its_connection_says_so_and_goes_on_where_it_was,
    trying_a_handler_shows_its_answer_as_it_comes_and_as_text,
    an_invocation_is_drawn_and_replayed,
    every_form_of_a_handler_says_its_error_and_does_its_work,
    without_javascript_a_handler_is_made_tried_and_changed,
];
