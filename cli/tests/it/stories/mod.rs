//! The platform as its users and its operator meet it: the real binary, from the first start on.

mod accounts;
mod compile;
mod crash;
mod deploy;
mod env;
mod examples;
mod first_start;
mod invoke;
mod languages;
mod logs;
mod policies;
mod replay;
mod run;
mod settings;
mod shutdown;
mod split;
mod startup;
mod tenancy;
mod update;
