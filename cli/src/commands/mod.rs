//! The commands, one a file.

pub mod command_list;
pub mod completions;
pub mod create;
pub mod delete;
pub mod flags;
pub mod inspect;
pub mod invite;
pub mod invocations;
pub mod invoke;
pub mod list;
pub mod login;
pub mod logout;
pub mod logs;
pub mod namegen;
pub mod promote;
pub mod receipt;
pub mod register;
mod request;
pub mod run;
pub mod set;
pub mod show;
pub mod tokens;
pub mod update;
pub mod upload;
pub mod version;
pub mod versions;
pub mod whoami;
