//! The WASI family: commands of WASI 0.1, components that speak CGI, components that speak HTTP.

mod http;
mod http_3;
mod http_outgoing;
mod http_streams;
mod languages;
mod proxy;
