//! Our own authority, node by node.

use crate::authority::{AuthorityCause, finding};
use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::{Attempt, AuthorityFacts, Ended, Facts, ProviderLogCause, RealmKeys, RefusalCount};

use super::found::Found;
use super::reach::ending_soon;
use super::way;
use super::words::{lasting, several};

/// Fewer refusals for one cause say nothing, and neither does a smaller share of all requests.
const FEWEST: u64 = 5;
const LEAST_SHARE: f64 = 0.01;

/// Not much longer than a node may answer from memory (promise 9).
const LOG_AGE_S: f64 = 1.0;

/// A step of a rotation is done by the next round; one that is late by so much is not.
const OVERDUE_S: f64 = 300.0;

pub(super) fn look(facts: &Facts, found: &mut Found) {
    for node in &facts.authority {
        if node.readiness.is_none() {
            found.add(unreachable(node));
            continue;
        }
        listener(node, facts.gathered_at, found);
        readiness(node, found);
        behind(node, &facts.authority, found);
        if node.is_measured {
            configuration(node, found);
            keys(node, found);
            refusals(node, found);
        } else {
            found.unseen(format!("what the authority at {} counts: /metrics cannot be read", place(node)));
        }
    }
}

fn unreachable(node: &AuthorityFacts) -> Finding {
    let answers = node.reach.attempts.iter().any(|attempt| matches!(attempt.ended, Ended::Answered(_)));
    let cause = if answers {
        format!("what answers at {} is not an authority's admin listener", place(node))
    } else {
        format!("the authority's admin listener at {} does not answer", place(node))
    };
    let finding = Finding::new(Code::AuthorityUnreachable, cause).seen_all(way::told(&node.reach));
    let finding = if answers { finding.likely() } else { finding.certain() };
    finding
        .step("Is it running, and is this its admin_listen? It is another one than the clients', and has no TLS")
        .run("See the service", ["systemctl", "status", "keyward-authority"])
        .run_curl("Ask it yourself, on its machine", &node.reach.url)
}

/// The certificates of its own listeners: those that it tells of, and the one that it showed us.
fn listener(node: &AuthorityFacts, now: i64, found: &mut Found) {
    let shown = node.reach.attempts.iter().filter_map(|attempt: &Attempt| attempt.tls.as_ref());
    let shown = shown.filter_map(|tls| Some(("admin".to_owned(), tls.not_before, tls.not_after?)));
    let told = node.certificates.iter().map(|(listener, end)| (listener.clone(), None, *end));
    for (listener, begin, end) in told.chain(shown) {
        let what = format!("the certificate of the authority's {listener} listener");
        let cause = match ending_soon(now, begin, Some(end)) {
            _ if end <= now => {
                format!("{what} at {} expired {} ago", place(node), lasting(now.saturating_sub(end) as f64))
            }
            Some(left) => format!("{what} at {} expires in {}", place(node), lasting(left as f64)),
            None => continue,
        };
        found.add(
            Finding::new(Code::ListenerCertificateExpiring, cause)
                .seen(format!("its end: {}", crate::moment(end)))
                .certain()
                .step("Renew it: put the new certificate and its key into the files of [authority.tls]"),
        );
    }
}

fn readiness(node: &AuthorityFacts, found: &mut Found) {
    let status = node.readiness.as_deref().unwrap_or_default();
    let seen = format!("GET /readyz: {status}");
    let at = place(node);
    let finding = match status {
        "ready" => return found.healthy(None, format!("the authority at {at} is ready")),
        "draining" => Finding::new(
            Code::AuthorityNotReady,
            format!("the authority at {at} has been told to stop, and takes no new requests"),
        )
        .step("It ends by itself when what is under way is answered; start it again if nobody meant that")
        .run("See who told it", ["journalctl", "-u", "keyward-authority", "-o", "cat", "-n", "50"]),
        "storage_unavailable" => Finding::new(
            Code::AuthorityCutOff,
            format!("the authority at {at} cannot read its database, and answers 503 to all that it would have to know for"),
        )
        .seen_all(node.log_age_s.map(|age| format!("it was last at the log's head {} ago", lasting(age))))
        .seen_all(unavailable(node))
        .step("Look at the database: is it up, can this node reach it, has it connections left, is its disk full?")
        .run("What the node says of it", ["journalctl", "-u", "keyward-authority", "-o", "cat", "-n", "50"])
        .step("It goes on by itself when it can read again; a restart helps nothing"),
        other => Finding::new(
            Code::AuthorityNotReady,
            format!("the authority at {at} is not ready ({other})"),
        )
        .run("What it says of it", ["journalctl", "-u", "keyward-authority", "-o", "cat", "-n", "50"]),
    };
    found.add(finding.seen(seen).certain());
}

/// How often it had to say that it cannot tell.
fn unavailable(node: &AuthorityFacts) -> Option<String> {
    let rows = node.refusals.iter().filter(|row| row.cause == "unavailable");
    let risen = rows.fold(0, |sum: u64, row| sum.saturating_add(row.risen));
    (risen > 0).then(|| format!("{risen} requests in {} were answered 503 (unavailable)", over(node)))
}

/// A node that has not read what others had read before it was asked last.
fn behind(node: &AuthorityFacts, nodes: &[AuthorityFacts], found: &mut Found) {
    let head = nodes.iter().filter_map(|other| other.position).max();
    let by_others = head.zip(node.position_later).map_or(0, |(head, own)| head.saturating_sub(own));
    let by = by_others.max(node.behind_by.unwrap_or(0));
    let is_old = node.log_age_s.is_some_and(|age| age > LOG_AGE_S);
    let at = place(node);
    if by <= 0 && !is_old {
        if nodes.len() > 1 {
            found.healthy(None, format!("the authority at {at} has read all of the log"));
        }
        return;
    }
    let cause = if by > 0 {
        format!(
            "the authority at {at} is behind the log by {}",
            several(usize::try_from(by).unwrap_or(usize::MAX), "position")
        )
    } else {
        format!(
            "the authority at {at} has not seen the log's head for {}",
            lasting(node.log_age_s.unwrap_or(0.0))
        )
    };
    let positions = nodes.iter().filter_map(|other| {
        Some(format!("{} is at position {}", place(other), other.position_later.or(other.position)?))
    });
    let finding = Finding::new(Code::AuthorityBehind, cause)
        .seen_all(positions)
        .seen_all(node.log_age_s.map(|age| format!("{at} was last at the log's head {} ago", lasting(age))))
        .step("It answers nothing from memory that is older than 0.7 s, so that what it says is right; it reads the database for each request, and is slow")
        .step("Look at its way to the database, at the database's load, and whether all these nodes are of one database")
        .run("What it says of it", ["journalctl", "-u", "keyward-authority", "-o", "cat", "-n", "50"]);
    found.add(if by > 0 { finding.certain() } else { finding.likely() });
}

fn configuration(node: &AuthorityFacts, found: &mut Found) {
    if !node.has_refused_configuration {
        return;
    }
    let cause =
        format!("the authority at {} refused its new configuration, and runs on the one before", place(node));
    found.add(
        Finding::new(Code::AuthorityConfigurationRefused, cause)
            .seen("its metric config_refused is 1")
            .certain()
            .run("See why", ["keyward", "authority", "config", "check", "/etc/keyward/authority.toml"])
            .run(
                "and what the node says of it",
                ["journalctl", "-u", "keyward-authority", "-o", "cat", "-n", "50"],
            ),
    );
}

fn keys(node: &AuthorityFacts, found: &mut Found) {
    let at = place(node);
    for realm in &node.realms {
        let RealmKeys { realm: name, active, published, passive, .. } = realm;
        let seen = format!(
            "{at}: realm {name} has {active} active, {published} published and {passive} passive keys"
        );
        if *active == 0 {
            found.add(
                Finding::new(Code::RealmWithoutKey, format!("realm {name} has no active key: no token of it can be signed"))
                    .seen(&seen)
                    .certain()
                    .run("See its keys, and until when each was to sign", signing_key("list", name))
                    .step("Look in the log for rotation_failed and signing_key_closed: a node with another master key cannot open the realm's keys")
                    .run("Have it rotate: the new key signs at once where there is none to sign", signing_key("rotate", name)),
            );
        }
        if realm.is_closed {
            let cause =
                format!("the authority at {at} cannot open a key of realm {name} that signs, or is going to");
            found.add(
                Finding::new(Code::RealmWithoutKey, cause)
                    .seen(&seen)
                    .certain()
                    .step("It was started with another master key than the one that sealed it: compare the master key's file with that of the other nodes")
                    .step("Where the old master key is still there, give it as a further one, and the node can open both"),
            );
        }
        if let Some(overdue) = realm.overdue_s.filter(|overdue| *overdue >= OVERDUE_S) {
            found.add(
                Finding::new(
                    Code::RotationOverdue,
                    format!("the next step of realm {name}'s rotation is overdue by {}", lasting(overdue)),
                )
                .seen(&seen)
                .certain()
                .step("Any node takes the step; none does. Look in each one's log for rotation_failed")
                .run("See its keys, and what was to become of each", signing_key("list", name)),
            );
        }
    }
    if !node.realms.is_empty() && node.realms.iter().all(|realm| realm.active > 0) {
        let count = several(node.realms.len(), "realm");
        found.healthy(None, format!("the authority at {at}: each of {count} has a key that signs"));
    }
}

fn signing_key(what: &'static str, realm: &str) -> [String; 9] {
    [
        "keyward",
        "authority",
        "signing-key",
        what,
        "--server",
        "https://AUTHORITY",
        "--key-file",
        "administrator.json",
        "",
    ]
    .map(str::to_owned)
    .map(|word| if word.is_empty() { format!("--realm={realm}") } else { word })
}

/// Causes that go on, and are more than a person who mistypes.
fn refusals(node: &AuthorityFacts, found: &mut Found) {
    let at = place(node);
    let share = |row: &RefusalCount| row.count as f64 / (node.requests.max(row.count) as f64).max(1.0);
    let is_much = |row: &&RefusalCount| row.risen > 0 && row.count >= FEWEST && share(row) >= LEAST_SHARE;
    let mut rows: Vec<&RefusalCount> = node.refusals.iter().filter(is_much).collect();
    // That it cannot tell is told of it, and that somebody failed before stands beside what they failed at.
    rows.retain(|row| {
        !(row.cause == "unavailable" && node.readiness.as_deref() == Some("storage_unavailable"))
    });
    rows.sort_by_key(|row| std::cmp::Reverse((row.risen, row.count)));
    if rows.is_empty() {
        found.healthy(
            None,
            format!("the authority at {at} refuses nobody again and again, within {}", over(node)),
        );
    }
    for row in rows {
        let realm = if row.realm.is_empty() { "no realm".to_owned() } else { format!("realm {}", row.realm) };
        let cause =
            format!("the authority refuses requests to {} of {realm} for {}", row.endpoint, row.cause);
        let finding = Finding::new(Code::AuthorityRefuses, cause)
            .seen(format!(
                "{at}: {} times since it started ({:.1} % of all requests), {} of them within {}",
                row.count,
                share(row) * 100.0,
                row.risen,
                over(node)
            ))
            .certain();
        found.add(meant(finding, row));
    }
}

/// What the cause means, and who can tell whom it is of.
fn meant(finding_: Finding, row: &RefusalCount) -> Finding {
    let finding_ = match AuthorityCause::of(&row.cause).map(|known| known.cause) {
        Some(ProviderLogCause::Unavailable) => finding_.step("It cannot know: the storage cannot be read, nothing can be signed, or too many secrets wait to be hashed. Its log says which: storage_unavailable, entity_unreadable or signing_unavailable, and nothing where secrets wait"),
        Some(ProviderLogCause::Limited) => finding_.step("Somebody failed too often before: the cause of that stands beside this, or in the log. Behind a proxy that is not among trusted_peers all clients have one address"),
        _ => finding_.step("The log names the client where it had shown who it is: token_refused and introspection_refused with this cause"),
    };
    let page = finding(&row.cause);
    let finding_ = finding_.step(format!(
        "What it means, and what its client has to mend: docs/reference/authority-causes.md#{}",
        row.cause
    ));
    if page == Code::AuthorityRefuses {
        return finding_;
    }
    finding_.run("The same from the client's side", ["keyward", "doctor", "explain", &page.to_string()])
}

/// Within which time counts rose.
fn over(node: &AuthorityFacts) -> String {
    lasting(node.over_ms as f64 / 1000.0)
}

/// Host and port of its admin listener.
fn place(node: &AuthorityFacts) -> String {
    let url = url::Url::parse(&node.reach.url).ok();
    let told = url.and_then(|url| Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?)));
    told.unwrap_or_else(|| node.reach.url.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::diagnose;
    use crate::rules::fixture::{NOW, gateway, outline, with};

    const DAY: i64 = 86_400;

    fn node() -> AuthorityFacts {
        let mut reach = gateway().reach;
        reach.url = "http://127.0.0.1:9085/readyz".to_owned();
        AuthorityFacts {
            reach,
            readiness: Some("ready".to_owned()),
            is_measured: true,
            position: Some(40),
            position_later: Some(41),
            behind_by: None,
            has_refused_configuration: false,
            log_age_s: Some(0.1),
            over_ms: 6_000,
            requests: 1_000,
            refusals: vec![refused("secret_wrong", 40, 0), refused("client_unknown", 3, 3)],
            realms: vec![RealmKeys { realm: "main".to_owned(), active: 1, ..RealmKeys::default() }],
            certificates: Vec::new(),
        }
    }

    fn refused(cause: &str, count: u64, risen: u64) -> RefusalCount {
        let (realm, endpoint) = ("main".to_owned(), "token".to_owned());
        RefusalCount { realm, endpoint, cause: cause.to_owned(), count, risen }
    }

    fn of_nodes(nodes: Vec<AuthorityFacts>) -> Facts {
        with(|facts| facts.authority = nodes)
    }

    fn changed(change: impl FnOnce(&mut AuthorityFacts)) -> Facts {
        let mut node = node();
        change(&mut node);
        of_nodes(vec![node])
    }

    fn said(facts: &Facts) -> String {
        outline(&diagnose(facts).findings)
    }

    #[test]
    fn a_node_that_is_well_leaves_nothing_to_find_and_alone_needs_no_gateway() {
        assert_eq!(said(&of_nodes(vec![node(), node()])), "");
        let mut facts = of_nodes(vec![node()]);
        (facts.gateway, facts.issuers) = (None, Vec::new());
        let diagnosis = diagnose(&facts);
        assert_eq!((diagnosis.findings.len(), diagnosis.unseen.len()), (0, 0), "{diagnosis:?}");
        assert_eq!(diagnosis.healthy.len(), 3, "{diagnosis:?}");
    }

    #[test]
    fn each_state_of_a_node_has_a_name() {
        for (readiness, code) in [
            (None, "KW7201"),
            (Some("draining"), "KW7202"),
            (Some("storage_unavailable"), "KW7203"),
            (Some("new"), "KW7202"),
        ] {
            let facts = changed(|node| node.readiness = readiness.map(str::to_owned));
            assert_eq!(said(&facts), code, "{readiness:?}");
        }
        let facts = changed(|node| node.realms[0].active = 0);
        assert_eq!(said(&facts), "KW7205");
        let facts = changed(|node| node.realms[0].is_closed = true);
        assert_eq!(said(&facts), "KW7205");
        let facts = changed(|node| node.has_refused_configuration = true);
        assert_eq!(said(&facts), "KW7208");
        let facts = changed(|node| node.realms[0].overdue_s = Some(4_000.0));
        assert_eq!(said(&facts), "KW7206");
        let facts = changed(|node| node.certificates = vec![("clients'".to_owned(), NOW + 3 * DAY)]);
        assert_eq!(said(&facts), "KW5107");
        let facts = changed(|node| node.certificates = vec![("clients'".to_owned(), NOW + 90 * DAY)]);
        assert_eq!(said(&facts), "");
    }

    #[test]
    fn a_node_that_has_not_read_what_another_had_is_behind() {
        let mut slow = node();
        (slow.position, slow.position_later) = (Some(12), Some(12));
        let facts = of_nodes(vec![node(), slow]);
        assert_eq!(said(&facts), "KW7204");
        let finding = &diagnose(&facts).findings[0];
        assert!(finding.cause.ends_with("is behind the log by 28 positions"), "{}", finding.cause);
        assert_eq!(said(&changed(|node| node.log_age_s = Some(4.0))), "KW7204");
        // What follows from a database that cannot be read stands under it.
        let facts = changed(|node| {
            (node.readiness, node.log_age_s) = (Some("storage_unavailable".to_owned()), Some(40.0));
            node.refusals = vec![refused("unavailable", 90, 9)];
        });
        assert_eq!(said(&facts), "KW7203(KW7204)");
    }

    #[test]
    fn a_cause_is_told_while_it_rises_each_by_itself_and_what_is_few_is_not() {
        let rising = |rows: Vec<RefusalCount>| changed(|node| node.refusals = rows);
        assert_eq!(said(&rising(vec![refused("secret_wrong", 4, 4)])), "");
        assert_eq!(
            said(&rising(vec![refused("secret_wrong", 9, 9)])),
            "",
            "it is less than one in a hundred"
        );
        assert_eq!(said(&rising(vec![refused("secret_wrong", 500, 0)])), "", "it is over");
        let both = rising(vec![refused("secret_wrong", 90, 1), refused("refresh_token_reused", 50, 2)]);
        assert_eq!(said(&both), "KW7207 KW7207");
        let findings = diagnose(&both).findings;
        let text = serde_json::to_string(&findings).expect("JSON");
        for said in ["authority-causes.md#refresh_token_reused", "keyward doctor explain KW2201", "90 times"]
        {
            assert!(text.contains(said), "{said}: {text}");
        }
    }
}
