//! Who we are to a provider: the files that say so, how a request shows it, and what a refusal means.
//!
//! A [`Caller`] posts forms to one issuer's endpoints in our name, such as token introspection (RFC 7662). A refusal of
//! our credential is [`CallError::CredentialsRejected`], apart from all that is said of the token that was asked about.
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use keyward::clock::{Clock, SystemClock};
//! use keyward::credentials::{
//!     Audience, Caller, CallerSettings, ClientSettings, CredentialSettings, KeyFileSettings,
//! };
//! use keyward::event::Observer;
//!
//! # async fn example(observer: Arc<dyn Observer>, token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let credential = CredentialSettings::Client(ClientSettings::PrivateKeyJwt {
//!     client_id: None, // a key file of Zitadel's says it
//!     key: KeyFileSettings::new("/etc/my-service/zitadel.json"),
//!     audience: Audience::Issuer,
//! });
//! let settings = CallerSettings::new("idp", "https://idp.example", credential);
//! let clock = Arc::new(SystemClock::new());
//! let caller = Caller::start(settings, clock.clone(), observer, keyward::entropy::seed())?;
//!
//! let endpoint = "https://idp.example/oauth/v2/introspect".parse()?;
//! let deadline = clock.mono().saturating_add(Duration::from_secs(2));
//! match caller.post(&endpoint, &endpoint, &[("token", token)], deadline).await {
//!     Ok(answer) => println!("{}: {} octets", answer.status, answer.body.len()),
//!     Err(error) => println!("undecided, {}: {error}", error.reason()),
//! }
//! # Ok(())
//! # }
//! ```

mod assertion;
mod back_off;
mod bearer;
mod bearer_machine;
mod caller;
mod caller_error;
mod caller_settings;
mod client_authentication;
mod credential_status;
mod encrypted_key;
mod file;
mod key_file;
mod settings;
mod shared;
mod signing_key;
mod standing;
mod token_answer;
mod watch;

pub use assertion::{Audience, Occasion};
pub use caller::Caller;
pub use caller_error::{CallError, CallerError};
pub use caller_settings::CallerSettings;
pub use client_authentication::{BearerToken, ClientAuthentication, ClientSecret, Proof};
pub use credential_status::CredentialStatus;
pub use file::{CredentialFault, CredentialFileError, PermissionsTooWide, SecretFile};
pub use key_file::{KeyFile, KeyFileKind, KeyFileSettings};
pub use settings::{BearerSettings, ClientSettings, CredentialSettings, Grant, Loaded};
pub use signing_key::SigningKey;
pub use token_answer::{Granted, OAuthError, ProviderError, TokenError};
pub use watch::FileWatch;
