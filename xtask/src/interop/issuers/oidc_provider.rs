//! oidc-provider (Node), in RS256, ES256 and EdDSA, and with opaque tokens.
//!
//! Its introspection endpoint answers 400 `unsupported_token_type` to everything that begins with a JOSE header, its
//! own JWT access tokens included (RFC 7662 §2.2 wants `active: false` there).

use std::path::Path;
use std::process::Command;

use reqwest::blocking::Client;
use serde_json::{Value, json};

use super::introspected::{Access, Introspected, Life, Other, Way};
use super::{CLIENT, CLIENT_SECRET, Issuer, accepted, client_credentials, new_keys, opaque_token};
use crate::interop::certificates::{Certified, write_private};
use crate::interop::error::Error;
use crate::interop::install::Installed;
use crate::interop::process::{Daemon, free_port};
use crate::interop::token::Token;
use crate::interop::workshop::Workshop;

/// `xtask/interop/oidc_provider.mjs`, running.
#[derive(Debug)]
pub(crate) struct OidcProvider {
    http: Client,
    issuer: String,
    /// The private key of the client `gateway-private-key-jwt`.
    gateway_key: Value,
    /// Another one by the same name.
    wrong_key: Value,
    daemon: Daemon,
}

impl OidcProvider {
    /// Starts it on a free port.
    pub(crate) fn start(workshop: &Workshop) -> Result<Self, Error> {
        Self::start_with(workshop, &[])
    }

    /// The same, with keys for ES256 by these names that have certificates around them. The first one signs; the
    /// others do for [`Issuer::token`] by their name in place of an algorithm.
    pub(crate) fn start_with(workshop: &Workshop, certified: &[(&str, Certified)]) -> Result<Self, Error> {
        let certified: Vec<_> = certified
            .iter()
            .map(|(kid, key)| json!({ "kid": kid, "pem": key.key, "x5c": [key.base64] }))
            .collect();
        let port = free_port()?;
        let issuer = format!("http://127.0.0.1:{port}");
        let (gateway_key, wrong_key) = gateway_keys(&workshop.installed)?;
        let mut command = Command::new(workshop.installed.node());
        command
            .arg(workshop.installed.script("oidc_provider.mjs"))
            .arg(port.to_string())
            .arg(public_half(&gateway_key).to_string())
            .arg(Value::from(certified).to_string());
        let folder = workshop.subfolder(&format!("oidc-provider-{port}"))?;
        let mut daemon = Daemon::start("oidc-provider", &command, &folder)?;
        daemon.wait_until(&workshop.http, &format!("{issuer}/.well-known/openid-configuration"), 200)?;
        Ok(Self { http: workshop.http.clone(), issuer, gateway_key, wrong_key, daemon })
    }

    /// All that it wrote so far: a line for each question to its introspection endpoint.
    pub(crate) fn log(&self) -> String {
        self.daemon.log()
    }

    /// A token that is bound to this certificate (RFC 8705 section 3), in an algorithm or `opaque`.
    pub(crate) fn bound_to(&self, certificate: &Certified, resource: &str) -> Result<String, Error> {
        const WHAT: &str = "get a bound token from the issuer";
        let resource = format!("urn:keyward:{resource}");
        let form = [("grant_type", "client_credentials"), ("scope", "read"), ("resource", &*resource)];
        let request = self.http.post(format!("{}/token", self.issuer));
        let request = request.header("X-Interop-Certificate", &certificate.base64).form(&form);
        let request = request.basic_auth("bound-certificate", Some(CLIENT_SECRET));
        let answer = super::json(request.send().map_err(Error::http(WHAT))?, WHAT)?;
        let token = answer.get("access_token").and_then(Value::as_str);
        token.map(str::to_owned).ok_or(Error::MissingField { what: WHAT, field: "access_token" })
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.daemon.process()
    }

    /// The gateway's settings for asking about opaque tokens; its secret goes into the folder.
    pub(crate) fn introspection(folder: &Path) -> Result<String, Error> {
        let secret = folder.join("client-secret");
        write_private(&secret, CLIENT_SECRET)?;
        Ok(format!(
            "[issuer.introspection.credential]\nmethod = \"client_secret_basic\"\nclient_id = \"gateway\"\n\
             secret_file = {secret:?}\n"
        ))
    }

    fn token_for(&self, client: &str, resource: &str) -> Result<String, Error> {
        let resource = format!("urn:keyward:{resource}");
        let fields = [("scope", "read"), ("resource", &*resource)];
        opaque_token(&self.http, &format!("{}/token", self.issuer), client, &fields)
    }

    fn control(&self, step: &str) -> Result<(), Error> {
        const WHAT: &str = "rotate oidc-provider's keys";
        let url = format!("{}/control/{step}", self.issuer);
        accepted(self.http.post(url).send().map_err(Error::http(WHAT))?, WHAT).map(drop)
    }
}

impl Issuer for OidcProvider {
    fn issuer(&self) -> &str {
        &self.issuer
    }

    fn jwks_uri(&self) -> String {
        format!("{}/jwks", self.issuer)
    }

    fn audience(&self) -> &str {
        "api"
    }

    fn algorithms(&self) -> &'static [&'static str] {
        &["RS256", "ES256", "EdDSA"]
    }

    fn token(&self, algorithm: &str) -> Result<Token, Error> {
        let resource = format!("urn:keyward:{algorithm}");
        client_credentials(&self.http, &format!("{}/token", self.issuer), CLIENT, Some(&resource))
    }

    /// A Provider with the new keys published takes over, then one that signs with them; the old keys stay
    /// published.
    fn rotate(&self) -> Result<(), Error> {
        self.control("publish")?;
        self.control("activate")
    }
}

impl Introspected for OidcProvider {
    fn issuer(&self) -> &str {
        &self.issuer
    }

    fn audience(&self) -> Option<&str> {
        Some("api")
    }

    fn access(&self, way: Way) -> Result<Access, Error> {
        Ok(match way {
            Way::PrivateKeyJwt => Access {
                settings: String::new(),
                credential: "method = \"private_key_jwt\"\nclient_id = \"gateway-private-key-jwt\"\n\
                             key_file = \"@FILE@\"\n"
                    .to_owned(),
                right: self.gateway_key.to_string(),
                wrong: self.wrong_key.to_string(),
            },
            Way::Signed => Access {
                settings: "answers = \"signed\"\n".to_owned(),
                ..Access::client_secret_basic("gateway-signed", CLIENT_SECRET)
            },
            _ => Access::client_secret_basic("gateway", CLIENT_SECRET),
        })
    }

    fn token(&self, life: Life) -> Result<String, Error> {
        self.token_for(
            CLIENT,
            match life {
                Life::Brief => "opaque-brief",
                Life::Long => "opaque",
            },
        )
    }

    fn revoke(&self, token: &str) -> Result<(), Error> {
        const WHAT: &str = "revoke a token at oidc-provider";
        let request = self.http.post(format!("{}/token/revocation", self.issuer));
        let request = request.basic_auth(CLIENT, Some(CLIENT_SECRET)).form(&[("token", token)]);
        accepted(request.send().map_err(Error::http(WHAT))?, WHAT).map(drop)
    }

    /// Its own JWTs, and what a stranger makes of one.
    fn refused(&self) -> Result<Vec<String>, Error> {
        let token = Issuer::token(self, "RS256")?;
        let bent = (0..40).map(|number| Ok(token.with_claim("jti", &number.to_string())?.to_string()));
        std::iter::once(Ok(token.to_string())).chain(bent).collect()
    }

    fn others(&self) -> Result<Vec<Other>, Error> {
        Ok(vec![
            Other {
                what: "for us",
                token: self.token_for("stranger", "opaque")?,
                anywhere: "200",
                for_interop: "401 missing_claim",
            },
            Other {
                what: "for somebody else",
                token: self.token_for("stranger", "opaque-elsewhere")?,
                anywhere: "401 wrong_audience",
                for_interop: "401 wrong_audience",
            },
        ])
    }
}

/// The key that the gateway signs its assertions with, and another one by the same name.
fn gateway_keys(installed: &Installed) -> Result<(Value, Value), Error> {
    const MISSING: Error = Error::MissingField { what: "generate keys", field: "kid" };
    let mut keys =
        new_keys(&installed.node(), &installed.script("keys.mjs"), &["ES256", "ES256"])?.into_iter();
    let (Some(right), Some(mut wrong)) = (keys.next(), keys.next()) else { return Err(MISSING) };
    let kid = right.get("kid").cloned().ok_or(MISSING)?;
    wrong.as_object_mut().ok_or(MISSING)?.insert("kid".to_owned(), kid);
    Ok((right, wrong))
}

/// A private JWK without what is private in it.
fn public_half(key: &Value) -> Value {
    let mut key = key.clone();
    if let Some(members) = key.as_object_mut() {
        members.remove("d");
    }
    key
}
