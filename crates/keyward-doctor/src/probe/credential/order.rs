//! Which calls are made, and in which order: what the gateway does first, then what is likeliest to be taken, then what a refusal
//! can be held against. It ends with the first call that is taken, and where nothing more is to be learnt.

use keyward::credentials::{
    Audience, BearerToken, ClientAuthentication, ClientSecret, CredentialSettings, Grant,
};
use keyward::entropy;
use zeroize::Zeroizing;

use super::asker::{Ask, Asker};
use super::held::Shown;
use super::places::{Place, Places};
use crate::facts::{Call, ClockFacts, ProviderLogCause, Reach, Variation};
use crate::said::{Meaning, is_authoritys, named};

/// Whom no provider knows.
pub(super) const NOBODY: &str = "keyward-doctor-nobody";

/// Assertions are refused for clocks that differ by this: to the second, and a little.
const SKEW_S: f64 = 2.0;

/// Makes the calls.
pub(super) struct Order<'a> {
    asker: Asker<'a>,
    places: &'a Places,
    settings: &'a CredentialSettings,
    /// The methods that the provider advertises; empty where it says nothing.
    advertised: &'a [String],
    ahead: Option<ClockFacts>,
}

/// Where a credential is shown.
#[derive(Clone, Copy)]
enum Door<'a> {
    /// To the introspection endpoint.
    Introspection(&'a Place),
    /// To the token endpoint, for a token by this grant.
    Token { place: &'a Place, grant_type: &'a str, is_grant: bool },
}

impl<'a> Order<'a> {
    pub(super) fn new(
        asker: Asker<'a>,
        places: &'a Places,
        settings: &'a CredentialSettings,
        advertised: &'a [String],
        ahead: Option<ClockFacts>,
    ) -> Self {
        Self { asker, places, settings, advertised, ahead }
    }

    /// What was asked, and how the endpoint was reached where that brought nothing.
    pub(super) async fn ask(mut self, shown: Shown) -> (Vec<Call>, Option<Reach>) {
        if let Some(introspection) = &self.places.introspection {
            match self.settings {
                CredentialSettings::Bearer(bearer) => {
                    self.asker.scoped(bearer.scope.as_deref());
                    self.by_token(shown, introspection, &bearer.grant).await;
                }
                _ => self.directly(shown, introspection).await,
            }
        }
        self.asker.into_calls()
    }

    /// Each request authenticates us.
    async fn directly(&mut self, shown: Shown, introspection: &Place) {
        if !shown.fits {
            self.as_grant(&shown.client).await;
            return;
        }
        let door = Door::Introspection(introspection);
        let meaning = self.show(door, Variation::Configured, None, Some(&shown.client), 0).await;
        if meaning.may_be_ours() {
            self.vary(door, meaning, shown).await;
        } else {
            self.elsewhere(meaning, introspection, &shown.client).await;
        }
    }

    /// A token of ours authenticates us, which is obtained first.
    async fn by_token(&mut self, shown: Shown, introspection: &Place, grant: &Grant) {
        if !shown.fits {
            self.as_client(&shown.client, introspection).await;
            return;
        }
        let Some(place) = &self.places.token else { return };
        let (grant_type, is_grant) = match grant {
            Grant::ClientCredentials(_) => (Grant::CLIENT_CREDENTIALS, false),
            Grant::JwtBearer { .. } => (Grant::JWT_BEARER, true),
        };
        let ask = Ask { place, method: self.method(), variation: Variation::Configured, ahead_s: 0 };
        let (meaning, token) = self.asker.exchange(ask, grant_type, Some(&shown.client), is_grant).await;
        let Some(token) = token else {
            let door = Door::Token { place, grant_type, is_grant };
            match meaning {
                Meaning::Opaque | Meaning::RefusesUs => self.vary(door, meaning, shown).await,
                Meaning::Fails => {
                    self.show(door, Variation::NoCredential, Some("none"), None, 0).await;
                }
                _ => {}
            }
            return;
        };
        let bearer = ClientAuthentication::Bearer(token);
        let door = Door::Introspection(introspection);
        let meaning = self.show(door, Variation::Configured, None, Some(&bearer), 0).await;
        if meaning.may_be_ours() {
            self.vary(door, meaning, Shown::new(bearer)).await;
        } else {
            self.elsewhere(meaning, introspection, &bearer).await;
        }
    }

    /// What tells the causes of a refusal apart.
    async fn vary(&mut self, door: Door<'_>, meaning: Meaning, shown: Shown) {
        let Shown { mut client, nobodys_key, .. } = shown;
        let cause = self.asker.said().and_then(named);
        let is_authoritys = self.asker.said().is_some_and(is_authoritys);
        if meaning == Meaning::Opaque {
            let nothing = self.show(door, Variation::NoCredential, Some("none"), None, 0).await;
            // It fails whoever asks.
            if matches!(nothing, Meaning::Opaque | Meaning::Fails) {
                return;
            }
        }
        let may_be = |one: ProviderLogCause| cause.map_or(!is_authoritys, |cause| cause == one);
        if may_be(ProviderLogCause::AssertionTimes) && self.by_their_clock(door, &client).await {
            return;
        }
        if may_be(ProviderLogCause::AssertionAudience) && self.for_others(door, &mut client).await {
            return;
        }
        if (may_be(ProviderLogCause::WrongKind) || may_be(ProviderLogCause::KeyNotFound))
            && let (Door::Token { is_grant: true, .. }, Some(introspection)) =
                (door, &self.places.introspection)
            && self.as_client(&client, introspection).await == Meaning::Taken
        {
            return;
        }
        if let (Door::Introspection(_), Some(elsewhere)) = (door, &self.places.elsewhere) {
            let elsewhere = Door::Introspection(elsewhere);
            let found = self.show(elsewhere, Variation::DiscoveredEndpoint, None, Some(&client), 0).await;
            if found == Meaning::Taken {
                return;
            }
        }
        // A cause that is named needs nothing to be held against.
        if cause.is_some() {
            return;
        }
        if let Some(other) = self.other_method(client).await {
            client = other;
        } else {
            return;
        }
        // It tells nobody apart from us, and counts how often we fail.
        if is_authoritys {
            return;
        }
        self.show(door, Variation::NobodysName, None, Some(&nobody(client)), 0).await;
        if let Some(client) = nobodys_key {
            self.show(door, Variation::NobodysKey, None, Some(&client), 0).await;
        }
    }

    /// By the provider's clock, where it differs. Whether that was taken.
    async fn by_their_clock(&mut self, door: Door<'_>, client: &ClientAuthentication) -> bool {
        let is_key = matches!(client, ClientAuthentication::PrivateKeyJwt { .. });
        let ahead = self.ahead.filter(|ahead| is_key && ahead.ahead_s.abs() - ahead.uncertainty_s > SKEW_S);
        let Some(ClockFacts { ahead_s, .. }) = ahead else { return false };
        // A second that is not quite over there is one that has not begun.
        let ahead_s = ahead_s.floor() as i64;
        self.show(door, Variation::ByProvidersClock, None, Some(client), ahead_s).await == Meaning::Taken
    }

    /// For other audiences, where an assertion has one. Whether one was taken.
    async fn for_others(&mut self, door: Door<'_>, client: &mut ClientAuthentication) -> bool {
        let place = match door {
            Door::Introspection(place) | Door::Token { place, .. } => place,
        };
        let named = |url: Option<&url::Url>| url.map(|url| Audience::Named(url.as_str().to_owned()));
        let introspection = self.places.introspection.as_ref().map(|place| &place.url);
        let audiences = [
            (Variation::ForIssuer, Some(Audience::Issuer)),
            (Variation::ForEndpoint, named(introspection)),
            (Variation::ForTokenEndpoint, named(self.places.token_name.as_ref())),
        ];
        let issuer = self.asker.issuer();
        let text = |audience: &Audience| match audience {
            Audience::Endpoint => place.url.as_str().to_owned(),
            Audience::Issuer => issuer.to_owned(),
            Audience::Named(audience) => audience.clone(),
        };
        let ClientAuthentication::PrivateKeyJwt { audience: configured, .. } = &*client else { return false };
        let configured = configured.clone();
        let mut tried = vec![text(&configured)];
        for (variation, audience) in audiences {
            let Some(other) = audience.filter(|audience| !tried.contains(&text(audience))) else { continue };
            tried.push(text(&other));
            if let ClientAuthentication::PrivateKeyJwt { audience, .. } = client {
                *audience = other;
            }
            if self.show(door, variation, None, Some(client), 0).await == Meaning::Taken {
                return true;
            }
        }
        if let ClientAuthentication::PrivateKeyJwt { audience, .. } = client {
            *audience = configured;
        }
        false
    }

    /// A key for the grant, as a client's at the introspection endpoint.
    async fn as_client(&mut self, client: &ClientAuthentication, introspection: &Place) -> Meaning {
        if !self.advertises("private_key_jwt") {
            return Meaning::RefusesUs;
        }
        let door = Door::Introspection(introspection);
        self.show(door, Variation::AsClientAssertion, Some("private_key_jwt"), Some(client), 0).await
    }

    /// A key for a client, by the grant.
    async fn as_grant(&mut self, client: &ClientAuthentication) {
        let Some(token) = &self.places.token_discovered else { return };
        let door = Door::Token { place: token, grant_type: Grant::JWT_BEARER, is_grant: true };
        self.show(door, Variation::AsGrant, Some("bearer_jwt"), Some(client), 0).await;
    }

    /// A secret by the other of its two methods, where the provider advertises it. The credential again, for what comes after;
    /// none where nothing does.
    async fn other_method(&mut self, client: ClientAuthentication) -> Option<ClientAuthentication> {
        let door = match self.settings {
            CredentialSettings::Client(_) => self.places.introspection.as_ref().map(Door::Introspection),
            CredentialSettings::Bearer(_) => self.places.token.as_ref().map(|place| Door::Token {
                place,
                grant_type: Grant::CLIENT_CREDENTIALS,
                is_grant: false,
            }),
            CredentialSettings::BearerFile { .. } => None,
        };
        let Some(door) = door else { return Some(client) };
        let (other, method) = match client {
            ClientAuthentication::ClientSecretBasic { client_id, secret } => {
                (ClientAuthentication::ClientSecretPost { client_id, secret }, "client_secret_post")
            }
            ClientAuthentication::ClientSecretPost { client_id, secret } => {
                (ClientAuthentication::ClientSecretBasic { client_id, secret }, "client_secret_basic")
            }
            client => return Some(client),
        };
        if self.advertised.iter().any(|advertised| advertised == method)
            && self.show(door, Variation::OtherMethod, Some(method), Some(&other), 0).await == Meaning::Taken
        {
            return None;
        }
        Some(match other {
            ClientAuthentication::ClientSecretBasic { client_id, secret } => {
                ClientAuthentication::ClientSecretPost { client_id, secret }
            }
            ClientAuthentication::ClientSecretPost { client_id, secret } => {
                ClientAuthentication::ClientSecretBasic { client_id, secret }
            }
            client => client,
        })
    }

    /// An endpoint that does not take us, and not because of us: where discovery says that it is, and what it says to nobody.
    async fn elsewhere(&mut self, meaning: Meaning, introspection: &Place, client: &ClientAuthentication) {
        if meaning == Meaning::Taken {
            return;
        }
        if let Some(elsewhere) = &self.places.elsewhere {
            self.asker.goes_elsewhere();
            let door = Door::Introspection(elsewhere);
            let found = self.show(door, Variation::DiscoveredEndpoint, None, Some(client), 0).await;
            if found == Meaning::Taken {
                return;
            }
        }
        if meaning == Meaning::Fails {
            let door = Door::Introspection(introspection);
            self.show(door, Variation::NoCredential, Some("none"), None, 0).await;
        }
    }

    async fn show(
        &mut self,
        door: Door<'_>,
        variation: Variation,
        method: Option<&str>,
        client: Option<&ClientAuthentication>,
        ahead_s: i64,
    ) -> Meaning {
        if self.asker.is_over() {
            return Meaning::Silent;
        }
        let method = method.unwrap_or(self.method());
        match door {
            Door::Introspection(place) => {
                self.asker.introspect(Ask { place, method, variation, ahead_s }, client).await
            }
            Door::Token { place, grant_type, is_grant } => {
                let ask = Ask { place, method, variation, ahead_s };
                self.asker.exchange(ask, grant_type, client, is_grant).await.0
            }
        }
    }

    fn advertises(&self, method: &str) -> bool {
        self.advertised.is_empty() || self.advertised.iter().any(|advertised| advertised == method)
    }

    /// As facts call it.
    fn method(&self) -> &'static str {
        super::held::method(self.settings)
    }
}

/// The same by a name that no client has. No secret of ours goes along.
fn nobody(client: ClientAuthentication) -> ClientAuthentication {
    let client_id = NOBODY.to_owned();
    let made_up = || Zeroizing::new(format!("{:032x}", entropy::nonce()));
    match client {
        ClientAuthentication::Bearer(token) => BearerToken::new(made_up())
            .map_or(ClientAuthentication::Bearer(token), ClientAuthentication::Bearer),
        ClientAuthentication::ClientSecretBasic { .. } => {
            ClientAuthentication::ClientSecretBasic { client_id, secret: ClientSecret::new(made_up()) }
        }
        ClientAuthentication::ClientSecretPost { .. } => {
            ClientAuthentication::ClientSecretPost { client_id, secret: ClientSecret::new(made_up()) }
        }
        ClientAuthentication::MutualTls { .. } => ClientAuthentication::MutualTls { client_id },
        ClientAuthentication::PrivateKeyJwt { key, audience, .. } => {
            ClientAuthentication::PrivateKeyJwt { client_id, key, audience }
        }
    }
}
