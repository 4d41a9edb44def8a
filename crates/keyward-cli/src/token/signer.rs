//! Which of an issuer's keys would verify a token.

use keyward_doctor::probe::kid_spelling;
use keyward_jose::{DecodeBuffer, Jws, VerificationKey};
use keyward_verify::Issuer;
use serde::Serialize;

use crate::output::Printable;

/// What trying every key of the set came to.
#[derive(Debug, Serialize)]
pub(crate) struct Signer {
    /// `its_own`, `another` or `none`.
    relation: &'static str,
    /// The key's `kid`; none where no key verifies the token, or it has none.
    kid: Option<String>,
    thumbprint: Option<String>,
    /// How a published kid is spelt of which the token's is another spelling.
    published_as: Option<String>,
    #[serde(skip)]
    words: String,
}

impl Signer {
    /// None where the token has no signature that could be tried, or there are no keys.
    pub(crate) fn of(issuer: &Issuer, token: &[u8]) -> Option<Self> {
        let mut buffer = DecodeBuffer::new();
        let jws = Jws::parse(token, issuer.policy.token_size_limit, &mut buffer).ok()?;
        let current = issuer.keys.current();
        let of_set = current.as_deref().map(|set| set.keys()).unwrap_or_default();
        let keys: Vec<&VerificationKey> =
            issuer.keys.fixed().iter().chain(of_set).map(|live| live.key()).collect();
        if keys.is_empty() {
            return None;
        }
        let kid = jws.header().kid();
        let named = |key: &&&VerificationKey| kid.is_some() && key.kid() == kid;
        let is_published = keys.iter().any(|key| named(&key));
        let verifies = |key: &&&VerificationKey| jws.verify(key).is_ok();
        let found = keys.iter().filter(named).find(verifies).or_else(|| keys.iter().find(verifies)).copied();
        let respelt = keys.iter().filter(|_| !is_published).filter_map(|key| {
            let published = key.kid()?;
            Some((published, kid_spelling(kid?, published)?))
        });
        let respelt = respelt.into_iter().next();
        let is_its = |key: &VerificationKey| {
            kid.is_none() || key.kid() == kid || (key.kid().is_none() && !is_published)
        };
        let shown = |key: &VerificationKey| {
            let name = key.kid().map_or("without kid".to_owned(), |kid| format!("\"{}\"", Printable(kid)));
            format!("{name} ({})", jws.header().algorithm().name())
        };
        let (relation, words) = match found {
            Some(key) if is_its(key) && kid.is_none() => {
                ("its_own", format!("{}; the token names none", shown(key)))
            }
            Some(key) if is_its(key) => ("its_own", format!("{}, which its kid names", shown(key))),
            Some(key) => ("another", format!("{}, and its kid names another one", shown(key))),
            None if is_published => ("none", "none; the one that its kid names does not".to_owned()),
            None if kid.is_none() => ("none", "none; the token names none, and each was tried".to_owned()),
            None => ("none", "none; no published key has its kid".to_owned()),
        };
        let words = match respelt {
            Some((published, differs_in)) => {
                format!("{words}; \"{}\" is published, and differs in: {differs_in}", Printable(published))
            }
            None => words,
        };
        Some(Self {
            relation,
            kid: found.and_then(VerificationKey::kid).map(str::to_owned),
            thumbprint: found.and_then(VerificationKey::thumbprint).map(|thumbprint| thumbprint.to_string()),
            published_as: respelt.map(|(published, _)| published.to_owned()),
            words,
        })
    }

    /// For a person.
    pub(crate) fn words(&self) -> &str {
        &self.words
    }
}
