//! Sockets: clients' connections and upstreams', and what must hold at the edge.

pub mod address;
pub mod alarm;
pub mod answer_head;
mod chunked;
pub mod connect;
pub mod connection;
mod date;
pub mod edge;
pub mod exchange;
pub mod headers;
pub mod http1;
pub mod http2;
pub mod identity;
pub mod listener;
pub mod origin;
pub mod pace;
mod per_ip;
pub mod request_head;
mod scratch;
pub mod serving;
pub mod socket;
pub mod stall;
pub mod tls;
pub mod upstream;
mod worker;

#[cfg(test)]
mod edge_tests;
#[cfg(test)]
pub(crate) mod testing;
