//! Sockets: clients' connections and upstreams', and what must hold at the edge.

pub mod address;
pub mod answer_head;
mod chunked;
pub mod client_io;
pub mod connect;
pub mod connection;
pub mod edge;
pub mod exchange;
pub mod headers;
pub mod http2;
pub mod inspect;
pub mod listener;
pub mod origin;
mod pace;
pub mod request_head;
pub mod serving;
pub mod stall;
pub mod tls;
pub mod upstream;
mod worker;

#[cfg(test)]
mod edge_tests;
#[cfg(test)]
pub(crate) mod testing;
