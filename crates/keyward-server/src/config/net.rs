//! A net, as a configuration says it.

use std::net::IpAddr;

use ipnet::IpNet;

/// Why a text is no net.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum NetError {
    /// It is nothing of the kind.
    #[error("this is no net; write one such as \"10.0.0.0/8\" or \"::1\"")]
    Malformed,
    /// It has bits beyond its length: one address or the net may be meant.
    #[error("this address is within a net; write {net} for the net, or leave the length out")]
    Within {
        /// The net.
        net: IpNet,
    },
}

/// A net such as `10.0.0.0/8`, or one address.
///
/// # Errors
/// [`NetError`].
pub(super) fn net(text: &str) -> Result<IpNet, NetError> {
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let net = net.map_err(|_| NetError::Malformed)?;
    if net.addr() == net.network() { Ok(net) } else { Err(NetError::Within { net: net.trunc() }) }
}
