//! The panel: pages for people, made of what the public API answers.
