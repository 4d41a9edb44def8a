//! Our credential at an issuer's introspection endpoint: first exactly as the gateway shows it, and only where that is refused what
//! tells causes apart, each at most once.

mod answer;
mod asker;
mod held;
mod identity;
mod order;
mod places;

use std::time::Duration;

use super::progress::Probe;
use super::reach::Network;
use super::target::IssuerTarget;
use crate::facts::{ClockFacts, DiscoveryFacts, IntrospectionFacts};

use asker::Asker;
use held::Held;
use order::Order;
use places::Places;

/// How long our own disk may take.
const READING: Duration = Duration::from_secs(3);

/// What the introspection endpoint makes of our credential; none where none is configured. `ahead` is the provider's clock as
/// far as it is known by now.
pub(super) async fn introspection(
    issuer: &IssuerTarget,
    discovery: Option<&DiscoveryFacts>,
    ahead: Option<ClockFacts>,
    network: &Network,
) -> Option<IntrospectionFacts> {
    let settings = issuer.settings.introspection.as_ref()?;
    let probe = Probe::Credential(issuer.name().to_owned());
    let look = async {
        let places = Places::new(&issuer.settings, settings, discovery, network);
        let credential = settings.credential.clone();
        // A disk that hangs must not hold up the other probes.
        let reading = tokio::task::spawn_blocking(move || Held::read(&credential));
        let held = tokio::time::timeout(READING.min(network.context().left()), reading).await;
        let Held { facts: credential, shown, identity } = match held {
            Ok(Ok(held)) => held,
            Err(_) | Ok(Err(_)) => Held::unread(&settings.credential),
        };
        let mut facts = IntrospectionFacts {
            endpoint: places.introspection.as_ref().map(|place| place.shown()),
            token_endpoint: places.token.as_ref().map(|place| place.shown()),
            reach: None,
            credential,
            calls: Vec::new(),
        };
        if let (Some(shown), Some(_)) = (shown, &places.introspection) {
            let asker = Asker::new(network, &issuer.settings, settings, identity);
            let methods = discovery.map(|discovery| discovery.auth_methods.as_slice()).unwrap_or_default();
            let order = Order::new(asker, &places, &settings.credential, methods, ahead);
            (facts.calls, facts.reach) = order.ask(shown).await;
        }
        facts
    };
    Some(network.context().telling(probe, look).await)
}
