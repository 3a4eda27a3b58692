use super::browser_stories;

browser_stories!["walk.mjs":
    the_pages_of_handlers_are_for_everybody,
    the_pages_of_accounts_and_teams_are_for_everybody,
    the_operators_pages_are_for_everybody,
    the_pages_before_the_sign_in_are_for_everybody,
];
