//! Which address is the caller's: nothing that the caller wrote may decide it.
//!
//! The input's first line is the peer, its second the trusted proxies separated by spaces; every further line is one
//! forwarding header.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use tokenhouse_model::address::{AddressRules, of_caller};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let Some(peer) = lines.next().and_then(|line| line.parse::<IpAddr>().ok()) else { return };
    let Ok(trusted) = AddressRules::parse(lines.next().unwrap_or_default().split_whitespace()) else { return };
    let headers: Vec<&str> = lines.collect();

    let answer = of_caller(peer, headers.iter().copied(), &trusted);
    if let Some(address) = answer {
        assert_eq!(address, address.to_canonical(), "IPv4 in IPv6 clothes");
    }

    // A peer that is no trusted proxy is the caller, whatever its headers say.
    if trusted.anywhere() || !trusted.allow(peer) {
        assert_eq!(answer, Some(peer.to_canonical()));
        return;
    }
    // What an outsider writes goes to the left of what the proxies add: it never changes who the outsider is.
    if let Some(address) = answer
        && !trusted.allow(address)
    {
        let forged: Vec<&str> = std::iter::once("198.51.100.66").chain(headers.iter().copied()).collect();
        assert_eq!(of_caller(peer, forged, &trusted), answer, "a forged header changed the caller's address");
    }
});
