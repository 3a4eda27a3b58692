//! The platform as its users and its operator meet it: the real binary, from the first start on.

mod accounts;
mod certificates;
mod compile;
mod crash;
mod deploy;
mod env;
mod examples;
mod export;
mod faults;
mod first_start;
mod fleet;
mod invoke;
mod languages;
mod logs;
mod panel;
mod policies;
mod replay;
mod routes;
mod run;
mod settings;
mod shutdown;
mod split;
mod startup;
mod tenancy;
mod update;
mod versions;
