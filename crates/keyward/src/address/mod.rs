//! Which addresses may be asked for keys.

use std::net::IpAddr;

use url::{Host, Url};

mod allowed_host;
mod class;

pub use allowed_host::{AllowedHost, NoHost};
pub use class::AddressClass;

/// Whether keys may be fetched from `url`, or a secret sent there: by https, or by http from this very machine.
pub fn is_acceptable(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => is_loopback(url),
        _ => false,
    }
}

/// Whether a name may resolve to this address, where no operator allowed it whatever it resolves to: names of this very machine
/// to its own alone, and others to none that a provider cannot have.
pub fn may_resolve_to(name: &str, address: IpAddr) -> bool {
    let class = AddressClass::of(address);
    // A name server may say what it likes of names that mean this machine.
    if is_local_name(name) { class == Some(AddressClass::Loopback) } else { class.is_none() }
}

/// Whether `next` stays where `first` was: the same scheme, host and port.
pub(crate) fn is_same_origin(first: &Url, next: &Url) -> bool {
    first.scheme() == next.scheme()
        && first.host() == next.host()
        && first.port_or_known_default() == next.port_or_known_default()
}

/// The class of the address that `url` itself names; a name is resolved later, but for those of this machine.
pub(crate) fn named_class(url: &Url) -> Option<AddressClass> {
    match url.host()? {
        Host::Domain(name) => is_local_name(name).then_some(AddressClass::Loopback),
        Host::Ipv4(address) => AddressClass::of(address.into()),
        Host::Ipv6(address) => AddressClass::of(address.into()),
    }
}

/// Whether a name means this very machine (RFC 6761 §6.3).
pub(crate) fn is_local_name(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether the host is this very machine, in so many words: an IPv4 address inside of another one is none.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_local_name(name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_anywhere_and_http_only_here() {
        for (text, acceptable) in [
            ("https://idp.example/jwks", true),
            ("http://127.0.0.1:3000/jwks", true),
            ("http://[::1]:3000/jwks", true),
            ("http://localhost/jwks", true),
            ("http://idp.example/jwks", false),
            ("http://169.254.169.254/latest/meta-data", false),
            ("http://localhost.example/jwks", false),
            ("http://127.0.0.1.example/jwks", false),
            ("file:///etc/passwd", false),
            ("ftp://idp.example/jwks", false),
        ] {
            let url = Url::parse(text).expect("a URL");
            assert_eq!(is_acceptable(&url), acceptable, "{text}");
        }
    }
}
