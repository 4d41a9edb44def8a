//! Assertions as a client makes them, and what it asks with them.

use keyward_jose::{Algorithm, LocalSigner, Signer};
use keyward_lab::Lab;
use keyward_lab::client::KeyFileForm;
use serde_json::{Value, json};

use crate::support::client;

pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client with its key.
pub(crate) struct Party {
    pub(crate) name: &'static str,
    pub(crate) kid: Option<&'static str>,
    pub(crate) signer: LocalSigner,
}

impl Party {
    /// With the key that the lab hands out.
    pub(crate) fn of(lab: &Lab, name: &'static str, kid: &'static str, algorithm: Algorithm) -> Self {
        let pem = lab.key_file(None, name, Some(kid), KeyFileForm::Pem).unwrap();
        Self { name, kid: Some(kid), signer: signer(algorithm, &der(&pem)) }
    }

    /// Good ones, with these claims in place.
    pub(crate) async fn assertion(&self, lab: &Lab, claims: Value) -> String {
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let now = now(lab);
        let mut all = json!({
            "iss": self.name, "sub": self.name, "aud": lab.issuer("main").unwrap().issuer,
            "iat": now, "exp": now + 60, "jti": format!("assertion-{number}"),
        });
        for (name, value) in claims.as_object().unwrap() {
            match value {
                Value::Null => drop(all.as_object_mut().unwrap().remove(name)),
                value => drop(all.as_object_mut().unwrap().insert(name.clone(), value.clone())),
            }
        }
        let mut header = json!({ "alg": self.signer.algorithm().name() });
        if let Some(kid) = self.kid {
            header["kid"] = kid.into();
        }
        let encode = |value: &Value| base64_simd::URL_SAFE_NO_PAD.encode_to_string(value.to_string());
        let input = format!("{}.{}", encode(&header), encode(&all));
        let signature = self.signer.sign(input.as_bytes()).await.unwrap();
        format!("{input}.{}", base64_simd::URL_SAFE_NO_PAD.encode_to_string(signature))
    }

    /// The status and the body of a JWT-bearer grant.
    pub(crate) async fn exchange(&self, lab: &Lab, claims: Value) -> (u16, Value) {
        let assertion = self.assertion(lab, claims).await;
        let form = [("grant_type", JWT_BEARER), ("assertion", &assertion)];
        post(&lab.issuer("main").unwrap().token_endpoint, &form).await
    }

    /// The status and the body of an introspection by `private_key_jwt`.
    pub(crate) async fn introspect(&self, lab: &Lab, token: &str, claims: Value) -> (u16, Value) {
        let assertion = self.assertion(lab, claims).await;
        let form =
            [("token", token), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion)];
        post(&lab.issuer("main").unwrap().introspection_endpoint, &form).await
    }
}

pub(crate) fn signer(algorithm: Algorithm, pkcs8: &[u8]) -> LocalSigner {
    LocalSigner::from_pkcs8(algorithm, None, pkcs8).unwrap()
}

/// What is between the lines of PEM.
pub(crate) fn der(pem: &str) -> Vec<u8> {
    let encoded: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    base64_simd::STANDARD.decode_to_vec(encoded).unwrap()
}

pub(crate) async fn post(url: &str, form: &[(&str, &str)]) -> (u16, Value) {
    let answer = client().post(url).form(form).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// What the time is by the lab's tokens.
pub(crate) fn now(lab: &Lab) -> i64 {
    let token = lab.token(None, &keyward_lab::token::TokenPlan::default()).unwrap();
    let payload = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&payload).unwrap()["iat"].as_i64().unwrap()
}
