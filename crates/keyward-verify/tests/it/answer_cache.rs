//! The memory of answers against a model: what is remembered, for how long, and that what is forgotten stays so.

use std::collections::HashMap;
use std::time::Duration;

use keyward_verify::introspection::{Answer, AnswerCache, AnswerCacheSettings, Forget, Found, Question};
use keyward_verify::{MonoTime, Now, Reason, Requirement, UnixTime};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

fn remember(cache: &AnswerCache, now: Now, token: &str, response: &Value) {
    let question = question(cache, now, token);
    cache.remember(now, &answered(&question, response));
}

fn is_active(cache: &AnswerCache, now: Now, token: &str) -> bool {
    matches!(cache.look(now, token.as_bytes()), Found::Active(_))
}

fn is_unknown(cache: &AnswerCache, now: Now, token: &str) -> bool {
    matches!(cache.look(now, token.as_bytes()), Found::Unknown(_))
}

fn after(duration: Duration) -> Now {
    Now { mono: START.mono.saturating_add(duration), ..START }
}

#[test]
fn an_active_answer_lasts_thirty_seconds_or_until_exp() {
    let cache = answers();
    remember(&cache, START, "a", &good_response());
    assert!(is_active(&cache, after(Duration::from_nanos(29_999_999_999)), "a"));
    assert!(is_unknown(&cache, after(seconds(30)), "a"));

    // `exp` ends it without leeway: from then on the endpoint has the word.
    remember(&cache, START, "b", &with(good_response(), "exp", START.wall.0 + 10));
    let at = |wall: i64| Now { wall: UnixTime(START.wall.0 + wall), ..START };
    assert!(is_active(&cache, at(9), "b"));
    assert!(is_unknown(&cache, at(10), "b"));

    remember(&cache, START, "c", &without(good_response(), "exp"));
    assert!(is_active(&cache, at(1_000_000), "c"), "then only the other bound holds");
    assert!(is_unknown(&cache, after(seconds(30)), "c"));
}

#[test]
fn its_time_counts_from_the_question() {
    let cache = answers();
    let question = question(&cache, START, "a");
    cache.remember(later(START, seconds(29)), &answered(&question, &good_response()));
    assert!(is_active(&cache, later(START, seconds(29)), "a"));
    assert!(is_unknown(&cache, later(START, seconds(30)), "a"), "a slow answer is an old one");
}

#[test]
fn an_inactive_answer_lasts_five_seconds() {
    let cache = answers();
    remember(&cache, START, "a", &json!({ "active": false }));
    assert!(matches!(cache.look(after(Duration::from_nanos(4_999_999_999)), b"a"), Found::Inactive));
    assert!(is_unknown(&cache, after(seconds(5)), "a"));
}

#[test]
fn what_is_remembered_is_checked_for_each_route() {
    let cache = answers();
    remember(&cache, START, "a", &good_response());
    let Found::Active(active) = cache.look(START, b"a") else { panic!("active") };
    assert!(active.check(START, &Requirement::default()).is_ok());
    let demanding = Requirement { scopes: vec!["admin".into()], ..Requirement::default() };
    assert_eq!(active.check(START, &demanding).err(), Some(Reason::InsufficientScope));
}

#[test]
fn a_token_is_nothing_but_itself() {
    let cache = answers();
    remember(&cache, START, "token", &good_response());
    for other in ["", "toke", "token ", "Token", "tokem", "token\0"] {
        assert!(is_unknown(&cache, START, other), "{other:?}");
    }
    assert!(!format!("{cache:?} {:?}", question(&cache, START, "secret")).contains("secret"));
}

#[test]
fn what_is_revoked_is_forgotten_at_once() {
    let tokens = |cache: &AnswerCache| {
        for (token, subject, jti, sid) in
            [("a", "alice", "1", "s"), ("b", "alice", "2", "t"), ("c", "bob", "3", "s")]
        {
            let response = json!({ "active": true, "sub": subject, "jti": jti, "sid": sid });
            remember(cache, START, token, &response);
        }
        remember(cache, START, "d", &json!({ "active": true }));
        remember(cache, START, "e", &json!({ "active": false }));
    };
    for (what, gone) in [
        (Forget::Token(b"a"), &["a"][..]),
        (Forget::Token(b"e"), &["e"]),
        (Forget::Token(b"f"), &[]),
        (Forget::Jti("2"), &["b"]),
        (Forget::Jti("s"), &[]),
        (Forget::Subject("alice"), &["a", "b"]),
        (Forget::Sid("s"), &["a", "c"]),
        (Forget::Sid(""), &[]),
    ] {
        let cache = answers();
        tokens(&cache);
        assert_eq!(cache.forget(what), gone.len(), "{what:?}");
        for token in ["a", "b", "c", "d", "e"] {
            assert_eq!(is_unknown(&cache, START, token), gone.contains(&token), "{what:?} and {token}");
        }
    }
    assert!(!format!("{:?}", Forget::Subject("alice")).contains("alice"));
}

/// A question is the same, whether its hash was made to look for an answer or to ask.
#[test]
fn a_blank_memory_asks_the_same_question() {
    let cache = answers();
    let blank = question(&cache, START, "a");
    cache.remember(START, &answered(&question(&cache, START, "b"), &json!({ "active": false })));
    assert_eq!(question(&cache, START, "a").flight(), blank.flight());
    let over = later(START, seconds(5));
    assert_eq!(question(&cache, over, "b").flight(), question(&answers(), over, "b").flight());
}

/// B13: the endpoint answered a moment before the token was revoked, and the answer arrives a moment after.
#[test]
fn an_answer_from_before_is_not_remembered_after() {
    let cache = answers();
    let [first, second] = [question(&cache, START, "a"), question(&cache, START, "a")];
    assert_eq!(first.flight(), second.flight(), "one call will do");
    assert_ne!(first.flight(), question(&cache, START, "b").flight());
    assert_eq!(cache.forget(Forget::Subject("alice")), 0, "it is not there yet");
    cache.remember(START, &answered(&first, &good_response()));
    assert!(cache.is_empty());
    let third = question(&cache, START, "a");
    assert_ne!(first.flight(), third.flight(), "and who asks now is not told what was said then");
    cache.remember(START, &answered(&third, &good_response()));
    assert!(is_active(&cache, START, "a"));
}

#[test]
fn inactive_tokens_evict_no_active_one_and_memory_is_bounded() {
    let settings =
        AnswerCacheSettings { octets: 1 << 20, inactive_limit: 100, ..AnswerCacheSettings::default() };
    let cache = AnswerCache::new(settings, [1; 32]);
    remember(&cache, START, "good", &good_response());
    for junk in 0..10_000 {
        remember(&cache, START, &format!("junk {junk}"), &json!({ "active": false }));
    }
    assert!(is_active(&cache, START, "good"));
    assert!(cache.len() <= 101, "{}", cache.len());
    let fat = with(good_response(), "x", "x".repeat(1000));
    for more in 0..5_000 {
        remember(&cache, START, &format!("more {more}"), &fat);
    }
    assert!(cache.octets() <= (1 << 20) + 100 * 64, "{}", cache.octets());
}

#[test]
fn a_hit_allocates_nothing() {
    let cache = answers();
    let token = "x".repeat(1200);
    remember(&cache, START, &token, &good_response());
    let requirement = Requirement { scopes: vec!["read".into()], ..Requirement::default() };
    let hit = || {
        let Found::Active(active) = cache.look(START, token.as_bytes()) else { panic!("active") };
        assert!(active.check(START, &requirement).is_ok());
    };
    hit();
    assert_eq!(allocation_counter::measure(hit).count_total, 0);
}

/// Two calls about one token, the first of which takes longer: what the second learnt counts.
#[test]
fn a_late_answer_to_an_early_question_undoes_nothing() {
    let [active, inactive] = [good_response(), json!({ "active": false })];
    for (early, late) in [(&active, &inactive), (&inactive, &active)] {
        let cache = answers();
        let first = question(&cache, START, "a");
        let now = after(SECOND);
        let second = question(&cache, now, "a");
        cache.remember(now, &answered(&second, late));
        cache.remember(now, &answered(&first, early));
        assert_eq!(is_active(&cache, now, "a"), late == &active);
    }
}

/// Whether anybody looked in between makes no difference to what is remembered.
#[test]
fn what_is_over_stands_in_nobodys_way() {
    for looks in [false, true] {
        let cache = answers();
        let first = question(&cache, START, "a");
        let second = question(&cache, after(SECOND), "a");
        cache.remember(after(SECOND), &answered(&second, &json!({ "active": false })));
        let over = later(START, seconds(6));
        if looks {
            question(&cache, over, "a");
        }
        cache.remember(over, &answered(&first, &good_response()));
        assert!(is_active(&cache, over, "a"), "looks: {looks}");
    }
}

const TOKENS: [&str; 3] = ["one", "two", "three"];
const SUBJECTS: [&str; 2] = ["alice", "bob"];

#[derive(Clone, Debug)]
enum Event {
    Advance(u64),
    StepWall(i64),
    Ask(usize),
    /// One of the questions that are still open is answered: inactive, or whose it is and how long it lasts.
    Answer(usize, Option<(usize, Option<i64>)>),
    ForgetToken(usize),
    ForgetSubject(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let active = (0..SUBJECTS.len(), prop::option::of(-5..50_i64));
    prop_oneof![
        3 => prop_oneof![0..8_u64, Just(5), Just(25), Just(30)].prop_map(Event::Advance),
        1 => (-20..20_i64).prop_map(Event::StepWall),
        5 => (0..TOKENS.len()).prop_map(Event::Ask),
        5 => (0..4_usize, prop::option::weighted(0.8, active)).prop_map(|(which, answer)| Event::Answer(which, answer)),
        1 => (0..TOKENS.len()).prop_map(Event::ForgetToken),
        1 => (0..SUBJECTS.len()).prop_map(Event::ForgetSubject),
    ]
}

/// What the model remembers of a token.
#[derive(Clone, Copy, Debug)]
enum Known {
    Active { subject: usize, until: MonoTime, expires: Option<UnixTime> },
    Inactive { until: MonoTime },
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn it_remembers_what_the_model_does(events in prop::collection::vec(event(), 1..80)) {
        let cache = answers();
        let mut now = START;
        let mut known: HashMap<usize, Known> = HashMap::new();
        let mut open: Vec<(usize, Question, u32)> = Vec::new();
        let mut forgotten = 0;
        for event in events {
            match event {
                Event::Advance(by) => now = later(now, seconds(by)),
                Event::StepWall(by) => now.wall.0 += by,
                Event::Ask(token) => {
                    if let Found::Unknown(unasked) = cache.look(now, TOKENS[token].as_bytes()) {
                        open.push((token, cache.question(unasked), forgotten));
                    }
                }
                Event::Answer(which, answer) if !open.is_empty() => {
                    let (token, question, then) = open.remove(which % open.len());
                    let asked = question.asked().mono;
                    let (response, knowledge) = match answer {
                        None => (json!({ "active": false }), Known::Inactive { until: asked.saturating_add(seconds(5)) }),
                        Some((subject, ends)) => {
                            let expires = ends.map(|ends| UnixTime(now.wall.0 + ends));
                            let mut response = json!({ "active": true, "sub": SUBJECTS[subject] });
                            if let Some(UnixTime(exp)) = expires {
                                response["exp"] = exp.into();
                            }
                            (response, Known::Active { subject, until: asked.saturating_add(seconds(30)), expires })
                        }
                    };
                    cache.remember(now, &answered(&question, &response));
                    let is_later = known.get(&token).is_none_or(|known| known.asked() <= asked);
                    if then == forgotten && is_later {
                        known.insert(token, knowledge);
                        if !holds(knowledge, now) {
                            known.remove(&token);
                        }
                    }
                }
                Event::Answer(..) => {}
                Event::ForgetToken(token) => {
                    cache.forget(Forget::Token(TOKENS[token].as_bytes()));
                    known.remove(&token);
                    forgotten += 1;
                }
                Event::ForgetSubject(gone) => {
                    cache.forget(Forget::Subject(SUBJECTS[gone]));
                    known.retain(|_, known| !matches!(known, Known::Active { subject, .. } if *subject == gone));
                    forgotten += 1;
                }
            }
            for (token, name) in TOKENS.iter().enumerate() {
                // What a look finds to be over is over, even where the wall clock goes back.
                known.retain(|other, known| *other != token || holds(*known, now));
                match (cache.look(now, name.as_bytes()), known.get(&token)) {
                    (Found::Active(active), Some(Known::Active { subject, .. })) => {
                        prop_assert_eq!(active.claims().subject(), Some(SUBJECTS[*subject]));
                    }
                    (Found::Inactive, Some(Known::Inactive { .. })) | (Found::Unknown(_), None) => {}
                    (found, known) => prop_assert!(false, "{found:?} where the model has {known:?}"),
                }
            }
        }
    }
}

impl Known {
    /// When the question came up that was answered so.
    fn asked(self) -> MonoTime {
        match self {
            Self::Active { until, .. } => until.saturating_sub(seconds(30)),
            Self::Inactive { until } => until.saturating_sub(seconds(5)),
        }
    }
}

fn holds(known: Known, now: Now) -> bool {
    match known {
        Known::Active { until, expires, .. } => now.mono < until && expires.is_none_or(|at| now.wall < at),
        Known::Inactive { until } => now.mono < until,
    }
}

/// Threads that remember while another forgets: none of them puts back what is gone.
#[test]
fn nobody_puts_back_what_is_being_forgotten() {
    let cache = answers();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    if let Found::Unknown(unasked) = cache.look(START, b"a") {
                        let answer: Answer = answered(&cache.question(unasked), &good_response());
                        cache.remember(START, &answer);
                    }
                }
            });
        }
        for _ in 0..2_000 {
            let stale = match cache.look(START, b"a") {
                Found::Unknown(unasked) => Some(cache.question(unasked)),
                _ => None,
            };
            cache.forget(Forget::Token(b"a"));
            if let Some(question) = stale {
                cache.remember(START, &answered(&question, &json!({ "active": true, "sub": "revoked" })));
            }
            if let Found::Active(active) = cache.look(START, b"a") {
                assert_eq!(active.claims().subject(), Some("alice"));
            }
        }
    });
}
