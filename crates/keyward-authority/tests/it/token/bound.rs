//! Tokens that are bound to a key or to a certificate (RFC 9449 §5, RFC 8705 §3).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use http::HeaderValue;
use keyward::Algorithm;
use keyward::binding::BindingSettings;
use keyward_authority::cause::Cause;
use keyward_authority::entity::{Client, ClientAuthMethod, TlsSubject};
use keyward_authority::http::FormRequest;
use keyward_jose::{LocalSigner, Signer};
use serde_json::{Value, json};

use super::office::{API, ISSUER, JWT_BEARER, Office, SECRET, confidential, identity, public, said};

const CLIENT_CREDENTIALS: [(&str, &str); 3] =
    [("grant_type", "client_credentials"), ("client_id", "shop"), ("client_secret", SECRET)];

/// A key that makes proofs.
struct Prover {
    signer: LocalSigner,
    made: AtomicU32,
}

impl Prover {
    fn new() -> Self {
        Self { signer: LocalSigner::generate(Algorithm::Es256, None).unwrap(), made: AtomicU32::new(0) }
    }

    fn jkt(&self) -> String {
        self.signer.public_jwk().unwrap().thumbprint().to_string()
    }

    /// A proof for the token endpoint, of now, with other claims or more.
    async fn proof(&self, office: &Office, claims: Value) -> String {
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        let iat = office.authority.clock().now().wall.0;
        let mut all =
            json!({ "jti": format!("{made}"), "htm": "POST", "htu": format!("{ISSUER}/token"), "iat": iat });
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.signer.public_jwk() });
        let [header, claims] = [header, all].map(|part| URL_SAFE_NO_PAD.encode_to_string(part.to_string()));
        let input = format!("{header}.{claims}");
        let signature = self.signer.sign(input.as_bytes()).await.unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode_to_string(signature))
    }
}

fn with(mut request: FormRequest, proofs: &[&str]) -> FormRequest {
    for proof in proofs {
        request.headers.append("dpop", HeaderValue::from_str(proof).unwrap());
    }
    request
}

async fn ask(office: &Office, parameters: &[(&str, &str)], proofs: &[&str]) -> Result<Value, Cause> {
    office.answer(&with(office.request(parameters).await, proofs)).await
}

#[tokio::test]
async fn a_token_is_bound_to_the_key_that_is_proved() {
    let (office, prover) = (Office::open().await, Prover::new());
    let proof = prover.proof(&office, json!({})).await;
    let answer = ask(&office, &CLIENT_CREDENTIALS, &[&proof]).await.unwrap();
    assert_eq!(answer["token_type"], "DPoP");
    assert_eq!(said(&answer["access_token"])["cnf"], json!({ "jkt": prover.jkt() }));
    let introspected = office.introspect("seer", answer["access_token"].as_str().unwrap()).await.unwrap();
    assert_eq!(introspected["token_type"], "DPoP");
    assert_eq!(introspected["cnf"]["jkt"], prover.jkt());
    assert_eq!(ask(&office, &CLIENT_CREDENTIALS, &[&proof]).await, Err(Cause::DpopProofReplayed));
}

#[tokio::test]
async fn a_proof_that_is_none_of_this_request_is_refused_and_one_can_be_demanded() {
    let (office, prover) = (Office::open().await, Prover::new());
    for claims in [
        json!({ "htm": "GET" }),
        json!({ "htu": format!("{ISSUER}/introspect") }),
        json!({ "htu": "https://id.example/realms/other/token" }),
        json!({ "iat": 1 }),
        json!({ "jti": "" }),
    ] {
        let proof = prover.proof(&office, claims.clone()).await;
        let refused = ask(&office, &CLIENT_CREDENTIALS, &[&proof]).await;
        assert_eq!(refused, Err(Cause::DpopProofInvalid), "{claims}");
    }
    let (one, other) = (prover.proof(&office, json!({})).await, prover.proof(&office, json!({})).await);
    let several = ask(&office, &CLIENT_CREDENTIALS, &[&one, &other]).await;
    assert_eq!(several, Err(Cause::DpopProofInvalid));
    assert_eq!(ask(&office, &CLIENT_CREDENTIALS, &["x"]).await, Err(Cause::DpopProofInvalid));
    office.change::<Client>("shop", |shop| shop.requires_dpop = true).await;
    assert_eq!(ask(&office, &CLIENT_CREDENTIALS, &[]).await, Err(Cause::DpopProofMissing));
    ask(&office, &CLIENT_CREDENTIALS, &[&one]).await.unwrap();
}

#[tokio::test]
async fn where_a_nonce_is_wanted_a_proof_needs_the_one_that_is_handed_out() {
    let (mut office, prover) = (Office::open().await, Prover::new());
    let settings =
        BindingSettings { nonce_slot: Some(Duration::from_secs(60)), ..BindingSettings::default() };
    office.authority = office.authority.clone().with_dpop(settings, &[7; 32]);
    let without = prover.proof(&office, json!({})).await;
    assert_eq!(ask(&office, &CLIENT_CREDENTIALS, &[&without]).await, Err(Cause::DpopNonceWanted));
    let nonce = office.authority.tokens().dpop_nonce(office.authority.clock().now()).unwrap();
    let proof = prover.proof(&office, json!({ "nonce": nonce })).await;
    let request = with(office.request(&CLIENT_CREDENTIALS).await, &[&proof]);
    let answer = keyward_authority::http::token(&office.authority, &request).await.unwrap();
    assert_eq!(answer.headers()["dpop-nonce"], *nonce);
}

#[tokio::test]
async fn a_public_clients_refresh_tokens_are_bound_and_those_of_who_shows_a_secret_are_not() {
    let (office, prover, thief) = (Office::open().await, Prover::new(), Prover::new());
    office.put(&identity("alice")).await;
    let alice = office.idp.token_of("alice").await;
    let exchange = |shown: &'static [(&str, &str)]| {
        let mut all = shown.to_vec();
        all.extend([
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", alice.as_str()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ]);
        all
    };
    let app: &[(&str, &str)] = &[("client_id", "app")];
    let proof = prover.proof(&office, json!({})).await;
    let first = ask(&office, &exchange(app), &[&proof]).await.unwrap();
    let refresh = |token: &Value| {
        let token = token.as_str().unwrap().to_owned();
        async move |office: &Office, proofs: &[&str]| {
            let shown =
                [("client_id", "app"), ("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
            ask(office, &shown, proofs).await
        }
    };
    let use_first = refresh(&first["refresh_token"]);
    assert_eq!(use_first(&office, &[]).await, Err(Cause::RefreshTokenOfAnother));
    let stolen = thief.proof(&office, json!({})).await;
    assert_eq!(use_first(&office, &[&stolen]).await, Err(Cause::RefreshTokenOfAnother));
    let proof = prover.proof(&office, json!({})).await;
    let second = use_first(&office, &[&proof]).await.unwrap();
    assert_eq!(said(&second["access_token"])["cnf"]["jkt"], prover.jkt());

    let shop: &[(&str, &str)] = &[("client_id", "shop"), ("client_secret", SECRET)];
    let proof = prover.proof(&office, json!({})).await;
    let first = ask(&office, &exchange(shop), &[&proof]).await.unwrap();
    let token = first["refresh_token"].as_str().unwrap();
    let shown = [("grant_type", "refresh_token"), ("refresh_token", token)];
    assert_eq!(office.ask_as("shop", &shown).await.unwrap()["token_type"], "Bearer");
}

#[tokio::test]
async fn a_token_is_bound_to_the_certificate_of_who_wants_that() {
    let office = Office::open().await;
    office.change::<Client>("shop", |shop| shop.requires_certificate = true).await;
    let mut request = office.request(&CLIENT_CREDENTIALS).await;
    assert_eq!(office.answer(&request).await, Err(Cause::CertificateMissing));
    request.peer.certificate = Some(Arc::from(*b"a certificate"));
    let answer = office.answer(&request).await.unwrap();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"a certificate");
    let hash = URL_SAFE_NO_PAD.encode_to_string(hash);
    assert_eq!(said(&answer["access_token"])["cnf"], json!({ "x5t#S256": hash }));
    assert_eq!(answer["token_type"], "Bearer");
}

#[tokio::test]
async fn a_bound_token_of_our_own_is_exchanged_only_by_who_proves_it() {
    let (office, prover, thief) = (Office::open().await, Prover::new(), Prover::new());
    let proof = prover.proof(&office, json!({})).await;
    let bound = ask(&office, &CLIENT_CREDENTIALS, &[&proof]).await.unwrap();
    let exchange = [
        ("client_id", "shop"),
        ("client_secret", SECRET),
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", bound["access_token"].as_str().unwrap()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
    ];
    assert_eq!(ask(&office, &exchange, &[]).await, Err(Cause::SubjectTokenRefused));
    let stolen = thief.proof(&office, json!({})).await;
    assert_eq!(ask(&office, &exchange, &[&stolen]).await, Err(Cause::SubjectTokenRefused));
    let proof = prover.proof(&office, json!({})).await;
    let less = ask(&office, &exchange, &[&proof]).await.unwrap();
    assert_eq!(said(&less["access_token"])["cnf"]["jkt"], prover.jkt());
}

#[tokio::test]
async fn a_bound_token_asks_about_others_only_with_its_proof() {
    let (office, prover) = (Office::open().await, Prover::new());
    let shown = [("grant_type", "client_credentials"), ("client_id", "seer"), ("client_secret", SECRET)];
    let proof = prover.proof(&office, json!({})).await;
    let bound = ask(&office, &shown, &[&proof]).await.unwrap();
    let bound = bound["access_token"].as_str().unwrap();
    for scheme in ["Bearer", "DPoP"] {
        assert_eq!(office.introspect_by(scheme, bound, bound).await, Err(Cause::BearerRefused), "{scheme}");
    }
    let ath = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bound.as_bytes());
    let htu = format!("{ISSUER}/introspect");
    let ask = async |claims: Value| {
        let mut request = office.request(&[("token", bound)]).await;
        request.name = "introspect";
        request.headers.insert("authorization", format!("DPoP {bound}").parse().unwrap());
        let request = with(request, &[&prover.proof(&office, claims).await]);
        super::office::json_of(keyward_authority::http::introspect(&office.authority, &request).await).await
    };
    let ath = URL_SAFE_NO_PAD.encode_to_string(ath);
    assert_eq!(ask(json!({ "htu": htu })).await, Err(Cause::DpopProofInvalid), "it names no token");
    assert_eq!(ask(json!({ "htu": htu, "ath": ath })).await.unwrap()["active"], true);
}

#[tokio::test]
async fn a_public_client_may_be_made_to_prove() {
    let office = Office::open().await;
    let mut app = public("app", &[], &[]);
    app.requires_dpop = true;
    office.put(&app).await;
    let shown = [("client_id", "app"), ("grant_type", "refresh_token"), ("refresh_token", "x")];
    assert_eq!(office.ask(&shown).await, Err(Cause::RefreshTokenUnknown), "what costs nothing comes first");
}

/// A certificate of this host, of a trusted authority or of nobody.
fn over(mut request: FormRequest, host: Option<&rcgen::Certificate>, is_trusted: bool) -> FormRequest {
    request.peer.certificate = host.map(|certificate| Arc::from(&**certificate.der()));
    request.peer.is_trusted = is_trusted;
    request
}

fn certificate(host: &str) -> rcgen::Certificate {
    rcgen::generate_simple_self_signed(vec![host.to_owned()]).unwrap().cert
}

fn thumbprint(certificate: &rcgen::Certificate) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate.der());
    URL_SAFE_NO_PAD.encode_to_string(hash)
}

#[tokio::test]
async fn a_refresh_token_of_who_shows_a_certificate_is_of_no_use_with_another() {
    let office = Office::open().await;
    for id in ["vault", "other"] {
        let client = Client {
            auth_methods: vec![ClientAuthMethod::TlsClientAuth],
            tls_subject: Some(TlsSubject::Dns(format!("{id}.example"))),
            ..confidential(id, &[API], &["read"])
        };
        office.put(&client).await;
    }
    let [own, renewed, other] = ["vault.example", "vault.example", "other.example"].map(certificate);
    let assertion = office.assertion("1").await;
    let shown = [("client_id", "vault"), ("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
    let first = office.answer(&over(office.request(&shown).await, Some(&own), true)).await.unwrap();
    assert_eq!(said(&first["access_token"])["cnf"]["x5t#S256"], thumbprint(&own));
    let refresh = async |client: &str, host: Option<&rcgen::Certificate>, is_trusted: bool, token: &Value| {
        let token = token.as_str().unwrap();
        let shown = [("client_id", client), ("grant_type", "refresh_token"), ("refresh_token", token)];
        office.answer(&over(office.request(&shown).await, host, is_trusted)).await
    };
    let token = &first["refresh_token"];
    assert_eq!(refresh("vault", None, true, token).await, Err(Cause::CertificateMissing));
    assert_eq!(refresh("vault", Some(&other), true, token).await, Err(Cause::CertificateOfAnother));
    // The same name, by nobody who is trusted to give it.
    assert_eq!(refresh("vault", Some(&renewed), false, token).await, Err(Cause::CertificateUntrusted));
    assert_eq!(refresh("other", Some(&other), true, token).await, Err(Cause::RefreshTokenUnknown));
    // RFC 8705 §7.1: it is the client's, whose certificate is renewed some day; the access token is bound to the new one.
    let next = refresh("vault", Some(&renewed), true, token).await.unwrap();
    assert_eq!(said(&next["access_token"])["cnf"]["x5t#S256"], thumbprint(&renewed));
}

#[tokio::test]
async fn a_refresh_token_of_a_public_client_is_bound_to_the_certificate_that_it_was_got_with() {
    let office = Office::open().await;
    office.change::<Client>("app", |app| app.requires_certificate = true).await;
    let [own, other] = ["app.example", "app.example"].map(certificate);
    let assertion = office.assertion("1").await;
    let shown = [("client_id", "app"), ("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
    let first = office.answer(&over(office.request(&shown).await, Some(&own), false)).await.unwrap();
    let refresh = async |host: Option<&rcgen::Certificate>, token: &Value| {
        let token = token.as_str().unwrap();
        let shown = [("client_id", "app"), ("grant_type", "refresh_token"), ("refresh_token", token)];
        office.answer(&over(office.request(&shown).await, host, true)).await
    };
    let token = &first["refresh_token"];
    assert_eq!(refresh(None, token).await, Err(Cause::CertificateMissing));
    assert_eq!(refresh(Some(&other), token).await, Err(Cause::RefreshTokenOfAnother));
    // What was tried with another one cost the family nothing.
    let next = refresh(Some(&own), token).await.unwrap();
    assert_eq!(refresh(Some(&other), &next["refresh_token"]).await, Err(Cause::RefreshTokenOfAnother));
    // Nor does it come loose where the client need not show one any more.
    office.change::<Client>("app", |app| app.requires_certificate = false).await;
    assert_eq!(refresh(Some(&other), &next["refresh_token"]).await, Err(Cause::RefreshTokenOfAnother));
}
