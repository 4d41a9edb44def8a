//! Addresses that no provider has, and that whoever can point us somewhere would like us to ask.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressClass {
    /// 255.255.255.255.
    Broadcast,
    /// Where a cloud tells its machines their credentials.
    CloudMetadata,
    /// 169.254.0.0/16 and fe80::/10 (RFC 3927, RFC 4291 §2.5.6).
    LinkLocal,
    /// 127.0.0.0/8 and ::1.
    Loopback,
    /// 224.0.0.0/4 and ff00::/8.
    Multicast,
    /// 0.0.0.0/8 and ::, which the system takes for itself.
    Unspecified,
}

impl AddressClass {
    /// The class of an address, or of the IPv4 address that it stands for; none where a provider may have it.
    /// Private addresses (RFC 1918, RFC 4193) are such: many providers are on the premises.
    pub fn of(address: IpAddr) -> Option<Self> {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address).or_else(|| embedded(address).and_then(Self::of_v4)),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Option<Self> {
        let [first, ..] = address.octets();
        if METADATA_V4.contains(&address) {
            Some(Self::CloudMetadata)
        } else if address.is_loopback() {
            Some(Self::Loopback)
        } else if address.is_link_local() {
            Some(Self::LinkLocal)
        } else if address.is_multicast() {
            Some(Self::Multicast)
        } else if address.is_broadcast() {
            Some(Self::Broadcast)
        } else {
            (first == 0).then_some(Self::Unspecified)
        }
    }

    fn of_v6(address: Ipv6Addr) -> Option<Self> {
        if METADATA_V6.contains(&address) {
            Some(Self::CloudMetadata)
        } else if address.is_loopback() {
            Some(Self::Loopback)
        } else if address.is_unicast_link_local() {
            Some(Self::LinkLocal)
        } else if address.is_multicast() {
            Some(Self::Multicast)
        } else {
            address.is_unspecified().then_some(Self::Unspecified)
        }
    }
}

/// AWS, Azure, Google and most others; Alibaba; Azure's own agent; Oracle's first one.
const METADATA_V4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];

/// AWS and Google.
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

/// The IPv4 address that an IPv6 address leads to: mapped and compatible (RFC 4291 §2.5.5), NAT64 by the
/// well-known prefix and by a network's own (RFC 6052 §2.2, RFC 8215), and 6to4 (RFC 3056 §2).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        // After a prefix of 48 bits the address has an octet of zeros in its midst, and nothing behind it.
        [0x64, 0xff9b, 1, first, middle, last, 0, 0] => v4(first, middle << 8 | last >> 8),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 1, _, _, _, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        _ => address.to_ipv4(),
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broadcast => "the broadcast address",
            Self::CloudMetadata => "a cloud's metadata address",
            Self::LinkLocal => "a link-local address",
            Self::Loopback => "a loopback address",
            Self::Multicast => "a multicast address",
            Self::Unspecified => "an unspecified address",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_forbidden_address_is_known() {
        use AddressClass::{Broadcast, CloudMetadata, LinkLocal, Loopback, Multicast, Unspecified};
        for (text, class) in [
            ("127.0.0.1", Some(Loopback)),
            ("127.255.255.254", Some(Loopback)),
            ("169.254.1.1", Some(LinkLocal)),
            ("169.254.169.254", Some(CloudMetadata)),
            ("100.100.100.200", Some(CloudMetadata)),
            ("168.63.129.16", Some(CloudMetadata)),
            ("192.0.0.192", Some(CloudMetadata)),
            ("0.0.0.0", Some(Unspecified)),
            ("0.1.2.3", Some(Unspecified)),
            ("224.0.0.1", Some(Multicast)),
            ("239.255.255.255", Some(Multicast)),
            ("255.255.255.255", Some(Broadcast)),
            ("::", Some(Unspecified)),
            ("::1", Some(Loopback)),
            ("fe80::1", Some(LinkLocal)),
            ("febf::1", Some(LinkLocal)),
            ("ff02::1", Some(Multicast)),
            ("fd00:ec2::254", Some(CloudMetadata)),
            ("fd20:ce::254", Some(CloudMetadata)),
            // IPv4 in IPv6: mapped, compatible, NAT64 in three forms, 6to4.
            ("::ffff:127.0.0.1", Some(Loopback)),
            ("::ffff:169.254.169.254", Some(CloudMetadata)),
            ("::ffff:0.0.0.0", Some(Unspecified)),
            ("::ffff:255.255.255.255", Some(Broadcast)),
            ("::127.0.0.1", Some(Loopback)),
            ("64:ff9b::127.0.0.1", Some(Loopback)),
            ("64:ff9b::a9fe:a9fe", Some(CloudMetadata)),
            ("64:ff9b:1:a9fe:a9:fe00::", Some(CloudMetadata)),
            ("64:ff9b:1::169.254.169.254", Some(CloudMetadata)),
            ("2002:7f00:1::1", Some(Loopback)),
            ("2002:a9fe:a9fe::", Some(CloudMetadata)),
            ("2002:e000:1::", Some(Multicast)),
            // What providers have.
            ("10.0.0.7", None),
            ("172.16.0.1", None),
            ("192.168.1.1", None),
            ("100.64.0.1", None),
            ("93.184.216.34", None),
            ("126.255.255.255", None),
            ("128.0.0.1", None),
            ("169.253.255.255", None),
            ("fd00::1", None),
            ("fec0::1", None),
            ("2001:db8::1", None),
            ("::ffff:10.0.0.7", None),
            ("64:ff9b::10.0.0.7", None),
            ("64:ff9b:1::10.0.0.7", None),
            ("2002:a00:7::1", None),
        ] {
            assert_eq!(AddressClass::of(text.parse().expect("an address")), class, "{text}");
        }
    }
}
