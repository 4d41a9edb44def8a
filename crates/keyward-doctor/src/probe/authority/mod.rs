//! A node of our own authority, by its admin listener: its readiness, and its metrics twice, since a count alone does not tell
//! whether it goes on.

mod samples;

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use url::Url;

use super::context::Context;
use super::gateway::{ask, json, page};
use super::reach::{Exchange, Network};
use crate::facts::{AuthorityFacts, RealmKeys, RefusalCount};
use samples::{Sample, samples};

/// Between the two: long enough for whoever tries again each few seconds, and a part of what the whole look may take.
const BETWEEN: Duration = Duration::from_secs(6);

/// So many rows of a kind are kept: a page is of our own node, and a bundle has an end.
const ROWS: usize = 4096;

#[derive(Deserialize)]
struct Readiness {
    status: String,
    position: Option<i64>,
    log_age_seconds: Option<f64>,
}

/// What the node whose admin listener is at `admin` says of itself.
pub(super) async fn authority(context: &Context, admin: &Url) -> AuthorityFacts {
    let network = Network::to_gateway(context);
    let (began, first) = (context.mono(), network_asked(&network, admin).await);
    // Half of what is left belongs to the second time.
    tokio::time::sleep(BETWEEN.min(context.left() / 2)).await;
    let later = network_asked(&network, admin).await;
    let over_ms = context.ms_since(began);
    let (before, after) = (measured(&first.metrics), measured(&later.metrics));
    let is_measured = before.is_some() || after.is_some();
    // A node that was started anew in between counts from nothing.
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (before, after) => (Vec::new(), before.or(after).unwrap_or_default()),
    };
    let readiness = later.readiness();
    AuthorityFacts {
        is_measured,
        position: first.readiness().and_then(|readiness| readiness.position),
        position_later: readiness.as_ref().and_then(|readiness| readiness.position),
        // One that is just being read is not one that is missed.
        behind_by: gauge(&after, "log_behind")
            .zip(gauge(&before, "log_behind"))
            .map(|(one, other)| one.min(other) as i64),
        has_refused_configuration: gauge(&after, "config_refused").is_some_and(|refused| refused > 0.0),
        log_age_s: readiness.as_ref().and_then(|readiness| readiness.log_age_seconds),
        over_ms,
        requests: total(&after, "requests_total"),
        refusals: refusals(&before, &after),
        realms: realms(&after, context.now().wall.0),
        certificates: certificates(&after),
        readiness: readiness.map(|readiness| readiness.status),
        reach: later.readyz.reach,
    }
}

/// Both pages, asked at the same time.
struct Pages {
    readyz: Exchange,
    metrics: Exchange,
}

impl Pages {
    /// It says with 503 why it is not ready.
    fn readiness(&self) -> Option<Readiness> {
        json(&self.readyz, |_| true)
    }
}

async fn network_asked(network: &Network, admin: &Url) -> Pages {
    let (readyz, metrics) =
        tokio::join!(ask(network, page(admin, "readyz", None)), ask(network, page(admin, "metrics", None)));
    Pages { readyz, metrics }
}

/// The samples of the page; none where it is none of an authority's.
fn measured(asked: &Exchange) -> Option<Vec<Sample<'_>>> {
    let answer = asked.answers.first().filter(|answer| answer.is_whole && answer.status == StatusCode::OK)?;
    let text = str::from_utf8(&answer.body).ok()?;
    let samples: Vec<_> = ours(text).collect();
    (!samples.is_empty()).then_some(samples)
}

/// The authority's own samples, without the first words of their names: those of the namespace are configured.
fn ours(text: &str) -> impl Iterator<Item = Sample<'_>> {
    samples(text)
        .filter_map(|sample| Some(Sample { name: sample.name.split_once("_authority_")?.1, ..sample }))
}

fn gauge(samples: &[Sample<'_>], name: &str) -> Option<f64> {
    samples.iter().find(|sample| sample.name == name).map(|sample| sample.value)
}

fn total(samples: &[Sample<'_>], name: &str) -> u64 {
    let of_name = samples.iter().filter(|sample| sample.name == name);
    of_name.fold(0, |sum: u64, sample| sum.saturating_add(sample.count()))
}

fn refusals(before: &[Sample<'_>], after: &[Sample<'_>]) -> Vec<RefusalCount> {
    const NAME: &str = "refusals_total";
    let of_name = after.iter().filter(|sample| sample.name == NAME).take(ROWS);
    of_name
        .map(|sample| {
            let then = before.iter().find(|other| other.name == NAME && other.labels == sample.labels);
            let count = sample.count();
            // What was not there before began in between, where there was a before.
            let earlier = then.map_or(if before.is_empty() { count } else { 0 }, Sample::count);
            RefusalCount {
                realm: sample.label("realm"),
                endpoint: sample.label("endpoint"),
                cause: sample.label("cause"),
                count,
                risen: count.saturating_sub(earlier),
            }
        })
        .collect()
}

fn realms(samples: &[Sample<'_>], now: i64) -> Vec<RealmKeys> {
    const OF_KEYS: [&str; 3] = ["signing_keys", "signing_key_next_step_seconds", "signing_keys_closed"];
    let mut realms: Vec<RealmKeys> = Vec::new();
    for sample in samples.iter().filter(|sample| OF_KEYS.contains(&sample.name)) {
        let name = sample.label("realm");
        let place = realms.iter().position(|realm| realm.realm == name).unwrap_or_else(|| {
            realms.push(RealmKeys { realm: name, ..RealmKeys::default() });
            realms.len() - 1
        });
        let Some(realm) = realms.get_mut(place) else { continue };
        match (sample.name, &*sample.label("state")) {
            ("signing_keys_closed", _) => realm.is_closed = sample.value > 0.0,
            ("signing_key_next_step_seconds", _) => {
                let overdue = Some(now as f64 - sample.value).filter(|overdue| *overdue > 0.0);
                realm.overdue_s = realm.overdue_s.into_iter().chain(overdue).reduce(f64::max);
            }
            (_, "active") => realm.active = realm.active.saturating_add(sample.count()),
            (_, "passive") => realm.passive = realm.passive.saturating_add(sample.count()),
            (_, "published") => realm.published = realm.published.saturating_add(sample.count()),
            _ => {}
        }
    }
    realms.truncate(ROWS);
    realms
}

/// Of the clients' listener; the one for operators has none.
fn certificates(samples: &[Sample<'_>]) -> Vec<(String, i64)> {
    let end = gauge(samples, "tls_certificate_not_after_seconds");
    end.map(|end| ("clients'".to_owned(), end as i64)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# TYPE keyward_authority_refusals counter\n\
        keyward_authority_refusals_total{realm=\"main\",endpoint=\"token\",cause=\"secret_wrong\"} 12\n\
        keyward_authority_refusals_total{realm=\"main\",endpoint=\"token\",cause=\"assertion_expired\"} 3\n\
        keyward_authority_requests_total{endpoint=\"token\",status=\"200\"} 40\n\
        keyward_authority_requests_total{endpoint=\"token\",status=\"401\"} 15\n\
        keyward_authority_signing_keys{realm=\"main\",algorithm=\"ES256\",state=\"active\"} 0\n\
        keyward_authority_signing_key_next_step_seconds{realm=\"main\",algorithm=\"ES256\",state=\"passive\"} 900\n\
        keyward_authority_signing_key_next_step_seconds{realm=\"main\",algorithm=\"RS256\",state=\"active\"} 2000\n\
        keyward_authority_signing_keys{realm=\"main\",state=\"passive\"} 2\n\
        # EOF\n";

    #[test]
    fn what_a_page_counts_is_read_and_held_against_the_one_before() {
        let before = PAGE.replace("} 12", "} 5").replace("cause=\"assertion_expired\"", "cause=\"other\"");
        let (before, after): (Vec<_>, Vec<_>) = (ours(&before).collect(), ours(PAGE).collect());
        let rows: Vec<_> =
            refusals(&before, &after).into_iter().map(|row| (row.cause, row.count, row.risen)).collect();
        assert_eq!(rows, [("secret_wrong".to_owned(), 12, 7), ("assertion_expired".to_owned(), 3, 3)]);
        assert!(refusals(&[], &after).iter().all(|row| row.risen == 0));
        assert_eq!(total(&after, "requests_total"), 55);
        let realms = realms(&after, 1_000);
        assert_eq!(realms[0].overdue_s, Some(100.0));
        assert_eq!((realms.len(), realms[0].active, realms[0].passive), (1, 0, 2));
    }
}
