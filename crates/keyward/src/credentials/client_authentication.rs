//! How a request shows who we are: a pure function of the credential, the time and some randomness.

use std::fmt;

use base64_simd::STANDARD;
use bytes::Bytes;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use keyward_jose::{SignError, Signer as _};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::assertion::{self, Audience, Occasion};
use super::token_answer::{self, Granted};
use super::{CredentialFault, ProviderError, SigningKey, TokenError};
use crate::fetch::{Answer, OutgoingRequest};

/// A credential, as requests show it. Its `Debug` shows no secret.
#[derive(Debug)]
pub enum ClientAuthentication {
    /// A bearer token of ours in `Authorization` (RFC 6750 §2.1).
    Bearer(BearerToken),
    /// Client id and secret in `Authorization` (RFC 6749 §2.3.1), each encoded as in a form before they are joined.
    ClientSecretBasic {
        /// Our name at the provider.
        client_id: String,
        /// The secret.
        secret: ClientSecret,
    },
    /// Client id and secret in the form (RFC 6749 §2.3.1).
    ClientSecretPost {
        /// Our name at the provider.
        client_id: String,
        /// The secret.
        secret: ClientSecret,
    },
    /// The client id in the form; the TLS connection shows the rest (RFC 8705 §2).
    MutualTls {
        /// Our name at the provider.
        client_id: String,
    },
    /// A signed assertion in the form (RFC 7523 §2.2).
    PrivateKeyJwt {
        /// Our name at the provider: `iss` and `sub`.
        client_id: String,
        /// What signs it.
        key: Box<SigningKey>,
        /// Whom it is for.
        audience: Audience,
    },
}

/// A client's secret. It is wiped when dropped and never shown.
pub struct ClientSecret(Zeroizing<String>);

/// A bearer token of ours. It is wiped when dropped and never shown.
#[derive(Clone)]
pub struct BearerToken(Zeroizing<String>);

/// What a request has to carry. Its `Debug` shows nothing of it.
pub struct Proof {
    authorization: Option<HeaderValue>,
    fields: Vec<(&'static str, Zeroizing<String>)>,
    /// What nobody may see, should the provider repeat it.
    secrets: Vec<Zeroizing<String>>,
}

/// `client_assertion_type` of RFC 7523 §2.2.
const JWT_BEARER_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl ClientAuthentication {
    /// The method's name, as the registry of RFC 7591 §2 has it.
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Bearer(_) => "bearer",
            Self::ClientSecretBasic { .. } => "client_secret_basic",
            Self::ClientSecretPost { .. } => "client_secret_post",
            Self::MutualTls { .. } => "tls_client_auth",
            Self::PrivateKeyJwt { .. } => "private_key_jwt",
        }
    }

    /// What one request has to carry. An assertion is good for one request: its `jti` may be remembered.
    ///
    /// # Errors
    /// What [`Signer::sign`](keyward_jose::Signer::sign) returns, or [`SignError::Failed`] where a secret fits in no
    /// header.
    pub async fn prove(&self, occasion: &Occasion<'_>) -> Result<Proof, SignError> {
        match self {
            Self::Bearer(token) => Proof::authorized("Bearer ", token.0.clone(), Vec::new()),
            Self::ClientSecretBasic { client_id, secret } => {
                let pair =
                    Zeroizing::new(format!("{}:{}", *form_encoded(client_id), *form_encoded(&secret.0)));
                let encoded = Zeroizing::new(STANDARD.encode_to_string(pair.as_bytes()));
                Proof::authorized("Basic ", encoded, vec![secret.0.clone(), form_encoded(&secret.0)])
            }
            Self::ClientSecretPost { client_id, secret } => Ok(Proof {
                authorization: None,
                fields: vec![
                    ("client_id", Zeroizing::new(client_id.clone())),
                    ("client_secret", secret.0.clone()),
                ],
                secrets: vec![secret.0.clone(), form_encoded(&secret.0)],
            }),
            Self::MutualTls { client_id } => Ok(Proof {
                authorization: None,
                fields: vec![("client_id", Zeroizing::new(client_id.clone()))],
                secrets: Vec::new(),
            }),
            Self::PrivateKeyJwt { client_id, key, audience } => {
                let signed = assertion::sign(&**key, client_id, audience, occasion).await?;
                Ok(Proof {
                    authorization: None,
                    fields: vec![
                        ("client_assertion_type", Zeroizing::new(JWT_BEARER_ASSERTION.to_owned())),
                        ("client_assertion", signed.clone()),
                    ],
                    secrets: vec![signed],
                })
            }
        }
    }

    /// The name of the key that signs, where one does and has a name.
    pub fn kid(&self) -> Option<&str> {
        match self {
            Self::PrivateKeyJwt { key, .. } => key.kid(),
            _ => None,
        }
    }
}

impl Proof {
    /// Nothing: a request that shows no credential.
    pub const fn nothing() -> Self {
        Self { authorization: None, fields: Vec::new(), secrets: Vec::new() }
    }

    /// What a request has to carry whose grant is an assertion of `subject`, its own issuer (RFC 7523 §2.1).
    ///
    /// # Errors
    /// As [`ClientAuthentication::prove`].
    pub async fn grant(
        key: &SigningKey,
        subject: &str,
        audience: &Audience,
        occasion: &Occasion<'_>,
    ) -> Result<Self, SignError> {
        let signed = assertion::sign(key, subject, audience, occasion).await?;
        Ok(Self { authorization: None, fields: vec![("assertion", signed.clone())], secrets: vec![signed] })
    }

    fn authorized(
        scheme: &str,
        credential: Zeroizing<String>,
        mut secrets: Vec<Zeroizing<String>>,
    ) -> Result<Self, SignError> {
        let mut text = Zeroizing::new(String::with_capacity(scheme.len() + credential.len()));
        text.push_str(scheme);
        text.push_str(&credential);
        let octets = Bytes::from_owner(Zeroizing::new(text.as_bytes().to_vec()));
        let mut authorization = HeaderValue::from_maybe_shared(octets).map_err(|_| SignError::Failed)?;
        authorization.set_sensitive(true);
        secrets.push(credential);
        Ok(Self { authorization: Some(authorization), fields: Vec::new(), secrets })
    }

    /// The same, where what a provider says is shown without what `earlier` carried either: it may remember.
    #[must_use]
    pub fn hiding(mut self, earlier: &Self) -> Self {
        self.secrets.extend(earlier.secrets.iter().cloned());
        self
    }

    /// A POST of `fields` that carries it.
    pub fn post_form(&self, url: &Url, fields: &[(&str, &str)]) -> OutgoingRequest {
        let ours = self.fields.iter().map(|(name, value)| (*name, value.as_str()));
        let mut request = OutgoingRequest::post_form(url.clone(), fields.iter().copied().chain(ours));
        if let Some(authorization) = &self.authorization {
            request.headers.insert(AUTHORIZATION, authorization.clone());
        }
        request
    }

    /// What a provider said of the request that carried it, without any of it.
    pub fn said(&self, answer: &Answer) -> ProviderError {
        ProviderError::read(answer, self.secrets())
    }

    /// What a token endpoint answered to the request that carried it.
    ///
    /// # Errors
    /// [`TokenError::Malformed`], [`TokenError::Said`].
    pub fn granted(&self, answer: &Answer) -> Result<Granted, TokenError> {
        token_answer::read(answer, self.secrets())
    }

    /// What a text of the provider's must not be shown with.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|secret| secret.as_str())
    }
}

impl ClientSecret {
    /// Takes in a secret.
    pub fn new(secret: Zeroizing<String>) -> Self {
        Self(secret)
    }
}

/// The longest token that fits in what servers take for a header.
const TOKEN_LIMIT: usize = 16 * 1024;

impl BearerToken {
    /// Takes in a token: visible ASCII, as RFC 6749 appendix A.12 has it, but for the space, which would end it in a
    /// header. At most 16 KiB.
    ///
    /// # Errors
    /// [`CredentialFault::NotAToken`].
    pub fn new(token: Zeroizing<String>) -> Result<Self, CredentialFault> {
        let is_good = !token.is_empty() && token.len() <= TOKEN_LIMIT;
        if is_good && token.bytes().all(|octet| octet.is_ascii_graphic()) {
            Ok(Self(token))
        } else {
            Err(CredentialFault::NotAToken)
        }
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(…)")
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(…)")
    }
}

/// A value as forms have it, made in one piece, so that nothing of it is left behind.
fn form_encoded(text: &str) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new(String::with_capacity(3 * text.len()));
    encoded.extend(form_urlencoded::byte_serialize(text.as_bytes()));
    encoded
}
