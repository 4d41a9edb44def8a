//! Checks an assertion: a JWT by which a client says who it is, or a service account asks for a token (RFC 7521, RFC 7523 §3).
//!
//! What the sender wrote is looked at first, and told as it is: nobody learns from it but what they sent. Then come the key and
//! the signature. What is known of a key, and whether it is there at all, is told to everybody alike; in our log each cause has its
//! label, and says what it says of whoever holds the key, not of whoever names it. The `jti` is used up last, so that nobody
//! without the key can use up another's; where an assertion for the grant has none, what was signed is.

mod claims;
mod keys;
mod owner;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use base64_simd::URL_SAFE_NO_PAD;
use keyward_jose::{DecodeBuffer, Jws};

use crate::authority::Authority;
use crate::cause::Cause;
use crate::client_auth::read;
use crate::entity::{Client, Kept, Key, ServiceAccount};
use crate::http::FormRequest;
use crate::key_sets::Shown;
use crate::limits::Attempt;
use crate::storage::Entity;
use crate::view::ViewError;
use claims::{Claims, is_type};
pub(crate) use keys::{OwnerKey, OwnerKeys};
use owner::KeyOwner;

/// The longest name of a client or a service account that is looked for, in octets.
pub(crate) const NAME_OCTETS: usize = 256;

/// What an assertion is for. A key serves one of them, by whose it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AssertionUse {
    /// `private_key_jwt` (RFC 7523 §2.2): a client's key.
    ClientAuthentication,
    /// The jwt-bearer grant (RFC 7523 §2.1): a service account's key.
    Grant,
}

impl AssertionUse {
    /// `typ` of an assertion that says what it is for (RFC 7523bis).
    const fn media_type(self) -> &'static str {
        match self {
            Self::ClientAuthentication => "client-authentication+jwt",
            Self::Grant => "authorization-grant+jwt",
        }
    }

    /// The longest that it may live. That of a client is made for one request; libraries make those for the grant for an hour.
    const fn lifetime(self) -> Duration {
        match self {
            Self::ClientAuthentication => Duration::from_secs(300),
            Self::Grant => Duration::from_secs(3600),
        }
    }

    /// What the names of its keys' owners begin with.
    const fn owners(self) -> &'static str {
        match self {
            Self::ClientAuthentication => "client/",
            Self::Grant => "service_account/",
        }
    }
}

/// The client that an assertion is of. `client_id` is what the request says beside it.
///
/// # Errors
/// A [`Cause`].
pub(crate) async fn client(
    authority: &Authority,
    request: &FormRequest,
    client_id: Option<&str>,
    text: &str,
) -> Result<Arc<Client>, Cause> {
    let mut buffer = DecodeBuffer::new();
    let read = Assertion::read(request, AssertionUse::ClientAuthentication, text, &mut buffer);
    let read = read.and_then(|assertion| match client_id {
        Some(client_id) if client_id != assertion.claims.subject => Err(Cause::AssertionIssuerWrong),
        _ => Ok(assertion),
    });
    let (limits, attempt) = (authority.client_auth().limits(), attempt(request, &read));
    limits.admit(&attempt)?;
    let decided = match &read {
        Ok(assertion) => assertion.owner(authority).await,
        Err(cause) => Err(*cause),
    };
    limits.settle(&attempt, decided)
}

/// The service account that an assertion is of, for the jwt-bearer grant. `request` came to the token endpoint.
///
/// # Errors
/// A [`Cause`], to be told as one of the request.
pub async fn service_account(
    authority: &Authority,
    request: &FormRequest,
    assertion: &str,
) -> Result<Arc<ServiceAccount>, Cause> {
    let mut buffer = DecodeBuffer::new();
    let read = Assertion::read(request, AssertionUse::Grant, assertion, &mut buffer);
    let (limits, attempt) = (authority.client_auth().limits(), attempt(request, &read));
    limits.admit(&attempt)?;
    let decided = match &read {
        Ok(assertion) => assertion.owner(authority).await,
        Err(cause) => Err(*cause),
    };
    limits.settle(&attempt, decided)
}

/// Who tries.
fn attempt<'a>(request: &'a FormRequest, read: &'a Result<Assertion<'_>, Cause>) -> Attempt<'a> {
    let nobody = || Attempt { realm: &request.realm.name, subject: "", address: request.peer.address };
    read.as_ref().map_or_else(|_| nobody(), Assertion::attempt)
}

/// An assertion whose contents are as they should be. Nobody knows yet who signed it.
struct Assertion<'a> {
    request: &'a FormRequest,
    purpose: AssertionUse,
    jws: Jws<'a>,
    /// What is signed: the header and the payload, as they were sent.
    signed: &'a str,
    kid: String,
    claims: Claims,
}

impl<'a> Assertion<'a> {
    /// Reads it, and looks at all that needs no key.
    fn read(
        request: &'a FormRequest,
        purpose: AssertionUse,
        text: &'a str,
        buffer: &'a mut DecodeBuffer,
    ) -> Result<Self, Cause> {
        let jws = Jws::parse(text.as_bytes(), Jws::DEFAULT_SIZE_LIMIT, buffer)
            .map_err(|_| Cause::AssertionMalformed)?;
        if !is_type(jws.header(), purpose) {
            return Err(Cause::AssertionOfAnotherType);
        }
        let kid =
            jws.header().kid().filter(|kid| !kid.is_empty()).ok_or(Cause::AssertionWithoutKid)?.to_owned();
        let claims = Claims::parse(jws.dangerous_unverified_payload(), purpose)?;
        claims.check_times(purpose, request.arrived.wall)?;
        claims.check_audience(purpose, &request.issuer, &request.endpoint())?;
        if !is_name(&claims.subject) || !is_name(&kid) {
            return Err(Cause::AssertionKeyUnknown);
        }
        let (signed, _) = text.rsplit_once('.').ok_or(Cause::AssertionMalformed)?;
        Ok(Self { request, purpose, jws, signed, kid, claims })
    }

    fn attempt(&self) -> Attempt<'_> {
        let Self { request, claims, .. } = self;
        Attempt { realm: &request.realm.name, subject: &claims.subject, address: request.peer.address }
    }

    /// Whose it is, where their key signed it and they are let in.
    async fn owner<K: KeyOwner>(&self, authority: &Authority) -> Result<Arc<K>, Cause> {
        let owner = authority.view().find::<K>(&self.request.realm.name, &self.claims.subject).await?;
        let key = self.key(authority, owner.as_deref()).await?;
        let owner = owner.ok_or(K::UNKNOWN)?;
        owner.check_standing()?;
        self.use_up(authority, key).await?;
        Ok(owner)
    }

    /// The key that signed it: one of its owner's, and in good standing. What is kept here counts before what is at an address.
    async fn key<K: KeyOwner>(&self, authority: &Authority, owner: Option<&K>) -> Result<SignedBy, Cause> {
        let realm = &self.request.realm.name;
        let name = format!("{}{}", self.purpose.owners(), self.claims.subject);
        if owner.is_some() {
            let made = |keys| OwnerKeys::of(&name, keys);
            let keys = authority.view().made_of::<Key, OwnerKeys>(realm, &name, made).await?;
            if let Some(key) = keys.named(&self.kid) {
                return self.signed_by(key);
            }
        }
        let known = owner.and_then(K::jwks_uri).and_then(|address| authority.key_sets().kept(realm, address));
        if known.is_some_and(|set| set.is_known_to_have_signed(self.shown())) {
            self.request.known.is(&self.claims.subject);
            return Ok(SignedBy::KeyAtAddress);
        }
        authority.client_auth().limits().admit_fetch(&self.attempt())?;
        // What is remembered may be older than the key (promise 9): that it is not there is for the database to say.
        let found = authority.view().find::<Key>(realm, &format!("{name}/{}", self.kid)).await?;
        if let Some(key) = found.filter(|key| owner.is_some() && key.owner == name) {
            let key = OwnerKey::parse((*key).clone()).ok_or(Cause::AssertionKeyUnknown)?;
            return self.signed_by(&key);
        }
        match self.key_at_address::<K>(authority).await {
            Err(Cause::AssertionKeyUnknown) => Err(self.why_not(authority, &name).await?),
            decided => decided,
        }
    }

    /// The key at the address that the owner has by the log's head. That of one who is not let in is not asked.
    async fn key_at_address<K: KeyOwner>(&self, authority: &Authority) -> Result<SignedBy, Cause> {
        let realm = &self.request.realm.name;
        let owner = read::<K>(authority, realm, &self.claims.subject).await?;
        let address = owner.as_ref().filter(|owner| owner.check_standing().is_ok()).and_then(K::jwks_uri);
        let address = address.ok_or(Cause::AssertionKeyUnknown)?;
        let set = authority.key_sets().keep(realm, address).ok_or(Cause::KeySetUnavailable)?;
        set.check_signature(self.shown()).await?;
        self.request.known.is(&self.claims.subject);
        Ok(SignedBy::KeyAtAddress)
    }

    /// What a key at an address is held against.
    fn shown(&self) -> Shown<'_> {
        let issued_at = self.claims.issued_at();
        Shown { jws: &self.jws, issued_at, arrived: self.request.arrived.mono }
    }

    fn signed_by(&self, key: &OwnerKey) -> Result<SignedBy, Cause> {
        key.check_signature(&self.jws)?;
        self.request.known.is(&self.claims.subject);
        let now = self.request.arrived.wall;
        key.check_standing(now, Cause::AssertionKeyDisabled, Cause::AssertionKeyExpired)?;
        Ok(SignedBy::KeptKey(key.entity(&self.request.realm.name)))
    }

    /// Why the owner has no key of this name: it may be another's. Only who signed with that one is told so. Where others are
    /// looking already it is not looked for: strangers' keys keep nobody busy.
    async fn why_not(&self, authority: &Authority, owner: &str) -> Result<Cause, Cause> {
        let Some(_search) = authority.client_auth().search() else {
            return Ok(Cause::AssertionKeyUnknown);
        };
        let realm = &self.request.realm.name;
        let store = authority.view().store();
        let ids = store.ending_in(Key::KIND, realm, &self.kid).await.map_err(ViewError::from)?;
        let mut why = Cause::AssertionKeyUnknown;
        for id in ids {
            let Some(key) = authority.view().find::<Key>(realm, &id).await? else { continue };
            if key.kid != self.kid || key.owner == owner {
                continue;
            }
            let is_of_kind = key.owner.starts_with(self.purpose.owners());
            let signed =
                OwnerKey::parse((*key).clone()).is_some_and(|key| key.check_signature(&self.jws).is_ok());
            match (signed, is_of_kind) {
                (true, true) => return Ok(Cause::AssertionKeyOfAnother),
                (true, false) => return Ok(Cause::AssertionKeyKindNotAllowed),
                (false, _) => why = Cause::AssertionSignatureWrong,
            }
        }
        Ok(why)
    }

    /// Marks it as used, on every node, and notes when the key was.
    async fn use_up(&self, authority: &Authority, key: SignedBy) -> Result<(), Cause> {
        let until_ms = self.claims.good_until().0.saturating_mul(1000);
        let is_new = authority.view().store().use_once(&self.once(), until_ms).await;
        if !is_new.map_err(ViewError::from)? {
            return Err(Cause::AssertionReplayed);
        }
        if let SignedBy::KeptKey(key) = key {
            authority.client_auth().last_uses().note(key, self.request.arrived.wall);
        }
        Ok(())
    }

    /// What can be used once: a hash of whose it is and its `jti`, which may be of any length. Without one it is what was signed,
    /// and not the signature: of one ECDSA signature anybody can make a second one that is as good.
    fn once(&self) -> String {
        let (what, once) = match &self.claims.id {
            Some(id) => ("jti", id.as_str()),
            None => ("signed", self.signed),
        };
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [&*self.request.realm.name, self.purpose.owners(), &self.claims.subject, what, once] {
            // With its length before it, so that nothing of one part can pass for another's.
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        format!("assertion/{}", URL_SAFE_NO_PAD.encode_to_string(context.finish().as_ref()))
    }
}

/// The key that signed.
enum SignedBy {
    /// One of the set at its owner's address.
    KeyAtAddress,
    /// One that is kept here.
    KeptKey(Entity),
}

/// Whether something could be called so: PostgreSQL has no text with a zero in it, and nobody a name without end.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_OCTETS && !text.chars().any(char::is_control)
}
