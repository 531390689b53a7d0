//! How many connections each client address has, where that is limited.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An IPv6 client has a network of this many bits to itself, so that counts as one address.
const IPV6_NETWORK_BITS: u32 = 64;

/// Counts connections by client address. It is locked when a connection opens and ends, and holds only addresses that
/// have one.
#[derive(Debug, Default)]
pub struct PerIp {
    /// 0 counts nothing and refuses nobody.
    most: usize,
    counts: Mutex<HashMap<IpAddr, usize>>,
}

impl PerIp {
    pub fn new(most: usize) -> PerIp {
        PerIp {
            most,
            counts: Mutex::default(),
        }
    }

    /// Takes a place for a connection of this client, if it has one left. What is returned goes to `leave` at the end.
    pub fn enter(&self, client: IpAddr) -> Result<Option<IpAddr>, Full> {
        if self.most == 0 {
            return Ok(None);
        }
        let network = network(client);
        let mut counts = self.counts();
        let count = counts.entry(network).or_default();
        if *count >= self.most {
            return Err(Full);
        }
        *count += 1;
        Ok(Some(network))
    }

    pub fn leave(&self, network: IpAddr) {
        let mut counts = self.counts();
        if let Some(count) = counts.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&network);
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client has as many connections as it may.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let kept = u128::MAX << (Ipv6Addr::BITS - IPV6_NETWORK_BITS);
            Ipv6Addr::from_bits(address.to_bits() & kept).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_address_has_its_places_and_leaves_nothing_behind() {
        let per_ip = PerIp::new(2);
        let first = per_ip.enter(ip("192.0.2.1")).unwrap().unwrap();
        let mapped = per_ip.enter(ip("::ffff:192.0.2.1")).unwrap().unwrap();
        assert_eq!(per_ip.enter(ip("192.0.2.1")), Err(Full));
        assert!(per_ip.enter(ip("192.0.2.2")).is_ok());
        per_ip.leave(first);
        assert!(per_ip.enter(ip("192.0.2.1")).is_ok());
        for left in [mapped, first, ip("192.0.2.2")] {
            per_ip.leave(left);
        }
        assert!(per_ip.counts().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_no_limit_counts_nothing() {
        let per_ip = PerIp::new(1);
        assert!(per_ip.enter(ip("2001:db8::1")).is_ok());
        assert_eq!(per_ip.enter(ip("2001:db8::ffff:2")), Err(Full));
        assert!(per_ip.enter(ip("2001:db8:0:1::1")).is_ok());
        let off = PerIp::new(0);
        assert_eq!(off.enter(ip("192.0.2.1")), Ok(None));
        assert!(off.counts().is_empty());
    }
}
