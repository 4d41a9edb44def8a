//! Secrets from a file, as Supabase's older tokens have them, beside published keys and alone.

use keyward::{Algorithm, IssuerSettings, Reason, SettingsError, Verifier};
use keyward_jose::LocalSigner;

use crate::support::{Bench, KEYS, Outcome, Provider, discover, token};

const SECRET: &[u8] = b"a secret of forty octets, known to tests";

fn hs256(secret: &[u8]) -> LocalSigner {
    LocalSigner::from_secret(Algorithm::Hs256, None, secret).unwrap()
}

fn with_secret(settings: IssuerSettings, secret: &[u8], algorithms: &[Algorithm]) -> IssuerSettings {
    let settings = settings.algorithms(algorithms.iter().copied());
    IssuerSettings { hmac_secret: Some(keyward::HmacSecret::new(secret.to_vec())), ..settings }
}

fn only_secret(secret: &[u8], algorithms: &[Algorithm]) -> IssuerSettings {
    let settings = IssuerSettings { source: None, ..IssuerSettings::discover("https://idp.example") };
    with_secret(settings.named("idp"), secret, algorithms)
}

#[tokio::test]
async fn old_tokens_with_a_secret_and_new_ones_with_a_key_are_both_accepted() {
    let ec = LocalSigner::generate(Algorithm::Es256, Some("new")).unwrap();
    let provider = Provider::start([&ec]).await;
    let settings = with_secret(discover(&provider), SECRET, &[Algorithm::Es256, Algorithm::Hs256]);
    let bench = Bench::ready(settings).await;
    let issuer = provider.issuer();
    assert_eq!(bench.outcome_at_once(&bench.token(&hs256(SECRET), &issuer)), Outcome::Accept);
    assert_eq!(bench.outcome_at_once(&bench.token(&ec, &issuer)), Outcome::Accept);
    let forged = bench.token(&hs256(b"another secret of some forty octets here"), &issuer);
    assert_eq!(bench.outcome_at_once(&forged), Outcome::Reject(Reason::InvalidSignature));
    // The public key as a secret, in the forms in which it is public.
    for public in
        [crate::support::jwks([&ec]), serde_json::to_vec(&keyward_jose::Signer::public_jwk(&ec)).unwrap()]
    {
        let confused = bench.token(&hs256(&public), &issuer);
        assert_eq!(bench.outcome_at_once(&confused), Outcome::Reject(Reason::InvalidSignature));
    }
    let shown = format!("{:?} {}", bench.verifier, serde_json::to_string(&bench.status()).unwrap());
    assert!(!shown.contains("forty octets") && !shown.contains(&format!("{:?}", SECRET)), "{shown}");
}

#[tokio::test]
async fn secret_tokens_are_accepted_while_the_provider_is_down() {
    let provider = Provider::start(&KEYS[..1]).await;
    provider.unset(crate::support::OPENID);
    let settings = with_secret(discover(&provider), SECRET, &[Algorithm::EdDsa, Algorithm::Hs256]);
    let bench = Bench::new(settings);
    assert_eq!(bench.outcome_at_once(&bench.token(&hs256(SECRET), &provider.issuer())), Outcome::Accept);
}

#[tokio::test]
async fn a_secret_is_no_use_where_the_policy_does_not_allow_it() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::ready(discover(&provider)).await;
    let refused = bench.outcome_at_once(&bench.token(&hs256(SECRET), &provider.issuer()));
    assert_eq!(refused, Outcome::Reject(Reason::UnsupportedAlgorithm));
    let longer = LocalSigner::from_secret(Algorithm::Hs384, None, &[7; 48]).unwrap();
    let settings = with_secret(discover(&provider), &[7; 48], &[Algorithm::Hs256]);
    let bench = Bench::new(settings);
    let refused = bench.outcome_at_once(&bench.token(&longer, &provider.issuer()));
    assert_eq!(refused, Outcome::Reject(Reason::UnsupportedAlgorithm));
}

#[tokio::test]
async fn a_secret_that_can_serve_nothing_is_refused_for_the_right_reason() {
    for (length, algorithms, why) in [
        (31, &[Algorithm::Hs256][..], "shorter"),
        (0, &[Algorithm::Hs256], "shorter"),
        (40, &[Algorithm::Hs512], "shorter"),
        (31, &[Algorithm::EdDsa, Algorithm::Hs256], "shorter"),
        (64, &[Algorithm::EdDsa], "algorithm"),
        (8, &[Algorithm::EdDsa], "algorithm"),
    ] {
        let refused = Verifier::builder().issuer(only_secret(&vec![7; length], algorithms)).start();
        let Err(error @ SettingsError::HmacSecret { .. }) = refused else {
            panic!("{length} {algorithms:?}");
        };
        assert!(error.to_string().contains(why), "{length} {algorithms:?}: {error}");
    }
    let nothing = IssuerSettings { source: None, ..IssuerSettings::discover("https://idp.example") };
    assert!(matches!(Verifier::builder().issuer(nothing).start(), Err(SettingsError::NoKeys { .. })));
}

#[tokio::test]
async fn an_issuer_that_has_only_a_secret_never_makes_anybody_wait() {
    let algorithms = [Algorithm::Hs256, Algorithm::Hs512, Algorithm::EdDsa];
    let bench = Bench::new(only_secret(SECRET, &algorithms));
    let issuer = "https://idp.example";
    assert_eq!(bench.outcome_at_once(&bench.token(&hs256(SECRET), issuer)), Outcome::Accept);
    // No key will ever come for it: to say "not now" would be to say so for ever.
    let junk = bench.token(&KEYS[0], issuer);
    assert_eq!(bench.outcome_at_once(&junk), Outcome::Reject(Reason::UnsupportedAlgorithm));
    // Allowed, and too long for this secret.
    let hs512 = LocalSigner::from_secret(Algorithm::Hs512, None, &[7; 64]).unwrap();
    let refused = bench.outcome_at_once(&token(&hs512, issuer, bench.clock.wall()));
    assert_eq!(refused, Outcome::Reject(Reason::AlgorithmMismatch));
    let status = bench.status();
    assert_eq!((status.state, status.usable, status.next_refresh_seconds), ("fixed", true, None));
}
