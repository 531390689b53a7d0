//! Which addresses an integration may point at; asked after the name is resolved, so that no name
//! can lead where it must not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// What operators allow and deny on top of what is never called.
#[derive(Clone, Debug, Default)]
pub struct AddressRules {
    /// When not empty, only what one of these matches is called.
    pub allow: Vec<Pattern>,
    /// What one of these matches is not called.
    pub deny: Vec<Pattern>,
}

/// An address, a network (`10.0.0.0/8`), a name (`api.example.com`), or all names below one (`*.example.com`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    Network {
        address: IpAddr,
        bits: u8,
    },
    Name(Box<str>),
    /// With its leading dot.
    Below(Box<str>),
}

/// What is not a [`Pattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of: an address, a network such as 10.0.0.0/8, a host name, *.domain")]
pub struct BadPattern(String);

impl FromStr for Pattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let bad = || BadPattern(text.to_owned());
        if let Some((address, bits)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| bad())?;
            let bits: u8 = bits.parse().map_err(|_| bad())?;
            return match bits <= width(address) {
                true => Ok(Pattern::Network { address, bits }),
                false => Err(bad()),
            };
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Pattern::Network {
                address,
                bits: width(address),
            });
        }
        let (name, is_below) = match text.strip_prefix('*') {
            Some(rest) if rest.starts_with('.') => (rest, true),
            _ => (text, false),
        };
        let is_name = name.split('.').skip(usize::from(is_below)).all(is_label);
        let name = name.to_ascii_lowercase().into();
        match (is_name, is_below) {
            (true, true) => Ok(Pattern::Below(name)),
            (true, false) => Ok(Pattern::Name(name)),
            (false, _) => Err(bad()),
        }
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl Pattern {
    fn matches(&self, host: &str, address: IpAddr) -> bool {
        match self {
            Pattern::Name(name) => host.eq_ignore_ascii_case(name),
            Pattern::Below(end) => {
                let cut = host.len().checked_sub(end.len());
                cut.is_some_and(|at| {
                    at > 0 && host.get(at..).is_some_and(|h| h.eq_ignore_ascii_case(end))
                })
            }
            Pattern::Network { address: own, bits } => match (own, address) {
                (IpAddr::V4(own), IpAddr::V4(other)) => {
                    let differ = own.to_bits() ^ other.to_bits();
                    differ.checked_shr(32 - u32::from(*bits)).unwrap_or(0) == 0
                }
                (IpAddr::V6(own), IpAddr::V6(other)) => {
                    let differ = own.to_bits() ^ other.to_bits();
                    differ.checked_shr(128 - u32::from(*bits)).unwrap_or(0) == 0
                }
                _ => false,
            },
        }
    }
}

impl AddressRules {
    /// Whether `host`, which resolved to this address, may be called there.
    pub fn permit(&self, host: &str, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let matches = |patterns: &[Pattern]| patterns.iter().any(|p| p.matches(host, address));
        !is_never_called(address)
            && !matches(&self.deny)
            && (self.allow.is_empty() || matches(&self.allow))
    }
}

/// Link-local, multicast and unspecified addresses, and where clouds tell machines their secrets.
/// Loopback and private addresses are where self-hosted upstreams live.
fn is_never_called(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4_is_never_called(v4),
        IpAddr::V6(v6) => {
            const METADATA: [Ipv6Addr; 2] = [
                Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), // AWS
                Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),  // Google Cloud
            ];
            v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unicast_link_local()
                || METADATA.contains(&v6)
                || embedded(v6).is_some_and(v4_is_never_called)
        }
    }
}

fn v4_is_never_called(address: Ipv4Addr) -> bool {
    const METADATA: [Ipv4Addr; 3] = [
        Ipv4Addr::new(100, 100, 100, 200), // Alibaba Cloud
        Ipv4Addr::new(168, 63, 129, 16),   // Azure
        Ipv4Addr::new(192, 0, 0, 192),     // Oracle Cloud
    ];
    let first = address.octets()[0];
    first == 0
        || first >= 240
        || address.is_multicast()
        || address.is_link_local()
        || METADATA.contains(&address)
}

/// The IPv4 address that an IPv6 address leads to through a translator: NAT64, 6to4, IPv4-compatible.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let from = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match s {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(from(high, low)),
        [0x2002, high, low, ..] => Some(from(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if !address.is_loopback() => Some(from(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(rules: &AddressRules, host: &str, address: &str) -> bool {
        rules.permit(host, address.parse().unwrap())
    }

    #[test]
    fn private_addresses_are_called_and_metadata_never() {
        let rules = AddressRules::default();
        for open in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "93.184.216.34",
            "::1",
            "fd12::1",
            "2606:4700::1",
        ] {
            assert!(permits(&rules, "x", open), "{open}");
        }
        for never in [
            "169.254.169.254",
            "169.254.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "100.100.100.200",
            "168.63.129.16",
            "::",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::a9fe:a9fe",
        ] {
            assert!(!permits(&rules, "x", never), "{never}");
            let open = AddressRules {
                allow: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
                deny: vec![],
            };
            assert!(
                !permits(&open, "x", never),
                "allowing everything does not open {never}"
            );
        }
    }

    #[test]
    fn lists_narrow_what_is_called() {
        let list = |texts: &[&str]| {
            texts
                .iter()
                .map(|t| t.parse().unwrap())
                .collect::<Vec<Pattern>>()
        };
        let rules = AddressRules {
            allow: list(&["10.0.0.0/8", "*.example.com", "::1"]),
            deny: list(&["10.9.0.0/16", "bad.example.com"]),
        };
        assert!(permits(&rules, "x", "10.8.0.1"));
        assert!(!permits(&rules, "x", "10.9.0.1"));
        assert!(!permits(&rules, "x", "11.0.0.1"));
        assert!(permits(&rules, "API.example.com", "1.2.3.4"));
        assert!(!permits(&rules, "bad.example.com", "1.2.3.4"));
        assert!(!permits(&rules, "example.com", "1.2.3.4"));
        assert!(!permits(&rules, "evilexample.com", "1.2.3.4"));
        assert!(permits(&rules, "x", "::1"));
        assert!(!permits(&rules, "x", "::2"));
    }

    #[test]
    fn a_bad_pattern_says_what_is_allowed() {
        for bad in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "::/129",
            "a b",
            "*",
            "*example.com",
            "a..b",
            "1.2.3.4/x",
        ] {
            let error = bad.parse::<Pattern>().unwrap_err().to_string();
            assert!(error.contains("a network such as"), "{bad}: {error}");
        }
    }
}
