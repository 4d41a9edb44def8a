//! The way to the key set: name, connection, TLS, answer.

mod said;

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::{
    Answer, Attempt, BodyKind, Ended, Facts, IssuerFacts, KeySetFacts, Lookup, Reach, TlsTrouble, Waited,
};

use super::found::Found;
use super::way;
use super::words::lasting;

/// A certificate that has less of its life left than this share, and less than [`SOON_S`], was not renewed in time.
const RENEWED_WITH: i64 = 5;

/// So long before its end a certificate should have been renewed, however long it lives.
const SOON_S: i64 = 14 * 86_400;

pub(super) fn look(facts: &Facts, found: &mut Found) {
    for issuer in &facts.issuers {
        let name = issuer.configured.name.as_str();
        if let Some(discovery) = issuer.discovery.as_ref().filter(|_| issuer.configured.discovers) {
            Way { name, what: "discovery document", reach: &discovery.reach, now: facts.gathered_at }
                .look(found);
            document(issuer, found);
        }
        match &issuer.key_set {
            Some(key_set) => published(name, key_set, facts.gathered_at, found),
            None if issuer.configured.discovers || issuer.configured.key_source.is_some() => {
                found.unseen(format!("the key set of {name}"));
            }
            None => {}
        }
    }
}

/// One thing that is fetched from a provider.
struct Way<'a> {
    name: &'a str,
    /// `discovery document` or `key set`.
    what: &'a str,
    reach: &'a Reach,
    now: i64,
}

fn published(name: &str, key_set: &KeySetFacts, now: i64, found: &mut Found) {
    let Some(reach) = &key_set.reach else {
        match &key_set.trouble {
            Some(trouble) => found.add(
                Finding::new(
                    Code::KeyFileUnreadable,
                    format!("the key file {} cannot be used: {trouble}", key_set.place),
                )
                .of(name)
                .seen(format!("{}: {trouble}", key_set.place))
                .certain()
                .run("See whether the gateway's user can read it", ["ls", "-l", "--", &key_set.place])
                .run("and what is in it", ["keyward", "keys", "check", "--", &key_set.place]),
            ),
            None => found.healthy(name, format!("the key file {} can be read", key_set.place)),
        }
        return;
    };
    let way = Way { name, what: "key set", reach, now };
    if let Some(finding) = way.flaps(key_set.again.as_ref()) {
        found.add(finding);
    }
    if way.look(found)
        && let Some(trouble) = &key_set.trouble
        && key_set.answers.is_empty()
    {
        found.add(
            way.finding(Code::NoKeySet, format!("what {} answers is no JWK Set: {trouble}", reach.url))
                .certain(),
        );
    }
}

/// What a discovery document says, where it could be had.
fn document(issuer: &IssuerFacts, found: &mut Found) {
    let Some(discovery) = &issuer.discovery else { return };
    let name = issuer.configured.name.as_str();
    let url = &discovery.reach.url;
    let answered = discovery
        .reach
        .attempts
        .iter()
        .any(|attempt| answer(attempt).is_some_and(|answer| answer.status == 200));
    let missing = match (&discovery.issuer, &discovery.jwks_uri) {
        _ if !answered => return,
        (None, _) => "is no JSON object with an issuer",
        (_, None) => "names no jwks_uri",
        (Some(_), Some(_)) => return,
    };
    found.add(
        Finding::new(Code::DiscoveryBroken, format!("the discovery document at {url} {missing}"))
            .of(name)
            .seen_all(way::told(&discovery.reach))
            .certain()
            .run_curl("See what it says", url)
            .step("Or configure the key set's address as jwks_uri, so that no discovery is needed"),
    );
}

impl Way<'_> {
    /// Whether some address answers as it should.
    fn look(&self, found: &mut Found) -> bool {
        let reach = self.reach;
        if let Some(label) = reach.refused.as_ref().filter(|label| *label != "forbidden_address") {
            found.add(self.refused(label));
            return false;
        }
        match &reach.lookup {
            Lookup::Failed(_) | Lookup::TimedOut => {
                found.add(self.unresolved());
                return false;
            }
            Lookup::Found(addresses) if addresses.is_empty() => {
                found.add(self.unresolved());
                return false;
            }
            Lookup::Found(_) | Lookup::Literal(_) | Lookup::NotTried => {}
        }
        self.certificates(found);
        let is_well = |attempt: &&Attempt| is_good(&attempt.ended) && self.trouble(attempt).is_none();
        let well = reach.attempts.iter().filter(is_well).count();
        let troubles: Vec<(Code, &Attempt)> =
            reach.attempts.iter().filter_map(|attempt| Some((self.trouble(attempt)?, attempt))).collect();
        if troubles.is_empty() && well == 0 {
            found
                .unseen(format!("the {} of {} at {}: no address was tried", self.what, self.name, reach.url));
            return false;
        }
        if troubles.is_empty() {
            found.healthy(self.name, self.told_well(well));
            return true;
        }
        if let Some(family) = self.blocked_family() {
            found.add(self.one_family(family));
        }
        for code in codes(&troubles) {
            let of_it: Vec<&Attempt> =
                troubles.iter().filter(|(other, _)| *other == code).map(|(_, attempt)| *attempt).collect();
            if let Some(finding) = self.said(code, &of_it, well) {
                found.add(finding);
            }
        }
        well > 0
    }

    /// What is wrong with one address, if something is.
    fn trouble(&self, attempt: &Attempt) -> Option<Code> {
        let is_key_set = self.what == "key set";
        Some(match &attempt.ended {
            Ended::Answered(answer) => return self.answered(answer),
            // Another address said so, and said more.
            Ended::AskedToWait(_) if self.fails_elsewhere() => return None,
            Ended::AskedToWait(_) => Code::RateLimited,
            Ended::BrokeOff => Code::AnswerBreaksOff,
            Ended::Forbidden(_) => Code::AddressForbidden,
            Ended::OutOfTime => return None,
            Ended::NotHttp if is_key_set => Code::NoKeySet,
            Ended::NotHttp => Code::DiscoveryBroken,
            Ended::TimedOut(Waited::Connection) => Code::ConnectionTimedOut,
            Ended::TimedOut(Waited::Body | Waited::FirstOctet) => Code::AnswersTooSlowly,
            Ended::TimedOut(Waited::Handshake) => Code::TlsFails,
            Ended::TlsFailed => match attempt.tls.as_ref().and_then(|tls| tls.trouble.as_ref()) {
                Some(TlsTrouble::Expired) => Code::TlsCertificateExpired,
                Some(TlsTrouble::NameMismatch) => Code::TlsNameMismatch,
                Some(TlsTrouble::Untrusted) => Code::TlsUntrusted,
                Some(
                    TlsTrouble::ClientCertificateWanted | TlsTrouble::NotYetValid | TlsTrouble::Other(_),
                )
                | None => Code::TlsFails,
            },
            // What runs on this machine listens by one family as often as by both.
            Ended::ConnectRefused
                if attempt.address.ip().is_loopback() && self.other_family_connects(attempt) =>
            {
                return None;
            }
            Ended::ConnectRefused => Code::ConnectionRefused,
            // A machine without IPv6 says so of each such address, and needs none of them.
            Ended::Unreachable(_) if self.other_family_connects(attempt) => return None,
            Ended::Unreachable(_) => Code::ConnectionTimedOut,
        })
    }

    fn answered(&self, answer: &Answer) -> Option<Code> {
        let is_key_set = self.what == "key set";
        let no_use = if is_key_set { Code::NoKeySet } else { Code::DiscoveryBroken };
        match answer.status {
            200 if answer.body.over_limit && is_key_set => Some(Code::KeySetTooLarge),
            200 if answer.body.over_limit || answer.body.kind != BodyKind::JsonObject => Some(no_use),
            200 => None,
            300..400 => Some(Code::Redirected),
            401 | 403 | 407 if is_key_set => Some(Code::AccessDenied),
            429 => Some(Code::RateLimited),
            400..500 if is_key_set => Some(Code::NotFound),
            500..600 => Some(Code::ProviderFails),
            _ => Some(no_use),
        }
    }

    /// The finding of one code, from all addresses that it is true of. None where another finding says it.
    fn said(&self, code: Code, attempts: &[&Attempt], well: usize) -> Option<Finding> {
        let (url, total) = (&self.reach.url, self.reach.attempts.len());
        let is_dead = matches!(code, Code::ConnectionRefused | Code::ConnectionTimedOut);
        let connects = self.reach.attempts.iter().any(|attempt| attempt.connect_ms.is_some());
        if is_dead && connects {
            let is_whole_family = self.blocked_family().is_some();
            return (!is_whole_family).then(|| {
                let dead = self.reach.attempts.iter().filter(|attempt| is_dead_end(attempt)).count();
                let cause = format!("{dead} of {total} addresses of {} do not answer", way::host(url));
                self.finding(Code::SomeAddressesDead, cause)
                    .certain()
                    .step("Take the dead addresses out of DNS, or bring what is behind them back")
            });
        }
        let cause = self.cause(code, attempts);
        let of_some =
            if well > 0 { format!(", at {} of {total} addresses", attempts.len()) } else { String::new() };
        let finding = self.finding(code, format!("{cause}{of_some}"));
        let finding = if well > 0 { finding.likely() } else { finding.certain() };
        Some(self.fix(code, finding))
    }

    /// The family of which no address is reached while the other is: `IPv4` or `IPv6`.
    fn blocked_family(&self) -> Option<&'static str> {
        let is_silent = |attempt: &Attempt| is_dead_end(attempt) && self.trouble(attempt).is_some();
        let (v4, v6): (Vec<&Attempt>, Vec<&Attempt>) =
            self.reach.attempts.iter().partition(|attempt| attempt.address.is_ipv4());
        let connects = |attempts: &[&Attempt]| attempts.iter().any(|attempt| attempt.connect_ms.is_some());
        let all_dead =
            |attempts: &[&Attempt]| !attempts.is_empty() && attempts.iter().all(|attempt| is_silent(attempt));
        match (all_dead(&v4), all_dead(&v6)) {
            (true, false) if connects(&v6) => Some("IPv4"),
            (false, true) if connects(&v4) => Some("IPv6"),
            _ => None,
        }
    }

    /// Whether some address answers what is neither good nor a request to wait.
    fn fails_elsewhere(&self) -> bool {
        self.reach.attempts.iter().filter_map(answer).any(|answer| !matches!(answer.status, 200 | 429))
    }

    fn other_family_connects(&self, attempt: &Attempt) -> bool {
        let is_v4 = attempt.address.is_ipv4();
        self.reach.attempts.iter().any(|other| other.address.is_ipv4() != is_v4 && other.connect_ms.is_some())
    }

    /// Whether the second question to an address, a moment after the first, ended otherwise than that.
    fn flaps(&self, again: Option<&Ended>) -> Option<Finding> {
        let again = again.filter(|again| !is_put_off(again))?;
        let first = self.reach.attempts.iter().find(|attempt| answer(attempt).is_some())?;
        if is_good(&first.ended) == is_good(again) || is_put_off(&first.ended) {
            return None;
        }
        let second = Attempt { ended: again.clone(), ..first.clone() };
        let cause =
            format!("{} answers now and then: one of two questions was answered", way::host(&self.reach.url));
        let finding = self.finding(Code::ProviderFlaps, cause).likely();
        let told = way::attempt_told(self.reach, &second);
        Some(self.fix(Code::ProviderFlaps, finding.seen(format!("{told}, a moment later"))))
    }

    /// Certificates that are accepted, and not for long.
    fn certificates(&self, found: &mut Found) {
        let ending = self.reach.attempts.iter().find_map(|attempt| {
            let tls = attempt.tls.as_ref().filter(|tls| tls.trouble.is_none())?;
            Some((attempt, ending_soon(self.now, tls.not_before, tls.not_after)?))
        });
        if let Some((attempt, left)) = ending {
            let cause = format!(
                "the TLS certificate of {} expires in {}",
                way::host(&self.reach.url),
                lasting(left as f64)
            );
            found.add(
                Finding::new(Code::TlsCertificateExpiring, cause)
                    .of(self.name)
                    .seen_all(way::certificate_told(attempt))
                    .certain()
                    .run_s_client("See the certificate", &self.reach.url)
                    .step("Have it renewed; if it renews by itself, that has stopped"),
            );
        }
    }
}

/// How many seconds are left of a certificate that should have been renewed by now.
pub(super) fn ending_soon(now: i64, not_before: Option<i64>, not_after: Option<i64>) -> Option<i64> {
    let left = not_after?.saturating_sub(now);
    let life = not_before.map_or(i64::MAX, |from| not_after.unwrap_or(i64::MAX).saturating_sub(from));
    (left > 0 && left < SOON_S && left < life / RENEWED_WITH).then_some(left)
}

fn codes(troubles: &[(Code, &Attempt)]) -> Vec<Code> {
    let mut codes: Vec<Code> = troubles.iter().map(|(code, _)| *code).collect();
    codes.sort();
    codes.dedup();
    // Where some are refused and others say nothing, the silent ones are what to look for.
    if codes.contains(&Code::ConnectionTimedOut) {
        codes.retain(|code| *code != Code::ConnectionRefused);
    }
    codes
}

fn answer(attempt: &Attempt) -> Option<&Answer> {
    match &attempt.ended {
        Ended::Answered(answer) => Some(answer),
        _ => None,
    }
}

fn is_good(ended: &Ended) -> bool {
    matches!(ended, Ended::Answered(answer) if answer.status == 200)
}

/// Whether that says nothing of how a provider fares: it was not asked, or it was asked too often.
fn is_put_off(ended: &Ended) -> bool {
    match ended {
        Ended::Answered(answer) => answer.status == 429,
        Ended::AskedToWait(_) | Ended::OutOfTime => true,
        _ => false,
    }
}

/// Whether no connection came about, for a reason of the network.
fn is_dead_end(attempt: &Attempt) -> bool {
    matches!(
        attempt.ended,
        Ended::TimedOut(Waited::Connection) | Ended::ConnectRefused | Ended::Unreachable(_)
    )
}

#[cfg(test)]
mod tests;
