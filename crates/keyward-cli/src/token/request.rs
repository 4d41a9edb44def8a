//! `keyward token request`: an access token by client credentials (RFC 6749 §4.4).

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION};
use keyward::address::is_acceptable;
use keyward::discovery;
use keyward::fetch::Fetcher;
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};
use zeroize::Zeroizing;

use crate::exit::{Exit, Failure};
use crate::output::{Output, Printable};
use crate::place::issuer_host;
use crate::runtime;

/// For the whole exchange with one endpoint: DNS, connection, TLS and body.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most octets of an answer: a token is at most 16 KiB, beside an ID token and a refresh token.
const ANSWER_LIMIT: usize = 256 * 1024;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward token request --issuer https://idp.example --client-id shop --client-secret-file shop.secret
  keyward token request --token-endpoint https://idp.example/token --client-id shop \\
      --client-secret-file shop.secret --scope \"read write\" --audience api > token
  pass show shop | keyward token request --issuer https://idp.example --client-id shop --client-secret-file -

It prints the access token and nothing else. The secret is the first line of the file. Addresses are asked by
https, or by http on this machine.")]
pub(crate) struct RequestArgs {
    /// The issuer; its discovery document names the token endpoint
    #[arg(long, value_name = "URL", required_unless_present = "token_endpoint")]
    issuer: Option<String>,
    /// The token endpoint, without discovery
    #[arg(long, value_name = "URL", conflicts_with = "issuer")]
    token_endpoint: Option<Url>,
    /// The client's name
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// The file whose first line is the client's secret; - for standard input
    #[arg(long, value_name = "FILE")]
    client_secret_file: PathBuf,
    /// The scopes, separated by spaces
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// The audience, where the issuer takes one as `audience`
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// The resource (RFC 8707); may be given several times
    #[arg(long, value_name = "URI")]
    resource: Vec<String>,
    /// How the client shows who it is
    #[arg(long, value_name = "HOW", default_value = "basic")]
    auth: Auth,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Auth {
    /// client_secret_basic: in the Authorization header
    Basic,
    /// client_secret_post: in the form
    Post,
}

/// Why there is no token. What the endpoint answered is told in its own words as far as RFC 6749 has any.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("{url} answers {status}, and nothing that RFC 6749 knows")]
    Answer { url: Url, status: StatusCode },
    #[error("{url} cannot be asked: {cause}")]
    Exchange { url: Url, cause: String },
    #[error("{url} is refused: a secret is sent by https, or by http to this machine")]
    InsecureAddress { url: Url },
    #[error("the discovery document of {issuer} names no token endpoint")]
    NoTokenEndpoint { issuer: String },
    #[error("{url} refuses: {code}{description}{advice}")]
    Refused { url: Url, code: String, description: String, advice: &'static str },
    #[error("the secret's first line is empty: {0}")]
    SecretEmpty(String),
    #[error("the answer of {url} is over the limit of {ANSWER_LIMIT} octets")]
    TooLarge { url: Url },
    #[error("{url} gave a token of type {token_type:?}, and only Bearer is known")]
    TokenType { url: Url, token_type: String },
}

/// RFC 6749 §5.1.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
}

/// RFC 6749 §5.2.
#[derive(Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
}

pub(crate) fn run(args: &RequestArgs) -> Result<Exit, Failure> {
    let secret = read_secret(&args.client_secret_file)?;
    let token = runtime::single()?.block_on(async {
        let endpoint = args.endpoint().await?;
        args.exchange(endpoint, &secret).await
    })?;
    let mut output = Output::stdout();
    output.line(&*token)?;
    output.flush()?;
    Ok(Exit::Yes)
}

fn read_secret(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let name = path.display().to_string();
    let text = if name == "-" {
        std::io::read_to_string(std::io::stdin()).map_err(Failure::Input)?
    } else {
        std::fs::read_to_string(path).map_err(|cause| Failure::File { path: name.clone(), cause })?
    };
    let text = Zeroizing::new(text);
    match text.lines().next() {
        None | Some("") => Err(RequestError::SecretEmpty(name).into()),
        Some(secret) => Ok(Zeroizing::new(secret.to_owned())),
    }
}

impl RequestArgs {
    async fn endpoint(&self) -> Result<Url, Failure> {
        match (&self.token_endpoint, &self.issuer) {
            (Some(endpoint), _) => Ok(endpoint.clone()),
            (None, issuer) => {
                let issuer = issuer.as_deref().unwrap_or_default();
                let allowed: Vec<_> = issuer_host(issuer).into_iter().collect();
                let fetcher =
                    Fetcher::new(TIMEOUT, ANSWER_LIMIT, &[], &allowed).map_err(Failure::HttpClient)?;
                let metadata = discovery::discover(&fetcher, issuer).await?;
                let missing = || RequestError::NoTokenEndpoint { issuer: issuer.to_owned() };
                Ok(metadata.token_endpoint.ok_or_else(missing)?)
            }
        }
    }

    async fn exchange(&self, url: Url, secret: &str) -> Result<Zeroizing<String>, Failure> {
        if !is_acceptable(&url) {
            return Err(RequestError::InsecureAddress { url }.into());
        }
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // A redirect would carry the secret elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(Failure::HttpClient)?;
        let mut request = client
            .post(url.clone())
            .header(ACCEPT, "application/json")
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(self.form(secret));
        if self.auth == Auth::Basic {
            request = request.header(AUTHORIZATION, basic(&self.client_id, secret));
        }
        let failed =
            |error: reqwest::Error| RequestError::Exchange { url: url.clone(), cause: innermost(&error) };
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > ANSWER_LIMIT {
                return Err(RequestError::TooLarge { url }.into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(read_answer(url, status, &body)?)
    }

    fn form(&self, secret: &str) -> String {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if self.auth == Auth::Post {
            form.append_pair("client_id", &self.client_id).append_pair("client_secret", secret);
        }
        let named = [("scope", &self.scope), ("audience", &self.audience)];
        for (name, value) in named.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))) {
            form.append_pair(name, value);
        }
        for resource in &self.resource {
            form.append_pair("resource", resource);
        }
        form.finish()
    }
}

/// Both halves are form-encoded before they are joined (RFC 6749 §2.3.1).
fn basic(client_id: &str, secret: &str) -> String {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Zeroizing::new(format!("{}:{}", encoded(client_id), encoded(secret)));
    format!("Basic {}", base64_simd::STANDARD.encode_to_string(pair.as_bytes()))
}

fn read_answer(url: Url, status: StatusCode, body: &[u8]) -> Result<Zeroizing<String>, RequestError> {
    if status.is_success() {
        return match serde_json::from_slice(body) {
            Ok(Granted { access_token, token_type }) if token_type.eq_ignore_ascii_case("Bearer") => {
                Ok(Zeroizing::new(access_token))
            }
            Ok(Granted { token_type, .. }) => Err(RequestError::TokenType { url, token_type }),
            Err(_) => Err(RequestError::Answer { url, status }),
        };
    }
    let Ok(Refusal { error, error_description }) = serde_json::from_slice(body) else {
        return Err(RequestError::Answer { url, status });
    };
    let short = |text: &str| Printable(&text.chars().take(300).collect::<String>()).to_string();
    let description = error_description.map_or_else(String::new, |text| format!(" ({})", short(&text)));
    Err(RequestError::Refused { url, code: short(&error), description, advice: advice(&error) })
}

/// What to look at, for each error of RFC 6749 §5.2 and RFC 8707 §2.
fn advice(error: &str) -> &'static str {
    match error {
        "invalid_client" => ": it does not know this client or its secret; --auth basic or post may be wrong",
        "invalid_grant" => ": it refuses the grant",
        "invalid_request" => ": it misses a parameter or does not understand one",
        "invalid_scope" => ": it does not know --scope, or not for this client",
        "invalid_target" => ": it does not know --resource or --audience, or not for this client",
        "unauthorized_client" => ": this client may not use client credentials there",
        "unsupported_grant_type" => ": it does not offer client credentials",
        _ => "",
    }
}

fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_of_basic_are_form_encoded() {
        // "a:b" and "p+s %é", whose colon, plus, space, percent and é would not survive otherwise.
        assert_eq!(basic("a:b", "p+s %é"), "Basic YSUzQWI6cCUyQnMrJTI1JUMzJUE5");
    }

    #[test]
    fn answers_that_are_no_token() {
        let url = Url::parse("https://idp.example/token").expect("a URL");
        let read = |status, body: &str| {
            read_answer(url.clone(), status, body.as_bytes()).map_err(|error| error.to_string())
        };
        let token = read(StatusCode::OK, r#"{"access_token":"a.b.c","token_type":"bearer"}"#);
        assert_eq!(token.expect("a token").as_str(), "a.b.c");
        for (status, body, words) in [
            (StatusCode::OK, "{}", "nothing that RFC 6749 knows"),
            (StatusCode::OK, r#"{"access_token":"t","token_type":"mac"}"#, "only Bearer"),
            (StatusCode::BAD_GATEWAY, "<html>", "502"),
            (StatusCode::UNAUTHORIZED, r#"{"error":"invalid_client"}"#, "its secret"),
            (
                StatusCode::BAD_REQUEST,
                r#"{"error":"x\u001b[2J","error_description":"y\n"}"#,
                "x\\u001b[2J (y\\u000a)",
            ),
        ] {
            let error = read(status, body).expect_err("no token");
            assert!(error.contains(words), "{error}");
            assert!(!error.contains("a.b.c"));
        }
    }
}
