//! Binds an address, or says why not and what to do.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use crate::cli::failed::Failed;

/// A listener of the control plane that does not block.
pub fn bind(address: SocketAddr) -> Result<TcpListener, Failed> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|error| refused("control plane", "--control-plane", address, &error))
}

/// Why a plane cannot listen, and what to do.
pub fn refused(plane: &str, flag: &str, address: SocketAddr, error: &io::Error) -> Failed {
    let hint = match error.kind() {
        ErrorKind::AddrInUse => {
            format!(
                "another program listens there, perhaps another tollgate; stop it, or give {flag} another address"
            )
        }
        ErrorKind::AddrNotAvailable => {
            format!("this machine has no such address; give {flag} one that it has")
        }
        ErrorKind::PermissionDenied => {
            format!(
                "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE); give {flag} a higher port"
            )
        }
        _ => format!("give {flag} another address"),
    };
    Failed::Failed(format!(
        "the {plane} cannot listen on {address}: {error}; {hint}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_named_with_what_to_do() {
        let taken = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = taken.local_addr().unwrap();
        let text = bind(address).unwrap_err().to_string();
        assert!(
            text.starts_with(&format!("the control plane cannot listen on {address}: ")),
            "{text}"
        );
        assert!(
            text.contains("another program listens there") && text.contains("--control-plane"),
            "{text}"
        );
    }
}
