//! An issuer's keys, as each address publishes them.

use std::net::SocketAddr;

use http::StatusCode;
use keyward::fetch::{age, max_age};
use keyward::source::Source;
use keyward::{KeySource, UnixTime};
use keyward_jose::{JwkSet, JwkSetLimits, VerificationKey};
use keyward_verify::key_set::Wrapper;
use keyward_x509::TrustStore;
use url::Url;

use super::context::Context;
use super::discovery::Discovered;
use super::follow::{Followed, again, follow};
use super::reach::{Answered, Network, plain};
use super::target::IssuerTarget;
use crate::facts::{AnsweredKeySet, KeySetFacts, PublishedKey, SkippedKey};

/// An issuer's keys.
pub(super) struct Keys {
    /// As a fact.
    pub(super) facts: KeySetFacts,
    /// The text of the first answer that is a JWK Set.
    pub(super) text: Option<Vec<u8>>,
}

/// The keys of `issuer`; none where they are nowhere, or discovery does not say where.
pub(super) async fn key_set(
    network: &Network,
    issuer: &IssuerTarget,
    discovered: Option<&Discovered>,
) -> Option<Keys> {
    match issuer.settings.source.as_ref()? {
        KeySource::Certificates { path, .. } | KeySource::File(path) => {
            Some(of_file(network.context(), issuer, path.display().to_string()).await)
        }
        KeySource::Discovery => {
            let Discovered { named, jwks_uri, .. } = discovered?;
            Some(of_network(network, issuer, named, jwks_uri.as_ref()?).await)
        }
        KeySource::JwksUri(url) => Some(of_network(network, issuer, url, url).await),
    }
}

/// A file is read as the gateway reads it.
async fn of_file(context: &Context, issuer: &IssuerTarget, place: String) -> Keys {
    let reader = Reader::new(context, issuer);
    let nothing = |trouble| {
        let trouble = Some(trouble);
        let facts = KeySetFacts {
            place: place.clone(),
            reach: None,
            answers: Vec::new(),
            again: None,
            trouble,
            elsewhere: Vec::new(),
        };
        Keys { facts, text: None }
    };
    let source = match Source::new(&issuer.settings) {
        Ok(Some(source)) => source,
        Ok(None) => return nothing("no place is configured".to_owned()),
        Err(error) => return nothing(error.to_string()),
    };
    match tokio::time::timeout(context.left().min(context.limits().request), source.fetch()).await {
        Ok(Ok(found)) => {
            let answers = vec![reader.answered(&found.fetched.set, None)];
            let reach = None;
            let (again, trouble) = (None, None);
            let facts = KeySetFacts { place, reach, answers, again, trouble, elsewhere: Vec::new() };
            Keys { facts, text: Some(found.text) }
        }
        Ok(Err(error)) => nothing(error.to_string()),
        Err(_) => nothing(format!("{place} cannot be read in time")),
    }
}

async fn of_network(network: &Network, issuer: &IssuerTarget, named: &Url, url: &Url) -> Keys {
    let Followed { url: last, reach, mut answers } = follow(network, named, url).await;
    let mut second = None;
    if let Some(first) = answers.first().map(|answer| answer.address) {
        // A moment later the same address may say something else, where several servers share it.
        let (ended, answer) = again(network, named, &last, first).await;
        second = Some(ended);
        answers.extend(answer);
    }
    let reader = Reader::new(network.context(), issuer);
    let (mut sets, mut trouble, mut text) = (Vec::new(), None, None);
    for answer in &answers {
        match parse(answer) {
            Some(Ok(set)) => {
                sets.push(reader.answered(&set, Some(answer)));
                text.get_or_insert_with(|| answer.body.to_vec());
            }
            Some(Err(why)) => {
                trouble.get_or_insert(why);
            }
            None => {}
        }
    }
    let facts = KeySetFacts {
        place: network.told(url),
        reach: Some(reach),
        answers: sets,
        again: second,
        trouble,
        elsewhere: Vec::new(),
    };
    Keys { facts, text }
}

/// The set that an answer is, or why it is none; none where it is no answer that could be one, or was not read to its end,
/// which its way says.
fn parse(answer: &Answered) -> Option<Result<JwkSet, String>> {
    if answer.status != StatusCode::OK || !answer.is_whole {
        return None;
    }
    Some(JwkSet::parse(&answer.body, JwkSetLimits::default()).map_err(|error| error.to_string()))
}

/// How many keys of an answer can be used; none where it is no JWK Set.
pub(super) fn usable_keys(answer: &Answered) -> Option<usize> {
    Some(parse(answer)?.ok()?.keys().len())
}

/// Reads keys as the gateway does.
struct Reader {
    anchors: Option<TrustStore>,
    now: UnixTime,
}

impl Reader {
    fn new(context: &Context, issuer: &IssuerTarget) -> Self {
        let now = context.now().wall;
        // The gateway does not start with anchors that cannot be read.
        Self { anchors: issuer.settings.wrapper_trust(now).ok().flatten(), now }
    }

    fn answered(&self, set: &JwkSet, answer: Option<&Answered>) -> AnsweredKeySet {
        let headers = answer.map(|answer| &answer.headers);
        AnsweredKeySet {
            address: answer.map(|answer: &Answered| -> SocketAddr { answer.address }),
            keys: set.keys().iter().map(|key| self.published(key)).collect(),
            skipped: set
                .skipped()
                .iter()
                .map(|skipped| SkippedKey {
                    index: skipped.index,
                    kid: skipped.kid.as_deref().map(plain),
                    reason: skipped.reason.label().to_owned(),
                    description: skipped.reason.to_string(),
                })
                .collect(),
            age_s: headers.map(age).map(|age| age.as_secs()).filter(|age| *age > 0),
            max_age_s: headers.and_then(max_age).map(|age| age.as_secs()),
        }
    }

    fn published(&self, key: &VerificationKey) -> PublishedKey {
        let wrapper = Wrapper::of(key, self.anchors.as_ref(), self.now);
        let certificate = wrapper.as_ref().and_then(|wrapper| wrapper.certificate.as_ref());
        PublishedKey {
            kid: key.kid().map(plain),
            kty: key.key_type().name().to_owned(),
            algorithms: key.algorithms().iter().map(|algorithm| algorithm.name().to_owned()).collect(),
            bits: key.bits(),
            thumbprint: key.thumbprint().map(|thumbprint| thumbprint.to_string()),
            wrapper_not_after: certificate.map(|certificate| certificate.not_after.0),
            wrapper_state: wrapper.as_ref().map(|wrapper| wrapper.state(self.now).to_owned()),
            wrapper_subject: certificate.map(|certificate| plain(&certificate.subject)),
            wrapper_serial: certificate.map(|certificate| certificate.serial.to_string()),
        }
    }
}
