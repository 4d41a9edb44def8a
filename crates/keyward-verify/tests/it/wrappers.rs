//! Certificates around keys: what each policy makes of them, to the second (promise 7, incidents A5 and B22).

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64_simd::STANDARD;
use keyward_jose::{DecodeBuffer, LocalSigner, Signer};
use keyward_verify::key_set::{
    KeySetMachine, KeySetSettings, KeyVerdicts, PublishedKeys, WrapperNews, WrapperPolicy, WrapperTrouble,
    WrapperWatch,
};
use keyward_verify::{
    Check, Issuer, Now, Outcome as Found, Reason, Requirement, UnixTime, VerdictCache, explain,
};
use keyward_x509::{Certificate, TrustStore};
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_ED25519, date_time_ymd,
};
use serde_json::{Value, json};

use crate::support::*;

const DAY: i64 = 86_400;
const WALL: i64 = START.wall.0;

fn at(seconds: i64) -> Now {
    Now { wall: UnixTime(WALL + seconds), ..START }
}

/// Whoever issues certificates, and is a trust anchor where that is declared.
type Authority = CertifiedIssuer<'static, KeyPair>;

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| authority("authority"));

fn authority(name: &str) -> Authority {
    let mut params = params(name, -1000 * DAY, 1000 * DAY);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn anchors(authority: &Authority) -> Option<Arc<TrustStore>> {
    let certificate = Certificate::from_der(authority.der()).unwrap();
    Some(Arc::new(TrustStore::builder().anchors([certificate]).build(WALL)))
}

/// Valid from the first second after [`START`] to the second, which is still within.
fn params(name: &str, from: i64, until: i64) -> CertificateParams {
    let time = |seconds| {
        let since = u64::try_from(WALL + seconds).unwrap();
        date_time_ymd(1970, 1, 1) + Duration::from_secs(since)
    };
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (time(from), time(until));
    params
}

fn pair(key: &LocalSigner) -> KeyPair {
    let der = key.to_pkcs8().unwrap();
    KeyPair::from_pkcs8_der_and_sign_algo(&der.as_slice().into(), &PKCS_ED25519).unwrap()
}

/// A certificate of the key with itself.
fn certificate(key: &LocalSigner, from: i64, until: i64) -> Vec<u8> {
    params("wrapper", from, until).self_signed(&pair(key)).unwrap().der().to_vec()
}

fn issued(key: &LocalSigner, from: i64, until: i64, by: &Authority) -> Vec<u8> {
    params("wrapper", from, until).signed_by(&pair(key), by).unwrap().der().to_vec()
}

/// The key's JWK with these certificates around it.
fn wrapped(key: &LocalSigner, chain: &[&[u8]]) -> Value {
    let chain: Vec<_> = chain.iter().map(|der| STANDARD.encode_to_string(der)).collect();
    with(own_jwk(key), "x5c", chain)
}

/// The key with a certificate that ends with that second.
fn ending(key: &LocalSigner, until: i64) -> Value {
    wrapped(key, &[&certificate(key, -100 * DAY, until)])
}

fn under(policy: WrapperPolicy, machine: &KeySetMachine) -> Issuer {
    let mut issuer = issuer_of(machine);
    Arc::make_mut(&mut issuer.policy).wrapper = policy;
    issuer
}

/// A token that is good for as long as any test takes.
fn token(key: &LocalSigner) -> String {
    sign(key, &with(good_claims(), "exp", WALL + 1000 * DAY))
}

fn outcomes(machine: &KeySetMachine, now: Now, token: &str) -> [Outcome; 3] {
    WrapperPolicy::ALL.map(|policy| outcome_now(now, &under(policy, machine), token))
}

const EXPIRED: Outcome = Outcome::Reject(Reason::WrapperCertificateExpired);
const MISMATCH: Outcome = Outcome::Reject(Reason::WrapperCertificateMismatch);
const UNTRUSTED: Outcome = Outcome::Reject(Reason::WrapperCertificateUntrusted);

/// What `enforce`, `ignore` and `warn` come to where the first refuses.
fn refused(reason: Outcome) -> [Outcome; 3] {
    [reason, Outcome::Accept, Outcome::Accept]
}

const ACCEPTED: [Outcome; 3] = [Outcome::Accept; 3];

#[test]
fn a_certificate_ends_with_its_last_second_and_takes_the_key_along_under_enforce_only() {
    let machine = machine_with(START, &[ending(&KEYS[0], 100)]);
    let token = token(&KEYS[0]);
    for (second, expected) in
        [(-100 * DAY - 1, refused(UNTRUSTED)), (0, ACCEPTED), (100, ACCEPTED), (101, refused(EXPIRED))]
    {
        // The token may not be older than its certificate; only the certificate is looked at here.
        let token = if second < 0 { sign(&KEYS[0], &without(good_claims(), "iat")) } else { token.clone() };
        assert_eq!(outcomes(&machine, at(second), &token), expected, "{second}");
    }
}

#[test]
fn a_remembered_verdict_ends_with_the_certificates_last_second_too() {
    let machine = machine_with(START, &[ending(&KEYS[0], 100)]);
    let token = token(&KEYS[0]);
    for policy in WrapperPolicy::ALL {
        let issuer = under(policy, &machine);
        let cache = VerdictCache::new(1 << 20, 1);
        cache.insert(0, token.as_bytes(), accepted(judge(START, START.mono, &issuer, &token)));
        assert!(cache.get(at(100), 0, token.as_bytes()).is_some());
        let holds = policy != WrapperPolicy::Enforce;
        assert_eq!(cache.get(at(101), 0, token.as_bytes()).is_some(), holds, "{policy}");
        // Once it is over it stays over, even by a clock that was put back meanwhile.
        assert_eq!(cache.get(at(100), 0, token.as_bytes()).is_some(), holds, "{policy}");
    }
}

#[test]
fn a_key_whose_certificate_is_over_sends_nobody_to_other_keys_or_for_newer_ones() {
    let nameless = jwk(&KEYS[1], None);
    let machine = machine_with(START, &[ending(&KEYS[0], 100), nameless]);
    let issuer = under(WrapperPolicy::Enforce, &machine);
    // Issued after the set was fetched: the set could not know each key by then.
    let claims = with(with(good_claims(), "iat", WALL + 1000), "exp", WALL + 9000);
    let now = later(START, seconds(1000));
    for kid in [KEYS[0].kid(), None] {
        assert_eq!(outcome_now(now, &issuer, &sign_as(&KEYS[0], kid, &claims)), EXPIRED, "{kid:?}");
    }
    // A forged one with its name is no matter of the certificate.
    let forged = sign_as(&KEYS[2], KEYS[0].kid(), &claims);
    assert_eq!(outcome_now(now, &issuer, &forged), Outcome::Reject(Reason::InvalidSignature));
    assert_eq!(outcome_now(now, &issuer, &sign_as(&KEYS[1], Some("any"), &claims)), Outcome::Accept);
}

#[test]
fn a_new_certificate_for_the_same_key_makes_it_good_at_once_and_it_stays_the_same_key() {
    let mut machine = machine_with(START, &[ending(&KEYS[0], 100)]);
    let issuer = under(WrapperPolicy::Enforce, &machine);
    let token = token(&KEYS[0]);
    let cache = VerdictCache::new(1 << 20, 1);
    cache.insert(0, token.as_bytes(), accepted(judge(START, START.mono, &issuer, &token)));
    let key = |issuer: &Issuer| Arc::clone(&issuer.keys.current().as_ref().unwrap().keys()[0]);
    let before = key(&issuer);
    let over = later(START, seconds(150));
    assert_eq!(outcome_now(over, &issuer, &token), EXPIRED);
    let now = next_fetch(&mut machine, over, &[ending(&KEYS[0], 1000 * DAY)]);
    assert!(Arc::ptr_eq(&before, &key(&issuer)));
    assert!(cache.get(now, 0, token.as_bytes()).is_some(), "it was not asked for while it did not hold");
    assert_eq!(outcome_now(now, &issuer, &token), Outcome::Accept);
    // And one that is over comes back, as a mistake of the issuer's.
    let now = next_fetch(&mut machine, now, &[ending(&KEYS[0], 100)]);
    assert!(cache.get(now, 0, token.as_bytes()).is_none());
    assert_eq!(outcome_now(now, &issuer, &token), EXPIRED);
    // One without a certificate has none that could be over.
    let now = next_fetch(&mut machine, now, &[own_jwk(&KEYS[0])]);
    assert!(Arc::ptr_eq(&before, &key(&issuer)));
    assert_eq!(outcome_now(now, &issuer, &token), Outcome::Accept);
}

#[test]
fn a_key_that_stands_there_twice_is_as_good_as_its_better_certificate() {
    for keys in [[-5, 500], [500, -5]] {
        let machine = machine_with(START, &keys.map(|until| ending(&KEYS[0], until)));
        assert_eq!(outcomes(&machine, START, &token(&KEYS[0])), ACCEPTED);
        let unnamed = sign_as(&KEYS[0], None, &good_claims());
        assert_eq!(outcomes(&machine, START, &unnamed), ACCEPTED);
    }
}

/// JWKs of the key with something wrong around it, and what is wrong.
fn troubled(key: &LocalSigner) -> Vec<(Value, WrapperTrouble, Outcome)> {
    let good = certificate(key, -DAY, DAY);
    let foreign = certificate(&KEYS[5], -DAY, DAY);
    let malformed = |why: &str| WrapperTrouble::Malformed(why.into());
    vec![
        (wrapped(key, &[&foreign, &good]), WrapperTrouble::KeyMismatch, MISMATCH),
        (
            with(wrapped(key, &[&good]), "x5t#S256", base64url(&[7; 32])),
            WrapperTrouble::ThumbprintMismatch,
            MISMATCH,
        ),
        (
            with(wrapped(key, &[&good]), "x5t", base64url(&[7; 20])),
            WrapperTrouble::ThumbprintMismatch,
            MISMATCH,
        ),
        (wrapped(key, &[b"junk"]), malformed("x5c holds something else than certificates"), MISMATCH),
        (with(own_jwk(key), "x5c", "MIIB"), malformed("x5c is not an array of strings"), MISMATCH),
        (with(own_jwk(key), "x5c", json!(["-"])), malformed("certificate 0 of x5c is not base64"), MISMATCH),
    ]
}

#[test]
fn whatever_is_wrong_with_a_certificate_the_key_stays_and_the_policy_decides() {
    for (jwk, trouble, reason) in troubled(&KEYS[0]) {
        let machine = machine_with(START, &[jwk, own_jwk(&KEYS[1])]);
        let set = machine.published().current();
        let keys = set.as_ref().unwrap().keys();
        assert_eq!(keys.len(), 2, "{trouble:?}");
        assert_eq!(keys[0].wrapper().unwrap().trouble, Some(trouble));
        assert!(keys[1].wrapper().is_none());
        assert_eq!(outcomes(&machine, START, &token(&KEYS[0])), refused(reason));
        assert_eq!(outcomes(&machine, START, &token(&KEYS[1])), ACCEPTED);
    }
}

#[test]
fn declared_anchors_are_what_certificates_must_lead_to() {
    let other = authority("other");
    let by = |authority| wrapped(&KEYS[0], &[&issued(&KEYS[0], -DAY, 100, authority)]);
    let cases = [
        (by(&AUTHORITY), ACCEPTED, None),
        (by(&other), refused(UNTRUSTED), Some("untrusted")),
        (ending(&KEYS[0], 100), refused(UNTRUSTED), Some("untrusted")),
        (own_jwk(&KEYS[0]), refused(UNTRUSTED), Some("absent")),
        // A thumbprint alone shows nothing.
        (with(own_jwk(&KEYS[0]), "x5t#S256", base64url(&[7; 32])), refused(UNTRUSTED), Some("absent")),
    ];
    for (jwk, expected, trouble) in cases {
        let mut machine = machine(START).anchored(START, anchors(&AUTHORITY));
        fetch(&mut machine, START, &[jwk]);
        assert_eq!(outcomes(&machine, START, &token(&KEYS[0])), expected, "{trouble:?}");
        let wrapper = machine.published().current().as_ref().unwrap().keys()[0].wrapper();
        let found = wrapper.and_then(|wrapper| wrapper.trouble.as_ref().map(WrapperTrouble::label));
        assert_eq!(found, trouble);
    }
    // One that leads there and is over is over, and not untrusted.
    let mut machine = machine(START).anchored(START, anchors(&AUTHORITY));
    fetch(&mut machine, START, &[by(&AUTHORITY)]);
    let now = next_fetch(&mut machine, START, &[by(&AUTHORITY)]);
    assert_eq!(outcomes(&machine, now, &token(&KEYS[0])), refused(EXPIRED));
}

#[test]
fn other_anchors_count_from_when_they_are_declared_and_no_secret_needs_a_certificate() {
    let jwk = wrapped(&KEYS[0], &[&issued(&KEYS[0], -DAY, DAY, &AUTHORITY)]);
    let machine = machine_with(START, &[jwk]);
    assert_eq!(outcomes(&machine, START, &token(&KEYS[0])), ACCEPTED);
    let keys = Arc::clone(machine.published());
    let successor = |anchors| {
        KeySetMachine::new(KeySetSettings::default(), Arc::clone(&keys), START, 7).anchored(START, anchors)
    };
    let machine = successor(anchors(&authority("other")));
    assert_eq!(outcomes(&machine, START, &token(&KEYS[0])), refused(UNTRUSTED));
    let machine = successor(anchors(&AUTHORITY));
    assert_eq!(outcomes(&machine, START, &token(&KEYS[0])), ACCEPTED);

    let keys = fixed_keys();
    let mut issuer = issuer(&keys);
    let policy = Arc::make_mut(&mut issuer.policy);
    policy.wrapper = WrapperPolicy::Enforce;
    policy.algorithms = [keyward_jose::Algorithm::Hs256].into_iter().collect();
    let machine = KeySetMachine::new(KeySetSettings::default(), keys, START, 7);
    let _machine = machine.anchored(START, anchors(&AUTHORITY));
    let secret = LocalSigner::from_secret(keyward_jose::Algorithm::Hs256, None, SECRET).unwrap();
    assert_eq!(outcome_now(START, &issuer, &sign(&secret, &good_claims())), Outcome::Accept);
}

#[test]
fn verdicts_are_counted_with_their_key_and_apart_while_its_certificate_is_over() {
    for (policy, accepted) in
        [(WrapperPolicy::Enforce, 2), (WrapperPolicy::Ignore, 3), (WrapperPolicy::Warn, 3)]
    {
        let machine = machine_with(START, &[ending(&KEYS[0], 100), own_jwk(&KEYS[1])]);
        let issuer = under(policy, &machine);
        let mut passed = 0;
        for second in [0, 100, 101] {
            if let keyward_verify::Decision::Decided(keyward_verify::Verdict::Accept(verified)) =
                judge(at(second), START.mono, &issuer, &token(&KEYS[0]))
            {
                verified.count(at(second));
                passed += 1;
            }
        }
        let forged = sign_as(&KEYS[2], KEYS[0].kid(), &good_claims());
        assert_eq!(outcome_now(START, &issuer, &forged), Outcome::Reject(Reason::InvalidSignature));
        let set = machine.published().current();
        let verdicts: Vec<_> = set.as_ref().unwrap().keys().iter().map(|key| key.verdicts()).collect();
        assert_eq!(
            verdicts,
            [KeyVerdicts { total: 3, expired_wrapper: 1 }, KeyVerdicts::default()],
            "{policy}"
        );
        assert_eq!(passed, accepted, "{policy}");
    }
}

#[test]
fn a_remembered_verdict_costs_no_allocation_for_its_certificate_and_none_goes_uncounted() {
    let machine = machine_with(START, &[ending(&KEYS[0], 100)]);
    let issuer = under(WrapperPolicy::Enforce, &machine);
    let token = token(&KEYS[0]);
    let cache = VerdictCache::new(1 << 20, 1);
    cache.insert(0, token.as_bytes(), accepted(judge(START, START.mono, &issuer, &token)));
    let hit = || cache.get(at(100), 0, token.as_bytes()).unwrap().count(at(100));
    hit();
    assert_eq!(allocation_counter::measure(hit).count_total, 0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1000).for_each(|_| hit()));
        }
    });
    let verdicts = machine.published().current().as_ref().unwrap().keys()[0].verdicts();
    assert_eq!(verdicts, KeyVerdicts { total: 4002, expired_wrapper: 0 });
}

/// What a watch that looks each hour tells, in days before the certificate is over.
fn told(watch: &mut WrapperWatch, machine: &KeySetMachine, from: i64, until: i64) -> Vec<(i64, WrapperNews)> {
    let mut told = Vec::new();
    for second in (from..=until).step_by(3600) {
        let set = machine.published().current();
        let (notices, _) = watch.look(UnixTime(WALL + second), set.as_deref());
        told.extend(notices.into_iter().map(|notice| (second / DAY, notice.news)));
    }
    told
}

#[test]
fn the_end_of_a_certificate_is_told_at_each_threshold_once() {
    // Over with the first second of day 0.
    let machine =
        machine_with(START, &[ending(&KEYS[0], -1), ending(&KEYS[1], 100 * DAY), own_jwk(&KEYS[2])]);
    let days = |days: i64| Duration::from_secs((days * DAY).unsigned_abs());
    let mut watch = WrapperWatch::default();
    let expected = [-30, -14, -7, -3, -1].map(|day: i64| (day, WrapperNews::Expiring(days(-day))));
    let expected = [&expected[..], &[(0, WrapperNews::Expired(days(0)))]].concat();
    assert_eq!(told(&mut watch, &machine, -60 * DAY, 10 * DAY), expected);
    assert_eq!(told(&mut watch, &machine, -60 * DAY, 10 * DAY), [], "a clock that was put back");
    // Who comes later hears what holds, and not what led there.
    let mut watch = WrapperWatch::default();
    assert_eq!(told(&mut watch, &machine, -5 * DAY, -4 * DAY), [(-5, WrapperNews::Expiring(days(5)))]);
    let mut watch = WrapperWatch::default();
    assert_eq!(told(&mut watch, &machine, 8 * DAY, 9 * DAY), [(8, WrapperNews::Expired(days(8)))]);
}

#[test]
fn who_watches_is_told_when_to_look_again_to_the_second() {
    let machine = machine_with(START, &[ending(&KEYS[0], 20 * DAY - 1), ending(&KEYS[1], 31 * DAY - 1)]);
    let mut watch = WrapperWatch::default();
    let mut now = UnixTime(WALL);
    let mut looks = Vec::new();
    loop {
        let set = machine.published().current();
        let (notices, next) = watch.look(now, set.as_deref());
        looks.push(((now.0 - WALL) / DAY, notices.len()));
        match next {
            Some(next) => now = next,
            None => break,
        }
    }
    let expected =
        [(0, 1), (1, 1), (6, 1), (13, 1), (17, 2), (19, 1), (20, 1), (24, 1), (28, 1), (30, 1), (31, 1)];
    assert_eq!(looks, expected);
}

#[test]
fn a_certificate_that_is_still_to_begin_is_told_of_once() {
    let jwk = wrapped(&KEYS[0], &[&certificate(&KEYS[0], 5 * DAY, 100 * DAY)]);
    let machine = machine_with(START, &[jwk]);
    let news = WrapperNews::NotYetValid(Duration::from_secs(5 * DAY.unsigned_abs()));
    assert_eq!(told(&mut WrapperWatch::default(), &machine, 0, 60 * DAY), [(0, news)]);
    assert_eq!(outcomes(&machine, at(5 * DAY - 1), &token(&KEYS[0])), refused(UNTRUSTED));
    assert_eq!(outcomes(&machine, at(5 * DAY), &token(&KEYS[0])), ACCEPTED);
}

#[test]
fn an_explanation_says_that_the_signature_is_good_and_the_certificate_is_not() {
    let machine = machine_with(START, &[ending(&KEYS[0], 100)]);
    let explained = |policy, now: Now| {
        let issuer = under(policy, &machine);
        let token = token(&KEYS[0]);
        let buffer = &mut DecodeBuffer::new();
        let explained = explain(now, now.mono, &issuer, &Requirement::default(), token.as_bytes(), buffer);
        let of_key = |(check, _): &(Check, Found)| matches!(check, Check::Signature | Check::Wrapper);
        explained.into_iter().filter(of_key).collect::<Vec<_>>()
    };
    let signature = (Check::Signature, Found::Yes);
    let expired = Found::No(Reason::WrapperCertificateExpired);
    assert_eq!(explained(WrapperPolicy::Warn, at(101)), [signature]);
    assert_eq!(explained(WrapperPolicy::Enforce, at(100)), [signature, (Check::Wrapper, Found::Yes)]);
    assert_eq!(explained(WrapperPolicy::Enforce, at(101)), [signature, (Check::Wrapper, expired)]);
    let verdicts = machine.published().current().as_ref().unwrap().keys()[0].verdicts();
    assert_eq!(verdicts, KeyVerdicts::default(), "an explanation is no verdict");
}

#[test]
fn a_new_certificate_is_told_of_anew_and_trouble_once_as_long_as_it_stays_the_same() {
    let mut machine = machine_with(START, &[ending(&KEYS[0], 2 * DAY)]);
    let mut watch = WrapperWatch::default();
    let mut look = |machine: &KeySetMachine, now: Now| {
        let set = machine.published().current();
        let (notices, _) = watch.look(now.wall, set.as_deref());
        notices.into_iter().map(|notice| notice.news).collect::<Vec<_>>()
    };
    assert!(matches!(look(&machine, START)[..], [WrapperNews::Expiring(_)]));
    let mut now = next_fetch(&mut machine, START, &[ending(&KEYS[0], 2 * DAY)]);
    assert_eq!(look(&machine, now), []);
    now = next_fetch(&mut machine, now, &[ending(&KEYS[0], 2 * DAY + 1)]);
    assert!(matches!(look(&machine, now)[..], [WrapperNews::Expiring(_)]));
    for (jwk, trouble, _) in troubled(&KEYS[0]).into_iter().take(2) {
        for expected in [vec![WrapperNews::Troubled(trouble)], vec![]] {
            now = next_fetch(&mut machine, now, std::slice::from_ref(&jwk));
            let news = look(&machine, now);
            let troubles = news.into_iter().filter(|news| matches!(news, WrapperNews::Troubled(_)));
            assert_eq!(troubles.collect::<Vec<_>>(), expected);
        }
    }
}

/// What may stand around a key.
fn any_wrapping() -> impl Strategy<Value = Value> {
    let key = &KEYS[0];
    let times = (-400..400_i64, 1..400_i64);
    let own = times.clone().prop_map(|(from, days)| certificate(&KEYS[0], from * DAY, (from + days) * DAY));
    let foreign =
        times.clone().prop_map(|(from, days)| certificate(&KEYS[3], from * DAY, (from + days) * DAY));
    let issued = times.prop_map(|(from, days)| issued(&KEYS[0], from * DAY, (from + days) * DAY, &AUTHORITY));
    let junk = prop::collection::vec(any::<u8>(), 0..80);
    let der = prop_oneof![3 => own, 1 => foreign, 2 => issued, 1 => junk];
    let chain = prop::collection::vec(der, 0..4)
        .prop_map(|chain| json!(chain.iter().map(|der| STANDARD.encode_to_string(der)).collect::<Vec<_>>()));
    let text = "[A-Za-z0-9_=-]{0,50}".prop_map(Value::from);
    let x5c = prop_oneof![6 => chain, 1 => text.clone(), 1 => any::<i64>().prop_map(Value::from)];
    let thumbprint = prop_oneof![3 => Just(Value::Null), 1 => text];
    (x5c, thumbprint.clone(), thumbprint).prop_map(|(x5c, x5t, x5t_s256)| {
        with(with(with(own_jwk(key), "x5c", x5c), "x5t", x5t), "x5t#S256", x5t_s256)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Promise 7: the certificate never changes a verdict where it is not enforced, neither of good tokens nor of bad
    /// ones; where it is, it takes acceptance away, for a reason of its own, and nothing else.
    #[test]
    fn a_certificate_never_changes_a_verdict_under_ignore_and_warn(
        jwk in any_wrapping(),
        is_anchored in any::<bool>(),
        second in -500 * DAY..500 * DAY,
        signer in 0..3_usize,
        is_named in any::<bool>(),
        exp in -10..10_i64,
    ) {
        let now = at(second);
        let start = |keys: &[Value]| {
            let machine = KeySetMachine::new(KeySetSettings::default(), Arc::<PublishedKeys>::default(), now, 7);
            let mut machine = machine.anchored(now, anchors(&AUTHORITY).filter(|_| is_anchored));
            fetch(&mut machine, now, keys);
            machine
        };
        let bare = machine_with(now, &[own_jwk(&KEYS[0]), own_jwk(&KEYS[1])]);
        let wrapped = start(&[jwk, own_jwk(&KEYS[1])]);
        let claims = with(with(good_claims(), "iat", now.wall.0), "exp", now.wall.0 + exp * 60);
        let kid = KEYS[0].kid().filter(|_| is_named);
        let token = sign_as(&KEYS[signer], kid, &claims);
        let expected = outcome_now(now, &issuer_of(&bare), &token);
        for policy in [WrapperPolicy::Ignore, WrapperPolicy::Warn] {
            prop_assert_eq!(outcome_now(now, &under(policy, &wrapped), &token), expected);
        }
        let enforced = outcome_now(now, &under(WrapperPolicy::Enforce, &wrapped), &token);
        let refusals = [EXPIRED, MISMATCH, UNTRUSTED];
        prop_assert!(enforced == expected || expected == Outcome::Accept && refusals.contains(&enforced));
    }
}
