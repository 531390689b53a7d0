//! Listening sockets: one per worker on the same address, so that the kernel spreads connections.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted, per worker.
const BACKLOG: i32 = 1024;

/// Bound sockets, not yet accepting.
#[derive(Debug)]
pub struct Listener {
    pub(super) sockets: Vec<TcpListener>,
    address: SocketAddr,
}

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("{address} is in use by another program")]
    InUse { address: SocketAddr },
    #[error("cannot listen on {address}: {cause}")]
    Failed {
        address: SocketAddr,
        cause: io::Error,
    },
}

impl Listener {
    /// Binds `workers` sockets to one address. Port 0 is any that is free.
    ///
    /// Several sockets can share an address only when all say so, and then another process of the same
    /// user could share it too without anyone noticing: so one that does not share is bound first.
    pub fn bind(address: SocketAddr, workers: usize) -> Result<Listener, BindError> {
        let failed = |cause: io::Error| match cause.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse { address },
            _ => BindError::Failed { address, cause },
        };
        let shares = workers > 1;
        if shares && address.port() != 0 {
            drop(bind(address, false).map_err(failed)?);
        }
        let first = listen(address, shares).map_err(failed)?;
        let address = first.local_addr().map_err(failed)?;
        let mut sockets = vec![first];
        for _ in 1..workers {
            sockets.push(listen(address, shares).map_err(failed)?);
        }
        Ok(Listener { sockets, address })
    }

    /// The address, with the port that was found.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn listen(address: SocketAddr, shares: bool) -> io::Result<TcpListener> {
    let socket = bind(address, shares)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind(address: SocketAddr, shares: bool) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?; // a restart does not wait for old connections to be forgotten
    if shares {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shared_by_workers_but_not_with_another_listener() {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let first = Listener::bind(any, 3).unwrap();
        assert_eq!(first.sockets.len(), 3);
        for workers in [1, 3] {
            let second = Listener::bind(first.address(), workers);
            assert!(matches!(second, Err(BindError::InUse { .. })), "{second:?}");
        }
        let address = first.address();
        drop(first);
        Listener::bind(address, 2).unwrap();
    }
}
