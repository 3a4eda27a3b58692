//! The WASI family: commands of WASI 0.1, components that speak CGI, components that speak HTTP.

mod languages;
