//! `keyward token request`: an access token by client credentials (RFC 6749 §4.4), by an assertion (RFC 7523 §2.1), or for another
//! token (RFC 8693).

mod answer;
mod credential;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use keyward::address::{AllowedHost, is_acceptable};
use keyward::clock::{Clock as _, SystemClock};
use keyward::credentials::{CredentialFileError, Grant, Occasion, Proof};
use keyward::fetch::Fetcher;
use keyward::{discovery, entropy};
use keyward_jose::SignError;
use url::Url;
use zeroize::Zeroizing;

pub(crate) use answer::Refused;

use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::place::issuer_host;
use crate::runtime;
use credential::{Credential, CredentialArgs};

/// For the whole exchange with one endpoint: DNS, connection, TLS and body.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most octets of an answer: a token is at most 16 KiB, beside an ID token and a refresh token.
const ANSWER_LIMIT: usize = 256 * 1024;

/// `grant_type` of RFC 8693 §2.1.
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward token request --issuer https://idp.example --client-id shop --client-secret-file shop.secret
  pass show shop | keyward token request --issuer https://idp.example --client-id shop --client-secret-file -
  keyward token request --issuer https://auth.example/realms/main --key-file robot.json | keyward token inspect
  keyward token request --issuer https://auth.example/realms/main --service-account robot --key-file robot.key --kid robot-1
  keyward token request --issuer https://auth.example/realms/main --client-id shop --key-file shop.jwk --scope \"read write\"
  keyward token request --issuer https://auth.example/realms/main --client-id deploy --client-secret-file deploy.secret \\
      --subject-token-file ci.token --resource https://api.example > token

It prints the access token and nothing else. Who asks decides how: a client with a secret or a key (private_key_jwt) by client
credentials, a service account's key by an assertion (the JWT-bearer grant). With --subject-token-file a client exchanges that token.
A key file is a JWK, PEM, or one of Zitadel's, which says whose it is. Secrets and tokens are read from files, - is standard input.
Addresses are asked by https, or by http on this machine.")]
pub(crate) struct RequestArgs {
    /// The issuer; its discovery document names the token endpoint
    #[arg(long, value_name = "URL", required_unless_present = "token_endpoint")]
    issuer: Option<String>,
    /// The token endpoint, without discovery
    #[arg(long, value_name = "URL")]
    token_endpoint: Option<Url>,
    #[command(flatten)]
    credential: CredentialArgs,
    /// A token that is exchanged for one of the issuer's; - for standard input
    #[arg(long, value_name = "FILE")]
    subject_token_file: Option<PathBuf>,
    /// What the subject token is
    #[arg(
        long,
        value_name = "TYPE",
        default_value = "urn:ietf:params:oauth:token-type:access_token",
        requires = "subject_token_file"
    )]
    subject_token_type: String,
    /// The token of who acts for the subject; - for standard input
    #[arg(long, value_name = "FILE", requires = "subject_token_file")]
    actor_token_file: Option<PathBuf>,
    /// What the actor token is
    #[arg(
        long,
        value_name = "TYPE",
        default_value = "urn:ietf:params:oauth:token-type:access_token",
        requires = "actor_token_file"
    )]
    actor_token_type: String,
    /// The scopes, separated by spaces
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// The audience, where the issuer takes one as `audience`
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// The resource (RFC 8707); may be given several times
    #[arg(long, value_name = "URI")]
    resource: Vec<String>,
    /// Trust anchors for the issuer's TLS beside the system's, in PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// Why there is no token. What the endpoint answered is told in its own words as far as RFC 6749 has any.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("{url} answers {status}, and nothing that RFC 6749 knows")]
    Answer { url: Url, status: http::StatusCode },
    #[error("{url} is refused: a secret is sent by https, or by http to this machine")]
    InsecureAddress { url: Url },
    #[error("the discovery document of {issuer} names no token endpoint")]
    NoTokenEndpoint { issuer: String },
    #[error("{url} refuses: {refused}")]
    Refused { url: Url, refused: Refused },
    #[error("an assertion cannot be signed: {0}")]
    Sign(#[from] SignError),
    #[error("{url} gave a token of type {token_type:?}, and only Bearer is known")]
    TokenType { url: Url, token_type: String },
}

pub(crate) fn run(args: &RequestArgs) -> Result<Exit, Failure> {
    let files = [&args.subject_token_file, &args.actor_token_file];
    let on_stdin = files.into_iter().flatten().filter(|path| is_stdin(path)).count();
    if on_stdin + args.credential.on_stdin() > 1 {
        return Err(Failure::Usage("only one thing can be on standard input".to_owned()));
    }
    if args.issuer.is_none() && args.credential.needs_issuer() {
        return Err(Failure::Usage(
            "an assertion names the issuer: say it with --issuer beside --token-endpoint, or --assertion-audience"
                .to_owned(),
        ));
    }
    let credential = args.credential.read()?;
    let fields = args.fields(&credential)?;
    let token = runtime::single()?.block_on(async {
        let endpoint = args.endpoint().await?;
        args.exchange(endpoint, &credential, &fields).await
    })?;
    let mut output = Output::stdout();
    output.line(&*token)?;
    output.flush()?;
    Ok(Exit::Yes)
}

/// A field of the form, and what it is.
type Field = (&'static str, Zeroizing<String>);

impl RequestArgs {
    /// What the form says but for who asks.
    fn fields(&self, credential: &Credential) -> Result<Vec<Field>, Failure> {
        let mut fields = Vec::new();
        let mut add = |name, value: &str| fields.push((name, Zeroizing::new(value.to_owned())));
        match (credential, &self.subject_token_file) {
            (Credential::ServiceAccount { .. }, Some(_)) => {
                return Err(Failure::Usage(
                    "a client exchanges tokens: name one with --client-id".to_owned(),
                ));
            }
            (Credential::ServiceAccount { .. }, None) => add("grant_type", Grant::JWT_BEARER),
            (_, Some(path)) => {
                add("grant_type", TOKEN_EXCHANGE);
                add("subject_token", &line(path)?);
                add("subject_token_type", &self.subject_token_type);
                if let Some(path) = &self.actor_token_file {
                    add("actor_token", &line(path)?);
                    add("actor_token_type", &self.actor_token_type);
                }
            }
            (Credential::Public { .. }, None) => {
                return Err(Failure::Usage(
                    "a client needs a secret (--client-secret-file) or a key (--key-file) for a token in its own name"
                        .to_owned(),
                ));
            }
            (Credential::Client(_), None) => add("grant_type", Grant::CLIENT_CREDENTIALS),
        }
        if let Credential::Public { client_id } = credential {
            add("client_id", client_id);
        }
        let named = [("scope", &self.scope), ("audience", &self.audience)];
        for (name, value) in named.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))) {
            add(name, value);
        }
        self.resource.iter().for_each(|resource| add("resource", resource));
        Ok(fields)
    }

    async fn endpoint(&self) -> Result<Url, Failure> {
        match (&self.token_endpoint, &self.issuer) {
            (Some(endpoint), _) => Ok(endpoint.clone()),
            (None, issuer) => {
                let issuer = issuer.as_deref().unwrap_or_default();
                let fetcher = self.fetcher(issuer_host(issuer))?;
                let metadata = discovery::discover(&fetcher, issuer).await?;
                let missing = || RequestError::NoTokenEndpoint { issuer: issuer.to_owned() };
                Ok(metadata.token_endpoint.ok_or_else(missing)?)
            }
        }
    }

    async fn exchange(
        &self,
        url: Url,
        credential: &Credential,
        fields: &[Field],
    ) -> Result<Zeroizing<String>, Failure> {
        if !is_acceptable(&url) {
            return Err(RequestError::InsecureAddress { url }.into());
        }
        let now = SystemClock::new().now().wall;
        let issuer = self.issuer.as_deref().unwrap_or_default();
        let occasion = Occasion { issuer, endpoint: &url, now, nonce: entropy::nonce() };
        let proof = match credential {
            Credential::Client(client) => client.prove(&occasion).await,
            Credential::Public { .. } => Ok(Proof::nothing()),
            Credential::ServiceAccount { key, subject, audience } => {
                Proof::grant(key, subject, audience, &occasion).await
            }
        };
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let request = proof.map_err(RequestError::from)?.post_form(&url, &fields);
        let answer = self.fetcher(AllowedHost::of(&url))?.send(&url, &request).await?;
        Ok(answer::read(url, answer.status, &answer.body)?)
    }

    /// Who names a host means it, whatever it resolves to.
    fn fetcher(&self, host: Option<AllowedHost>) -> Result<Fetcher, Failure> {
        let anchors = match &self.ca_file {
            None => Vec::new(),
            Some(path) => {
                let file = |cause| Failure::File { path: path.display().to_string(), cause };
                std::fs::read(path).map_err(file)?
            }
        };
        let allowed: Vec<_> = host.into_iter().collect();
        Fetcher::new(TIMEOUT, ANSWER_LIMIT, &anchors, &allowed).map_err(Failure::HttpClient)
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// All of a file, or of standard input.
fn octets(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    use std::io::Read as _;
    if !is_stdin(path) {
        return Ok(keyward::credentials::SecretFile::read(path)?.octets);
    }
    let mut octets = Zeroizing::new(Vec::with_capacity(INPUT_LIMIT));
    std::io::stdin().take(INPUT_LIMIT as u64).read_to_end(&mut octets).map_err(Failure::Input)?;
    Ok(octets)
}

/// The most that is read of standard input, as of a file.
const INPUT_LIMIT: usize = 64 * 1024;

/// The first line of a file, or of standard input.
fn line(path: &Path) -> Result<Zeroizing<String>, Failure> {
    use keyward::credentials::CredentialFault;
    let octets = octets(path)?;
    let first = octets.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let first = first.strip_suffix(b"\r").unwrap_or(first);
    let fault = match std::str::from_utf8(first) {
        Ok("") => CredentialFault::NoSecret,
        Ok(line) => return Ok(Zeroizing::new(line.to_owned())),
        Err(_) => CredentialFault::NotOneLine,
    };
    Err(CredentialFileError { path: path.to_owned(), fault }.into())
}
