//! Where our credential is shown: as configured, or as the discovery document says.

use keyward::IntrospectionSettings;
use keyward::IssuerSettings;
use keyward::credentials::CredentialSettings;
use keyward::endpoint::EndpointPlace;
use keyward::fetch::shown;
use url::Url;

use crate::facts::DiscoveryFacts;
use crate::probe::reach::Network;

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// What named it: the discovery document, or the operator, and then this is its own address.
    pub(super) named: Url,
    /// Its address.
    pub(super) url: Url,
}

/// The endpoints of an issuer that see our credential.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// Where introspection is asked; none where neither configuration nor discovery say.
    pub(super) introspection: Option<Place>,
    /// Where discovery says that it is, where another address is configured.
    pub(super) elsewhere: Option<Place>,
    /// Where tokens are issued; none where ours is no token that is obtained, or nobody says where.
    pub(super) token: Option<Place>,
    /// Where discovery says that tokens are issued.
    pub(super) token_discovered: Option<Place>,
    /// The token endpoint as anybody calls it, whom an assertion may have to be for.
    pub(super) token_name: Option<Url>,
}

impl Place {
    fn configured(url: &Url) -> Self {
        Self { named: url.clone(), url: url.clone() }
    }

    /// As facts show it.
    pub(super) fn shown(&self) -> String {
        shown(&self.url).into()
    }
}

impl Places {
    pub(super) fn new(
        issuer: &IssuerSettings,
        settings: &IntrospectionSettings,
        discovery: Option<&DiscoveryFacts>,
        network: &Network,
    ) -> Self {
        let discovered = |url: Option<&String>| {
            let discovery = discovery?;
            // Another issuer's document names other endpoints, to which nothing of ours may go.
            if discovery.issuer.as_deref() != Some(&issuer.policy.issuer) {
                return None;
            }
            Some(Place { named: network.untold(&discovery.reach.url)?, url: network.untold(url?)? })
        };
        let named = discovered(discovery.and_then(|discovery| discovery.introspection_endpoint.as_ref()));
        let named_token = discovered(discovery.and_then(|discovery| discovery.token_endpoint.as_ref()));
        let (introspection, elsewhere) = match &settings.endpoint {
            EndpointPlace::Discovery => (named, None),
            EndpointPlace::Url(url) => {
                (Some(Place::configured(url)), named.filter(|place| place.url != *url))
            }
        };
        let token = match &settings.credential {
            CredentialSettings::Bearer(bearer) => match &bearer.token_endpoint {
                EndpointPlace::Discovery => named_token.clone(),
                EndpointPlace::Url(url) => Some(Place::configured(url)),
            },
            _ => None,
        };
        let token_name = token.as_ref().or(named_token.as_ref()).map(|place| place.url.clone());
        Self { introspection, elsewhere, token, token_discovered: named_token, token_name }
    }
}
