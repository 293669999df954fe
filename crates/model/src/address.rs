//! Addresses: from where a token may be used, and which of a request's addresses is the caller's.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The most rules that one token may have.
pub const MOST_RULES: usize = 64;

/// One range of addresses: a CIDR, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressRule(IpNet);

impl AddressRule {
    /// Reads `192.0.2.0/24`, `2001:db8::/32` or a single address.
    ///
    /// # Errors
    /// `invalid_field` for anything else, and for a range with host bits set: `10.0.0.1/8` is more likely a slip
    /// than a wish.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("cidrs", "must be CIDR ranges such as 192.0.2.0/24 or 2001:db8::/32");
        // The longest is an IPv4-mapped IPv6 address with its prefix.
        if text.len() > 49 {
            return Err(wrong());
        }
        let net = match text.parse::<IpNet>() {
            Ok(net) => net,
            Err(_) => IpNet::from(text.parse::<IpAddr>().map_err(|_| wrong())?),
        };
        let net = unmapped(net);
        if net.trunc() != net {
            let meant = net.trunc();
            return Err(Error::invalid(
                "cidrs",
                format_args!("has address bits outside its prefix; {meant} would be the range"),
            ));
        }
        Ok(Self(net))
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    fn covers(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }
}

impl fmt::Display for AddressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for AddressRule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AddressRule {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// An IPv4 range in IPv6 clothes as what it is: addresses are undressed before they are compared, so rules must be too.
fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(six) = net else { return net };
    let (Some(four), Some(prefix)) = (six.addr().to_ipv4_mapped(), six.prefix_len().checked_sub(96)) else {
        return net;
    };
    ipnet::Ipv4Net::new(four, prefix).map_or(net, IpNet::V4)
}

/// From where a token may be used: anywhere if there is no rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AddressRules(Vec<AddressRule>);

impl AddressRules {
    /// Reads rules.
    ///
    /// # Errors
    /// `invalid_field` for a rule that is none, or too many of them.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut rules = Vec::new();
        for text in texts {
            if rules.len() == MOST_RULES {
                return Err(Error::invalid("cidrs", format_args!("must be at most {MOST_RULES}")));
            }
            rules.push(AddressRule::parse(text)?);
        }
        rules.sort_unstable();
        rules.dedup();
        Ok(Self(rules))
    }

    /// How many rules there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether any address will do.
    pub fn anywhere(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this address will do. An IPv4 address in IPv6 clothes counts as what it is.
    pub fn allow(&self, address: IpAddr) -> bool {
        self.0.is_empty() || self.0.iter().any(|rule| rule.contains(address.to_canonical()))
    }

    /// Whether whatever the other allows, this one allows too.
    pub fn cover(&self, other: &Self) -> bool {
        self.0.is_empty()
            || (!other.0.is_empty() && other.0.iter().all(|theirs| self.0.iter().any(|ours| ours.covers(theirs))))
    }

    /// The rules as text.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

/// The most hops of a forwarding header that are looked at.
const MOST_HOPS: usize = 32;

/// The caller's address: the peer's, unless the peer is a trusted proxy; then the right-most address of the forwarding
/// header that is no trusted proxy itself. What stands left of it was written by the caller and proves nothing.
///
/// `forwarded` holds the header's values in the order of the request, each as `X-Forwarded-For` or `Forwarded` has it.
/// `None` where a trusted proxy gave no readable address: rules on addresses then refuse.
pub fn of_caller<'a>(
    peer: IpAddr,
    forwarded: impl IntoIterator<Item = &'a str>,
    trusted: &AddressRules,
) -> Option<IpAddr> {
    let peer = peer.to_canonical();
    // Only trusted hops, or no header at all: the farthest of them is the caller itself.
    if believed(peer, trusted) { farthest_hop(peer, forwarded, trusted) } else { Some(peer) }
}

/// The address of the end client of a gateway that asks about its request: what trusted proxies say of it, the gateway
/// being one of them. `None` where they say nothing, or the gateway is none: its own address is not the end client's.
pub fn of_end_client<'a>(
    peer: IpAddr,
    forwarded: impl IntoIterator<Item = &'a str>,
    trusted: &AddressRules,
) -> Option<IpAddr> {
    let peer = peer.to_canonical();
    let mut forwarded = forwarded.into_iter().peekable();
    if !believed(peer, trusted) || forwarded.peek().is_none() {
        return None;
    }
    farthest_hop(peer, forwarded, trusted)
}

/// Whether a peer is one of these proxies.
fn believed(peer: IpAddr, trusted: &AddressRules) -> bool {
    !trusted.anywhere() && trusted.allow(peer)
}

/// The right-most address that is no trusted proxy, else the left-most of all.
fn farthest_hop<'a>(
    peer: IpAddr,
    forwarded: impl IntoIterator<Item = &'a str>,
    trusted: &AddressRules,
) -> Option<IpAddr> {
    let values: Vec<&str> = forwarded.into_iter().collect();
    let mut farthest = peer;
    for (number, hop) in values.iter().rev().flat_map(|value| value.rsplit(',')).enumerate() {
        farthest = hop_address(hop)?.to_canonical();
        if !trusted.allow(farthest) {
            return Some(farthest);
        }
        if number == MOST_HOPS {
            return None;
        }
    }
    Some(farthest)
}

/// One hop: an address, with a port or brackets as proxies write them, or a `Forwarded` element with `for=`.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let hop = if hop.contains('=') {
        hop.split(';').find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            key.eq_ignore_ascii_case("for").then_some(value)
        })?
    } else {
        hop
    };
    let hop = hop.trim().trim_matches('"');
    if let Ok(address) = hop.parse() {
        return Some(address);
    }
    if let Some(rest) = hop.strip_prefix('[') {
        return rest.split_once(']')?.0.parse().ok();
    }
    // An IPv4 address with a port; an IPv6 address has more than one colon and was read above.
    hop.rsplit_once(':')?.0.parse::<std::net::Ipv4Addr>().ok().map(IpAddr::V4)
}
