//! The gateway as its users meet it: the real binary, real sockets, an upstream that keeps count.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on must fail

mod abuse;
mod api;
mod backup;
mod bound;
mod concurrency;
mod control;
mod control_errors;
mod crash;
mod data_plane;
mod disk_full;
mod disk_slow;
mod edge;
mod exactness;
mod frames;
mod harness;
mod http;
mod http2;
mod http2_abuse;
mod http2_client;
mod import;
mod lifecycle;
mod load;
mod native;
mod power_cut;
mod program;
mod rotation;
mod secrets;
mod security;
mod soak;
mod suspended;
mod tls;
mod tls_client;
mod upstream;
mod usage;
