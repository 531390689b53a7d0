//! Binds an address, or says why not and what to do.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use crate::cli::failed::Failed;
use crate::config::Config;

/// A listener of the control plane that does not block.
pub fn bind(address: SocketAddr) -> Result<TcpListener, Failed> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|error| refused("control plane", "--control-plane", address, &error))
}

/// Whether everything that the configuration wants to listen on is free: what is wrong, if anything.
pub fn troubles(config: &Config) -> Vec<String> {
    let mut wanted = vec![
        ("data plane", "--data-plane", config.data_plane.0),
        ("control plane", "--control-plane", config.control_plane.0),
    ];
    if config.tls_certificate.is_some() {
        wanted.push(("data plane", "--tls-address", config.tls_address.0));
    }
    let trouble = |(plane, flag, address): (&str, &str, SocketAddr)| {
        let error = TcpListener::bind(address).err()?;
        Some(refused(plane, flag, address, &error).to_string())
    };
    wanted.into_iter().filter_map(trouble).collect()
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
