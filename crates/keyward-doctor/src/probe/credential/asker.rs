//! One call: sent, read, and written down.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method};
use keyward::credentials::{
    BearerToken, ClientAuthentication, Granted, Occasion, Proof, ProviderError, TokenError,
};
use keyward::fetch::{Answer, OutgoingRequest};
use keyward::{IntrospectionSettings, IssuerSettings, UnixTime, entropy};
use keyward_verify::introspection::AnswerForm;
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::answer::Reader;
use super::places::Place;
use crate::facts::{Call, CallResult, Ended, Lookup, Reach, Spoken, Variation};
use crate::probe::reach::{Answered, Exchange, Network, Request};
use crate::said::{INTROSPECTION, Meaning, TOKEN};

/// More calls than these say nothing new.
const CALLS: usize = 10;

/// Makes calls, one after the other.
pub(super) struct Asker<'a> {
    network: &'a Network,
    issuer: &'a str,
    scope: Option<String>,
    accept: &'static str,
    reader: Reader,
    identity: Option<Arc<CertifiedKey>>,
    time: Duration,
    /// What endpoints are asked about: no token of anybody's.
    token: String,
    calls: Vec<Call>,
    /// All that was shown.
    shown: Proof,
    /// How the endpoint was reached, where a call brought no answer.
    reach: Option<Reach>,
    is_over: bool,
}

/// What is different from what the gateway does.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) place: &'a Place,
    /// As facts call it.
    pub(super) method: &'a str,
    pub(super) variation: Variation,
    /// By how much the assertion's clock is ahead of ours, in seconds.
    pub(super) ahead_s: i64,
}

impl<'a> Asker<'a> {
    pub(super) fn new(
        network: &'a Network,
        issuer: &'a IssuerSettings,
        settings: &IntrospectionSettings,
        identity: Option<Arc<CertifiedKey>>,
    ) -> Self {
        let limit = network.context().limits().request;
        Self {
            network,
            issuer: &issuer.policy.issuer,
            scope: None,
            accept: match settings.form {
                AnswerForm::Plain => "application/json",
                AnswerForm::PlainOrSigned { .. } => {
                    "application/token-introspection+jwt, application/json;q=0.5"
                }
                AnswerForm::Signed { .. } => "application/token-introspection+jwt",
            },
            reader: Reader::new(issuer, settings),
            identity,
            time: settings.timeout.min(limit),
            token: format!("keyward-doctor-{:032x}", entropy::nonce()),
            calls: Vec::new(),
            shown: Proof::nothing(),
            reach: None,
            is_over: false,
        }
    }

    /// Asks for tokens with this scope.
    pub(super) fn scoped(&mut self, scope: Option<&str>) {
        self.scope = scope.map(str::to_owned);
    }

    /// What was asked, and how the endpoint was reached where that brought nothing.
    pub(super) fn into_calls(self) -> (Vec<Call>, Option<Reach>) {
        (self.calls, self.reach)
    }

    /// To whom assertions are said to be for.
    pub(super) fn issuer(&self) -> &'a str {
        self.issuer
    }

    /// What was said of one address is not said of another.
    pub(super) fn goes_elsewhere(&mut self) {
        let asks_to_wait = self.meaning() == Meaning::AskedToWait
            || self.said().is_some_and(|said| said.retry_after_s.is_some());
        self.is_over &= asks_to_wait;
    }

    /// Whether no more may be asked.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// What the last call said.
    pub(super) fn said(&self) -> Option<&Spoken> {
        match &self.calls.last()?.result {
            CallResult::Refused(said) => Some(said),
            _ => None,
        }
    }

    /// Asks what the made-up token is worth.
    pub(super) async fn introspect(
        &mut self,
        ask: Ask<'_>,
        client: Option<&ClientAuthentication>,
    ) -> Meaning {
        let fields = [("token", self.token.clone()), ("token_type_hint", "access_token".to_owned())];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let Some(proof) = self.proof(&ask, client, false).await else { return Meaning::Silent };
        let mut request = proof.post_form(&ask.place.url, &fields);
        request.headers.insert(ACCEPT, HeaderValue::from_static(self.accept));
        let asked = self.network.context().now();
        let Some(answered) = self.send(&ask, INTROSPECTION, request).await else { return Meaning::Silent };
        let now = self.network.context().now();
        let read = self.reader.read(asked, now, &self.token, &answered);
        let took_ms = self.network.context().ms_since(asked.mono);
        let result = match read {
            _ if !answered.is_whole => CallResult::Malformed("the answer breaks off".to_owned()),
            Some(result) => result,
            None => CallResult::Refused(spoken(answered, &proof)),
        };
        self.note(&ask, INTROSPECTION, result, took_ms)
    }

    /// Asks for a token of ours, by a client's proof or by an assertion that is the grant itself.
    pub(super) async fn exchange(
        &mut self,
        ask: Ask<'_>,
        grant_type: &str,
        client: Option<&ClientAuthentication>,
        is_grant: bool,
    ) -> (Meaning, Option<BearerToken>) {
        let Some(proof) = self.proof(&ask, client, is_grant).await else { return (Meaning::Silent, None) };
        let scope = self.scope.clone();
        let mut fields = vec![("grant_type", grant_type)];
        fields.extend(scope.as_deref().map(|scope| ("scope", scope)));
        let request = proof.post_form(&ask.place.url, &fields);
        let asked = self.network.context().mono();
        let Some(answered) = self.send(&ask, TOKEN, request).await else { return (Meaning::Silent, None) };
        let took_ms = self.network.context().ms_since(asked);
        let headers = answered.headers.clone();
        let (result, token) = match proof.granted(&answer(answered)) {
            Ok(Granted { token, .. }) => (CallResult::Accepted, Some(token)),
            Err(TokenError::Said(said)) => (CallResult::Refused(said_by(said, &headers)), None),
            Err(error) => (CallResult::Malformed(error.to_string()), None),
        };
        (self.note(&ask, TOKEN, result, took_ms), token)
    }

    /// What a request shows; none where our key cannot sign.
    async fn proof(
        &mut self,
        ask: &Ask<'_>,
        client: Option<&ClientAuthentication>,
        is_grant: bool,
    ) -> Option<Proof> {
        let UnixTime(now) = self.network.context().now().wall;
        let now = UnixTime(now.saturating_add(ask.ahead_s));
        let endpoint = &ask.place.url;
        let occasion = Occasion { issuer: self.issuer, endpoint, now, nonce: entropy::nonce() };
        let proof = match client {
            Some(ClientAuthentication::PrivateKeyJwt { client_id, key, audience }) if is_grant => {
                Proof::grant(key, client_id, audience, &occasion).await.ok()?
            }
            Some(client) => client.prove(&occasion).await.ok()?,
            None => Proof::nothing(),
        };
        let proof = proof.hiding(&self.shown);
        self.shown = Proof::nothing().hiding(&proof);
        Some(proof)
    }

    /// The answer; where there is none, that is written down.
    async fn send(&mut self, ask: &Ask<'_>, endpoint: &str, request: OutgoingRequest) -> Option<Answered> {
        let time = if endpoint == TOKEN { self.network.context().limits().request } else { self.time };
        let asked = self.network.context().mono();
        let Exchange { reach, mut answers } = self
            .network
            .ask_one(&Request {
                method: Method::POST,
                url: &ask.place.url,
                named: &ask.place.named,
                headers: request.headers,
                body: Zeroizing::new(request.body.to_vec()),
                identity: self.identity.clone(),
                time,
            })
            .await;
        let answered = answers.pop();
        if answered.is_none() {
            // That there was no time to ask says nothing of whom nobody asked.
            if !reach.attempts.iter().any(|attempt| attempt.ended == Ended::OutOfTime) {
                let took_ms = self.network.context().ms_since(asked);
                self.note(ask, endpoint, unanswered(&reach), took_ms);
                self.reach = Some(reach);
            }
            self.is_over = true;
        }
        answered
    }

    fn note(&mut self, ask: &Ask<'_>, endpoint: &str, result: CallResult, took_ms: u64) -> Meaning {
        let (endpoint, method) = (endpoint.to_owned(), ask.method.to_owned());
        self.calls.push(Call { endpoint, method, variation: ask.variation, result, took_ms });
        let asks_to_wait = self.said().is_some_and(|said| said.retry_after_s.is_some());
        let meaning = self.meaning();
        self.is_over |= asks_to_wait
            || matches!(meaning, Meaning::AskedToWait | Meaning::Silent)
            || self.calls.len() >= CALLS;
        meaning
    }

    /// What the last call came to.
    fn meaning(&self) -> Meaning {
        self.calls.last().map_or(Meaning::Silent, Meaning::of)
    }
}

fn answer(answered: Answered) -> Answer {
    Answer { status: answered.status, headers: answered.headers, body: answered.body }
}

fn spoken(answered: Answered, proof: &Proof) -> Spoken {
    let headers = answered.headers.clone();
    said_by(proof.said(&answer(answered)), &headers)
}

fn said_by(said: ProviderError, headers: &HeaderMap) -> Spoken {
    let label = said.code.label();
    Spoken {
        status: said.status.as_u16(),
        error: (label != "unknown").then(|| label.to_owned()),
        description: said.description,
        challenge: headers.get(WWW_AUTHENTICATE).and_then(challenge),
        retry_after_s: said.retry_after.map(|wait| wait.as_secs()),
    }
}

/// The scheme of `WWW-Authenticate` and its `error` (RFC 6750 §3), where they are plain words.
fn challenge(value: &HeaderValue) -> Option<String> {
    let is_plain = |text: &&str| {
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-');
        !text.is_empty() && text.len() <= 32 && text.bytes().all(plain)
    };
    let value = value.to_str().ok()?;
    let scheme = value.split(' ').next().filter(is_plain)?;
    let error = value.split("error=\"").nth(1).and_then(|rest| rest.split('"').next()).filter(is_plain);
    Some(error.map_or_else(|| scheme.to_owned(), |error| format!("{scheme} error={error}")))
}

/// Why there was no answer, by the label that a fetch would give it, and in words.
fn unanswered(reach: &Reach) -> CallResult {
    let said = |cause: &str, why: String| CallResult::Unanswered { cause: cause.to_owned(), why };
    let url = &reach.url;
    if let Some(label) = &reach.refused {
        return said(label, format!("{url} is an address that the gateway does not ask ({label})"));
    }
    match &reach.lookup {
        Lookup::Failed(why) => return said("dns", format!("the host of {url} cannot be resolved: {why}")),
        Lookup::TimedOut => return said("dns", format!("nobody resolves the host of {url} in time")),
        _ => {}
    }
    let Some(attempt) = reach.attempts.last() else {
        return said("connect", format!("{url} was not reached"));
    };
    let address = attempt.address;
    match &attempt.ended {
        Ended::TimedOut(_) => said("timeout", format!("{address} did not answer in time")),
        Ended::TlsFailed => said("tls", format!("there is no TLS connection to {address}")),
        Ended::AskedToWait(seconds) => {
            said("asked_to_wait", format!("{address} asked to be left alone for {seconds} s"))
        }
        Ended::Forbidden(class) => said("forbidden_address", format!("{address} is {class}")),
        Ended::ConnectRefused => said("connect", format!("nothing listens at {address}")),
        Ended::Unreachable(why) => said("connect", format!("there is no way to {address}: {why}")),
        Ended::NotHttp => said("connect", format!("what {address} says is no HTTP")),
        Ended::BrokeOff | Ended::Answered(_) | Ended::OutOfTime => {
            said("connect", format!("the connection to {address} broke"))
        }
    }
}
