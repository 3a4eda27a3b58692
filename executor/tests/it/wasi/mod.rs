//! The WASI family: commands of WASI 0.1, components that speak CGI, components that speak HTTP.

mod calls;
mod components;
mod http;
mod http_3;
mod http_outgoing;
mod http_streams;
mod isolation;
pub mod languages;
mod preview1;
mod proxy;
