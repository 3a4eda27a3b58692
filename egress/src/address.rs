//! Which IP addresses may be connected to.
//!
//! Everything is judged after names were resolved, and in one place. The ranges are those of the IANA
//! special-purpose registries (RFC 6890 and its successors), the transition mechanisms that can carry an
//! IPv4 address within an IPv6 one, and the addresses under which clouds serve credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The kind of a range that an operator closed.
pub const CLOSED_BY_OPERATOR: &str = "closed by this server's operator";

/// What an operator opens and closes beside the built-in ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressRules {
    /// Ranges that may be connected to although they are refused by default. A metadata address is opened
    /// only by a range of that one address, so that opening 169.254.0.0/16 does not hand out credentials.
    pub opened: Vec<IpNet>,
    /// Ranges that are refused, whatever else is said: the operator's own public addresses, for example.
    pub closed: Vec<IpNet>,
}

/// An address that must not be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRefusal {
    /// The address as it was given or resolved.
    pub address: IpAddr,
    /// The range at fault.
    pub range: IpNet,
    /// What that range is.
    pub kind: &'static str,
}

/// Reads a range, as `10.0.0.0/8`, or one address.
///
/// # Errors
/// It is neither.
pub fn parse_range(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let range = text.parse::<IpNet>().ok().map(|range| range.trunc()).or_else(address);
    range.ok_or_else(|| format!("`{text}` is no range of addresses; write it like 10.0.0.0/8 or 10.0.0.7"))
}

impl AddressRules {
    /// Whether an address may be connected to.
    ///
    /// # Errors
    /// [`AddressRefusal`] names the range that it is in.
    pub fn check(&self, address: IpAddr) -> Result<(), AddressRefusal> {
        let refused = |(range, kind)| Err(AddressRefusal { address, range, kind });
        let bare = address.to_canonical();
        if let Some(range) = within(&self.closed, address).or_else(|| within(&self.closed, bare)) {
            return refused((range, CLOSED_BY_OPERATOR));
        }
        if let Some(range) = METADATA.iter().find(|range| range.contains(&bare)) {
            let exactly = self.opened.contains(range);
            return if exactly { Ok(()) } else { refused((*range, "cloud metadata")) };
        }
        if within(&self.opened, address).or_else(|| within(&self.opened, bare)).is_some() {
            return Ok(());
        }
        let found = match bare {
            IpAddr::V4(v4) => refused_v4(v4),
            IpAddr::V6(v6) => {
                if let Some(inner) = embedded_v4(v6) {
                    return self
                        .check(IpAddr::V4(inner))
                        .map_err(|inside| AddressRefusal { address, ..inside });
                }
                refused_v6(v6)
            }
        };
        found.map_or(Ok(()), refused)
    }
}

fn within(ranges: &[IpNet], address: IpAddr) -> Option<IpNet> {
    ranges.iter().find(|range| range.contains(&address)).copied()
}

fn refused_v4(address: Ipv4Addr) -> Option<(IpNet, &'static str)> {
    let found = REFUSED_V4.iter().find(|(range, _)| range.contains(&address));
    found.map(|(range, kind)| (IpNet::V4(*range), *kind))
}

fn refused_v6(address: Ipv6Addr) -> Option<(IpNet, &'static str)> {
    let found = REFUSED_V6.iter().find(|(range, _)| range.contains(&address));
    let named = found.map(|(range, kind)| (IpNet::V6(*range), *kind));
    named.or_else(|| (!GLOBAL_V6.contains(&address)).then_some((ALL_V6, "outside the global unicast range")))
}

/// The IPv4 address that a translator on the way would connect to: NAT64's well-known prefix (RFC 6052) and
/// ISATAP's interface identifiers (RFC 5214).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = address.octets();
    let [_, _, _, _, first, second, ..] = address.segments();
    let isatap = second == 0x5efe && (first == 0 || first == 0x0200) && GLOBAL_V6.contains(&address);
    (NAT64.contains(&address) || isatap).then(|| Ipv4Addr::new(a, b, c, d))
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = segments;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
const ALL_V6: IpNet = IpNet::V6(v6([0; 8], 0));

/// Where clouds serve instance credentials, inside ranges that are refused anyway or, for 168.63.129.16, not.
const METADATA: [IpNet; 8] = [
    IpNet::V4(v4(169, 254, 169, 254, 32)),
    IpNet::V4(v4(169, 254, 170, 2, 32)),
    IpNet::V4(v4(100, 100, 100, 200, 32)),
    IpNet::V4(v4(192, 0, 0, 192, 32)),
    IpNet::V4(v4(168, 63, 129, 16, 32)),
    IpNet::V6(v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128)),
    IpNet::V6(v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128)),
    IpNet::V6(v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128)),
];

const REFUSED_V4: [(Ipv4Net, &str); 16] = [
    (v4(0, 0, 0, 0, 8), "this network (unspecified)"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "shared by a carrier (CGNAT)"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "protocol assignments"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 88, 99, 0, 24), "6to4 relay"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(255, 255, 255, 255, 32), "broadcast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// 6to4 and Teredo are refused whole: both are deprecated, and both end at an IPv4 address of somebody's
/// choice.
const REFUSED_V6: [(Ipv6Net, &str); 18] = [
    (v6([0; 8], 128), "unspecified"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "loopback"),
    (v6([0; 8], 96), "IPv4-compatible"),
    (v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), "IPv4-mapped"),
    (v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96), "IPv4-translated"),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), "NAT64 for local use"),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "discard"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), "Teredo"),
    (v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), "benchmarking"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "protocol assignments"),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "documentation"),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), "6to4"),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "documentation"),
    (v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), "segment routing"),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "unique local"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "site-local"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(rules: &AddressRules, address: &str) -> Option<&'static str> {
        rules.check(address.parse().unwrap()).err().map(|refusal| refusal.kind)
    }

    #[test]
    fn addresses_that_are_not_public_are_refused_by_their_kind() {
        for (address, kind) in [
            ("0.0.0.0", "this network (unspecified)"),
            ("0.1.2.3", "this network (unspecified)"),
            ("10.0.0.1", "private"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("100.64.0.1", "shared by a carrier (CGNAT)"),
            ("100.127.255.255", "shared by a carrier (CGNAT)"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.255", "loopback"),
            ("169.254.1.1", "link-local"),
            ("192.0.0.1", "protocol assignments"),
            ("192.0.2.1", "documentation"),
            ("198.51.100.1", "documentation"),
            ("203.0.113.1", "documentation"),
            ("233.252.0.1", "multicast"),
            ("192.88.99.1", "6to4 relay"),
            ("198.18.0.1", "benchmarking"),
            ("198.19.255.255", "benchmarking"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "broadcast"),
            ("169.254.169.254", "cloud metadata"),
            ("169.254.170.2", "cloud metadata"),
            ("100.100.100.200", "cloud metadata"),
            ("168.63.129.16", "cloud metadata"),
            ("192.0.0.192", "cloud metadata"),
            ("fd00:ec2::254", "cloud metadata"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::2", "IPv4-compatible"),
            ("100::1", "discard"),
            ("2001:2::1", "benchmarking"),
            ("2001:10::1", "protocol assignments"),
            ("2001:db8::1", "documentation"),
            ("3fff::1", "documentation"),
            ("5f00::1", "segment routing"),
            ("fc00::1", "unique local"),
            ("fdff::1", "unique local"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
            ("4000::1", "outside the global unicast range"),
        ] {
            assert_eq!(refusal(&AddressRules::default(), address), Some(kind), "{address}");
        }
    }

    #[test]
    fn an_address_wrapped_in_another_is_judged_by_what_it_reaches() {
        for (address, kind) in [
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:169.254.169.254", "cloud metadata"),
            ("::ffff:10.1.2.3", "private"),
            ("::127.0.0.1", "IPv4-compatible"),
            ("::ffff:0:127.0.0.1", "IPv4-translated"),
            ("64:ff9b::127.0.0.1", "loopback"),
            ("64:ff9b::a9fe:a9fe", "cloud metadata"),
            ("64:ff9b::10.0.0.1", "private"),
            ("64:ff9b:1::8.8.8.8", "NAT64 for local use"),
            ("2002:7f00:1::1", "6to4"),
            ("2002:808:808::1", "6to4"),
            ("2001:0:808:808::1", "Teredo"),
            ("2600::5efe:10.0.0.1", "private"),
            ("2600::200:5efe:127.0.0.1", "loopback"),
        ] {
            assert_eq!(refusal(&AddressRules::default(), address), Some(kind), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_let_through() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "126.255.255.255",
            "172.15.255.255",
            "172.32.0.1",
            "198.17.255.255",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "64:ff9b::8.8.8.8",
            "::ffff:8.8.8.8",
        ] {
            assert_eq!(refusal(&AddressRules::default(), address), None, "{address}");
        }
    }

    #[test]
    fn operators_open_ranges_and_close_others() {
        let rules = AddressRules {
            opened: vec![
                "127.0.0.0/8".parse().unwrap(),
                "10.0.0.0/8".parse().unwrap(),
                "fd00::/8".parse().unwrap(),
            ],
            closed: vec!["10.9.0.0/16".parse().unwrap(), "1.1.1.0/24".parse().unwrap()],
        };
        for address in ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::10.0.0.1", "fd12::1"] {
            assert_eq!(refusal(&rules, address), None, "{address}");
        }
        for address in ["10.9.1.1", "1.1.1.1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"] {
            assert_eq!(refusal(&rules, address), Some("closed by this server's operator"), "{address}");
        }
        assert_eq!(refusal(&rules, "192.168.1.1"), Some("private"));
        assert_eq!(refusal(&rules, "fd00:ec2::254"), Some("cloud metadata"));
    }

    #[test]
    fn a_range_is_read_with_or_without_its_length() {
        for (text, range) in [("10.1.2.3/8", "10.0.0.0/8"), (" ::1", "::1/128"), ("10.0.0.7", "10.0.0.7/32")]
        {
            assert_eq!(parse_range(text).unwrap().to_string(), range);
        }
        assert!(parse_range("localhost").unwrap_err().contains("localhost"));
    }

    #[test]
    fn a_metadata_address_is_opened_by_itself_alone() {
        let wide = AddressRules { opened: vec!["169.254.0.0/16".parse().unwrap()], closed: vec![] };
        assert_eq!(refusal(&wide, "169.254.1.1"), None);
        assert_eq!(refusal(&wide, "169.254.169.254"), Some("cloud metadata"));
        let exact = AddressRules { opened: vec!["169.254.169.254/32".parse().unwrap()], closed: vec![] };
        assert_eq!(refusal(&exact, "169.254.169.254"), None);
    }

    #[test]
    fn a_refusal_names_the_address_as_given_and_the_range() {
        let refusal = AddressRules::default().check("64:ff9b::7f00:1".parse().unwrap()).unwrap_err();
        assert_eq!(refusal.address, "64:ff9b::7f00:1".parse::<IpAddr>().unwrap());
        assert_eq!(refusal.range, "127.0.0.0/8".parse::<IpNet>().unwrap());
    }
}
