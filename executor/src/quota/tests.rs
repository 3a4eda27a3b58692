//! Counting, by clocks that are given.
