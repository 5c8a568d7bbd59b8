//! Where looks at hosts go: networks that the configuration lists, or all but those where no mail host of the world stands.
//!
//! Addresses come from files that provisioning systems and tenants write, and a look is a connection from inside. So what is
//! near the server, or no host's at all, is not looked at unless a network there is listed by itself.

use crate::fields::shown;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Networks in the list, at most: a provider has some blocks of addresses.
pub const NETWORKS_MAX: usize = 256;

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Whose an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A pool's: the operator's own systems wrote it.
    Pool,
    /// A tenant's own: whoever writes that tenant's file chose it.
    Tenant,
}

/// Where looks go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// Networks that are listed; none: the list is not there.
    pub listed: Option<Vec<Network>>,
}

/// A network where looks do not go by themselves (IANA special-purpose address registries, RFC 6890).
struct Special {
    network: Network,
    name: &'static str,
    /// Hosts of pools may stand there: a private network. What a tenant writes must not show who else answers in it.
    is_private: bool,
}

const fn v4(a: u8, b: u8, bits: u8, name: &'static str, is_private: bool) -> Special {
    Special { network: Network { address: IpAddr::V4(Ipv4Addr::new(a, b, 0, 0)), bits }, name, is_private }
}

const fn v6(first: u16, second: u16, third: u16, bits: u8, name: &'static str, is_private: bool) -> Special {
    let address = IpAddr::V6(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0));
    Special { network: Network { address, bits }, name, is_private }
}

const SPECIAL: [Special; 24] = [
    v4(0, 0, 8, "this network (RFC 1122)", false),
    v4(10, 0, 8, "a private network (RFC 1918)", true),
    v4(100, 64, 10, "the shared address space (RFC 6598)", true),
    v4(127, 0, 8, "loopback", false),
    v4(169, 254, 16, "link-local, where clouds keep their metadata (RFC 3927)", false),
    v4(172, 16, 12, "a private network (RFC 1918)", true),
    v4(192, 0, 24, "kept for protocols (RFC 6890)", false),
    v4(192, 168, 16, "a private network (RFC 1918)", true),
    v4(198, 18, 15, "kept for benchmarks (RFC 2544)", true),
    v4(224, 0, 4, "multicast", false),
    v4(240, 0, 4, "reserved (RFC 1112)", false),
    // Before the next one, which it is a part of.
    Special {
        network: Network { address: IpAddr::V6(Ipv6Addr::LOCALHOST), bits: 128 },
        name: "loopback",
        is_private: false,
    },
    Special {
        network: Network { address: IpAddr::V6(Ipv6Addr::UNSPECIFIED), bits: 128 },
        name: "no address",
        is_private: false,
    },
    v6(0, 0, 0, 96, "an IPv4 address in IPv6 (RFC 4291)", false),
    v6(0x64, 0xff9b, 1, 48, "NAT64 of a local network (RFC 8215)", false),
    v6(0x100, 0, 0, 64, "for discarding (RFC 6666)", false),
    v6(0x2001, 0, 0, 32, "Teredo (RFC 4380)", false),
    v6(0x2001, 0x2, 0, 48, "kept for benchmarks (RFC 5180)", true),
    v6(0x2002, 0, 0, 16, "6to4 (RFC 3056)", false),
    v6(0x5f00, 0, 0, 16, "segment routing (RFC 9602)", false),
    v6(0xfc00, 0, 0, 7, "a private network (RFC 4193)", true),
    v6(0xfe80, 0, 0, 10, "link-local (RFC 4291)", false),
    v6(0xfec0, 0, 0, 10, "site-local (RFC 3879)", true),
    v6(0xff00, 0, 0, 8, "multicast", false),
];
/// NAT64 by its well-known prefix (RFC 6052 § 2.1): what counts is the IPv4 address at its end.
const NAT64: Network = Network { address: IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0)), bits: 96 };

impl Network {
    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (one, other, width) = match (self.address, address) {
            (IpAddr::V4(one), IpAddr::V4(other)) => (u128::from(one.to_bits()), u128::from(other.to_bits()), 32),
            (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        (one ^ other).checked_shr(width - u32::from(self.bits)).unwrap_or(0) == 0
    }
}

impl Networks {
    /// Why an address is not looked at, in words that go on from "it is not looked at, as it is"; none: it is.
    pub fn refusal(&self, address: IpAddr, whose: Whose) -> Option<String> {
        // Sockets take an IPv4 address in IPv6 for the IPv4 address (RFC 4291 § 2.5.5.2).
        let address = address.to_canonical();
        let inner = embedded(address);
        let special = self.special(address, whose).or_else(|| self.special(inner?, whose));
        let is_listed = || self.listed.as_ref().is_none_or(|all| all.iter().any(|one| one.contains(address)));
        match special {
            Some(special) => Some(format!("{} ({})", special.name, special.network)),
            None if is_listed() => None,
            None => Some("in none of the listed networks".to_owned()),
        }
    }

    /// The network where looks do not go by themselves, unless one in it is listed; none: the address is in no such one.
    fn special(&self, address: IpAddr, whose: Whose) -> Option<&'static Special> {
        let special = SPECIAL.iter().find(|special| special.network.contains(address))?;
        let opens = |one: &&Network| one.contains(address) && one.bits >= special.network.bits;
        let is_open = self.listed.iter().flatten().any(|one| opens(&one));
        (!is_open && (whose == Whose::Tenant || !special.is_private)).then_some(special)
    }
}

/// The IPv4 address that an IPv6 address stands for.
fn embedded(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(v6) = address else { return None };
    let [.., a, b, c, d] = v6.octets();
    NAT64.contains(address).then(|| Ipv4Addr::new(a, b, c, d).into())
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromStr for Network {
    type Err = String;

    /// Reads `192.0.2.0/24` or `2001:db8::/32`; an address alone is a network of one.
    fn from_str(text: &str) -> Result<Network, String> {
        let (first, bits) = text.split_once('/').map_or((text, None), |(first, bits)| (first, Some(bits)));
        let text = shown(text);
        let address: IpAddr = first.parse().map_err(|_| format!("`{text}` is not a network"))?;
        if address != address.to_canonical() {
            return Err(format!("`{text}` holds IPv4 addresses: write them as such"));
        }
        let width = if address.is_ipv4() { 32 } else { 128 };
        let is_number = |bits: &&str| !bits.is_empty() && bits.bytes().all(|octet| octet.is_ascii_digit());
        let bits = bits.map_or(Some(width), |bits| Some(bits).filter(is_number)?.parse().ok());
        let bits =
            bits.filter(|bits| *bits <= width).ok_or_else(|| format!("`{text}` has no length from 0 to {width}"))?;
        match first_of(address, bits) {
            begin if begin == address => Ok(Network { address, bits }),
            begin => Err(format!("`{text}` begins at {begin}: write {begin}/{bits}")),
        }
    }
}

/// The first address of the network that an address is in.
fn first_of(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

/// Whether an address can be that of a host at all: those of documentation never are (RFC 5737, RFC 3849, RFC 9637).
pub fn can_be_looked_at(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            ![[192, 0, 2], [198, 51, 100], [203, 0, 113]].contains(&[a, b, c])
        }
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            (first, second) != (0x2001, 0x0db8) && (first != 0x3fff || second >= 0x1000)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(listed: &[&str]) -> Networks {
        Networks { listed: Some(listed.iter().map(|text| text.parse().expect("a network")).collect()) }
    }

    /// Whether a host of a pool is looked at, and one of a tenant's own.
    fn looked_at(networks: &Networks, address: &str) -> (bool, bool) {
        let address = address.parse().expect("an address");
        let is = |whose| networks.refusal(address, whose).is_none();
        (is(Whose::Pool), is(Whose::Tenant))
    }

    #[test]
    fn by_default_looks_go_where_mail_hosts_stand_and_private_networks_are_for_pools_alone() {
        for (address, wanted) in [
            ("9.9.9.9", (true, true)),
            ("2620:fe::fe", (true, true)),
            ("10.1.2.3", (true, false)),
            ("172.31.255.255", (true, false)),
            ("172.32.0.0", (true, true)),
            ("192.168.0.1", (true, false)),
            ("192.169.0.1", (true, true)),
            ("100.127.0.1", (true, false)),
            ("100.128.0.1", (true, true)),
            ("198.19.0.1", (true, false)),
            ("fd00::1", (true, false)),
            ("127.0.0.1", (false, false)),
            ("127.9.9.9", (false, false)),
            ("0.0.0.0", (false, false)),
            ("0.1.2.3", (false, false)),
            ("169.254.169.254", (false, false)),
            ("192.0.0.8", (false, false)),
            ("192.0.1.8", (true, true)),
            ("224.0.0.1", (false, false)),
            ("239.255.255.255", (false, false)),
            ("240.0.0.1", (false, false)),
            ("255.255.255.255", (false, false)),
            ("::1", (false, false)),
            ("::", (false, false)),
            ("::7f00:1", (false, false)),
            ("fe80::1", (false, false)),
            ("febf::1", (false, false)),
            ("fec0::1", (true, false)),
            ("ff02::1", (false, false)),
            ("2002:7f00:1::", (false, false)),
            ("2001:0:7f00:1::", (false, false)),
            ("2001:1::", (true, true)),
            ("64:ff9b::9.9.9.9", (true, true)),
            ("64:ff9b::127.0.0.1", (false, false)),
            ("64:ff9b::169.254.169.254", (false, false)),
            ("64:ff9b::10.0.0.1", (true, false)),
            ("64:ff9b:1::1", (false, false)),
            // An IPv4 address in IPv6 is that IPv4 address.
            ("::ffff:127.0.0.1", (false, false)),
            ("::ffff:10.0.0.1", (true, false)),
            ("::ffff:9.9.9.9", (true, true)),
        ] {
            assert_eq!(looked_at(&Networks::default(), address), wanted, "{address}");
        }
    }

    #[test]
    fn a_list_is_all_that_is_looked_at_and_opens_what_it_names_by_itself() {
        let own = networks(&["9.9.9.0/24", "2620:fe::/48", "127.0.4.0/24", "10.0.0.0/8", "::1"]);
        for (address, wanted) in [
            ("9.9.9.9", (true, true)),
            ("8.8.8.8", (false, false)),
            ("2620:fe::1", (true, true)),
            ("2620:ff::1", (false, false)),
            ("127.0.4.1", (true, true)),
            ("127.0.5.1", (false, false)),
            ("::ffff:127.0.4.1", (true, true)),
            ("10.9.9.9", (true, true)),
            ("192.168.1.1", (false, false)),
            ("::1", (true, true)),
            ("fe80::1", (false, false)),
        ] {
            assert_eq!(looked_at(&own, address), wanted, "{address}");
        }
        // Whoever lists everything does not mean the inside of the server.
        let all = networks(&["0.0.0.0/0", "::/0"]);
        assert_eq!(looked_at(&all, "9.9.9.9"), (true, true));
        assert_eq!(looked_at(&all, "2620:fe::fe"), (true, true));
        assert_eq!(looked_at(&all, "127.0.0.1"), (false, false));
        assert_eq!(looked_at(&all, "10.0.0.1"), (true, false));
        assert_eq!(looked_at(&all, "64:ff9b::127.0.0.1"), (false, false));
    }

    #[test]
    fn a_network_is_written_by_its_first_address_and_its_length() {
        for (text, good) in [
            ("10.0.0.0/8", true),
            ("10.0.0.1", true),
            ("0.0.0.0/0", true),
            ("::/0", true),
            ("fd00::/8", true),
            ("10.0.0.1/8", false),
            ("10.0.0.0/33", false),
            ("fd00::/129", false),
            ("10.0.0.0/", false),
            ("10.0.0.0/+8", false),
            ("10.0.0.0/8/8", false),
            ("10/8", false),
            ("::ffff:10.0.0.0/104", false),
            ("mx.example", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<Network>().is_ok(), good, "{text}");
        }
        assert_eq!(
            "10.9.9.9/8".parse::<Network>(),
            Err("`10.9.9.9/8` begins at 10.0.0.0: write 10.0.0.0/8".to_owned())
        );
        let read = "2001:db8::/33".parse::<Network>().map(|network| network.to_string());
        assert_eq!(read.as_deref(), Ok("2001:db8::/33"));
    }
}
