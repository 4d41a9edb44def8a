//! X.509 certificates around keys.

use keyward_jose::{JwkSet, JwkSetLimits, VerificationKey};
use keyward_lab::plan::{Algorithm, IssuerPlan, KeyPlan};
use keyward_lab::{CommandError, Lab};
use keyward_x509::{Bundle, BundleLimits, TrustStore, Validity, Wrapper, WrapperMembers, WrapperTrouble};
use serde_json::Value;

use crate::support::{ALGORITHMS, good, kids, lab, lab_with, obey, plan, set, verified};

const WALL: i64 = 1_700_000_000;

fn issuer(keys: &str) -> IssuerPlan {
    serde_json::from_str(&format!(r#"{{"keys": {keys}}}"#)).unwrap()
}

fn parsed(set: &Value) -> JwkSet {
    JwkSet::parse(set.to_string().as_bytes(), JwkSetLimits::default()).unwrap()
}

/// What the certificate around a key comes to.
fn inspected(key: &VerificationKey, anchors: Option<&TrustStore>, now: i64) -> Option<Wrapper> {
    let wrapping = match key.wrapping()? {
        Ok(wrapping) => wrapping,
        Err(_) => return Some(Wrapper::malformed()),
    };
    let members = WrapperMembers {
        x5c: wrapping.chain().iter().map(|der| der.to_vec()).collect(),
        x5t: wrapping.sha1_thumbprint(),
        x5t_s256: wrapping.sha256_thumbprint(),
    };
    Wrapper::inspect(&members, &key.spki().unwrap(), anchors, now)
}

fn of(set: &Value, kid: &str, now: i64) -> Wrapper {
    let set = parsed(set);
    inspected(set.keys().iter().find(|key| key.kid() == Some(kid)).unwrap(), None, now).unwrap()
}

/// What it is now, by the clock that dates tokens.
fn now(lab: &Lab, set: &Value) -> i64 {
    verified(set, &good(lab)).unwrap()["iat"].as_i64().unwrap()
}

#[tokio::test]
async fn a_wrapper_is_a_certificate_of_the_same_key_and_the_thumbprints_are_its_own() {
    let wrapped = |algorithm: Algorithm| {
        let plan = format!(r#"{{"kid": "{0}", "algorithm": "{0}", "wrapper": {{}}}}"#, algorithm.name());
        serde_json::from_str::<KeyPlan>(&plan).unwrap()
    };
    let keys = ALGORITHMS.map(wrapped).to_vec();
    let lab = lab_with(IssuerPlan { keys, ..IssuerPlan::default() }).await;
    let set = set(&lab).await;
    let now = now(&lab, &set);
    assert_eq!(parsed(&set).skipped(), []);
    for key in set["keys"].as_array().unwrap() {
        assert!(key["x5t"].is_string() && key["x5t#S256"].is_string(), "{key}");
        let wrapper = of(&set, key["kid"].as_str().unwrap(), now);
        assert_eq!(wrapper.trouble(), None, "{}", key["kid"]);
        assert_eq!(wrapper.validity(now), Some(Validity::Valid));
    }
}

#[tokio::test]
async fn each_wrapper_has_its_times_and_what_is_wrong_with_it() {
    let lab = lab_with(issuer(
        r#"[{"kid": "default", "wrapper": {}}, {"kid": "over", "wrapper": {"not_after": "-7h 55m"}},
            {"kid": "soon", "wrapper": {"not_before": "1h", "not_after": "2h"}},
            {"kid": "other", "wrapper": {"defect": "other_key"}},
            {"kid": "thumbprint", "wrapper": {"defect": "other_thumbprint"}},
            {"kid": "junk", "wrapper": {"defect": "no_certificate"}},
            {"kid": "text", "wrapper": {"defect": "no_base64"}}, {"kid": "bare"}]"#,
    ))
    .await;
    let set = set(&lab).await;
    let now = now(&lab, &set);
    let times = |kid| {
        let wrapper = of(&set, kid, now);
        let certificate = wrapper.certificate().unwrap();
        let rounded = |time: i64| (time - now + 30).div_euclid(60);
        let name = certificate.subject().to_owned();
        (rounded(certificate.not_before()), rounded(certificate.not_after()), name)
    };
    let day = 24 * 60;
    assert_eq!(times("default"), (-day, 365 * day, "CN=default".to_owned()));
    assert_eq!(times("over"), (-475 - 365 * day, -475, "CN=over".to_owned()));
    assert_eq!(times("soon"), (60, 120, "CN=soon".to_owned()));
    let trouble = |kid| of(&set, kid, now).trouble().map(WrapperTrouble::label);
    assert_eq!(
        ["default", "over", "soon", "other", "thumbprint", "junk", "text"].map(trouble),
        [
            None,
            None,
            None,
            Some("key_mismatch"),
            Some("thumbprint_mismatch"),
            Some("malformed"),
            Some("malformed")
        ]
    );
    let parsed = parsed(&set);
    assert_eq!(parsed.skipped(), [], "no certificate costs a key");
    let bare = parsed.keys().iter().find(|key| key.kid() == Some("bare")).unwrap();
    assert!(bare.wrapping().is_none());
}

#[tokio::test]
async fn a_wrapper_of_the_authority_leads_to_it() {
    let lab = lab_with(issuer(
        r#"[{"kid": "theirs", "wrapper": {"signed_by": "authority"}}, {"kid": "own", "wrapper": {}}]"#,
    ))
    .await;
    let set = set(&lab).await;
    let now = now(&lab, &set);
    let anchors = Bundle::parse(lab.authority_pem().as_bytes(), BundleLimits::default()).unwrap();
    let anchors = TrustStore::builder().anchors(anchors.certificates).build(now);
    let parsed = parsed(&set);
    let troubles: Vec<_> = parsed
        .keys()
        .iter()
        .map(|key| inspected(key, Some(&anchors), now).unwrap().trouble().map(WrapperTrouble::label))
        .collect();
    assert_eq!(troubles, [None, Some("untrusted")]);
}

#[tokio::test]
async fn a_key_keeps_its_name_and_its_tokens_when_its_wrapper_is_renewed() {
    let lab = lab_with(issuer(r#"[{"kid": "key-1", "wrapper": {"not_after": "-1h"}}]"#)).await;
    let before = set(&lab).await;
    let (now, old) = (now(&lab, &before), good(&lab));
    assert_eq!(of(&before, "key-1", now).validity(now), Some(Validity::Expired));
    let command = r#"{"wrapper": {"key-1": {"not_after": "30days"}, "key-2": {"signed_by": "authority"}},
        "generate": [{"kid": "key-2"}], "publish": ["key-2"]}"#;
    obey(&lab, command).await;
    let after = set(&lab).await;
    let (jwk, renewed) = (&before["keys"][0], &after["keys"][0]);
    assert_eq!((&jwk["kid"], &jwk["x"], &jwk["y"]), (&renewed["kid"], &renewed["x"], &renewed["y"]));
    let wrapper = of(&after, "key-1", now);
    assert_eq!((wrapper.validity(now), wrapper.trouble()), (Some(Validity::Valid), None));
    let serial = |set| of(set, "key-1", now).certificate().unwrap().serial();
    assert_ne!(serial(&before), serial(&after));
    assert!(verified(&after, &old).is_some());
    assert_eq!(of(&after, "key-2", now).trouble(), None);
    let unknown = r#"{"wrapper": {"key-9": {}}, "withdraw": ["key-1"]}"#;
    let refused = lab.obey(&serde_json::from_str(unknown).unwrap()).await;
    assert!(matches!(refused, Err(CommandError::UnknownKey { .. })), "{refused:?}");
    assert_eq!(set(&lab).await, after, "nothing is changed");
}

#[tokio::test]
async fn a_certificate_that_is_over_takes_its_key_along_where_the_provider_is_told_so() {
    let lab = lab().await;
    let command = r#"{"generate": [{"kid": "over", "wrapper": {"not_after": "-1s"}}], "publish": ["over"]}"#;
    obey(&lab, command).await;
    assert_eq!(kids(&lab).await, ["key-1", "over"]);
    obey(&lab, r#"{"drop_expired": true}"#).await;
    assert_eq!(kids(&lab).await, ["key-1"]);
    obey(&lab, r#"{"wrapper": {"over": {}}}"#).await;
    assert_eq!(kids(&lab).await, ["key-1", "over"], "renewed");
    obey(&lab, r#"{"wrapper": {"over": {"not_after": "-1s"}}, "drop_expired": false}"#).await;
    assert_eq!(kids(&lab).await, ["key-1", "over"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_vanishes_in_the_second_after_the_last_one_of_its_certificate() {
    let issuer = issuer(r#"[{"kid": "key-1"}, {"kid": "key-2", "wrapper": {"not_after": "10days"}}]"#);
    let lab = Lab::in_memory(&plan(issuer), WALL, 1).unwrap();
    obey(&lab, r#"{"drop_expired": true}"#).await;
    let kids = async || crate::support::kids_of(&crate::virtual_time::set(&lab).await);
    tokio::time::advance(std::time::Duration::from_secs(10 * 86_400)).await;
    assert_eq!(kids().await, ["key-1", "key-2"]);
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(kids().await, ["key-1"]);
}
