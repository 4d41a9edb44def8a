//! Our credential at an issuer's introspection endpoint.

use super::reach::Network;
use super::target::IssuerTarget;
use crate::facts::{ClockFacts, DiscoveryFacts, IntrospectionFacts};

/// What the introspection endpoint makes of our credential; none where none is configured. `ahead` is the provider's clock as
/// far as it is known by now.
pub(super) async fn introspection(
    _issuer: &IssuerTarget,
    _discovery: Option<&DiscoveryFacts>,
    _ahead: Option<ClockFacts>,
    _network: &Network,
) -> Option<IntrospectionFacts> {
    None
}
