//! Whole answers over HTTP: servers in processes of their own, asked in turns by one client.

pub mod hyper_server;
pub mod load;
pub mod platform;
pub mod servers;
