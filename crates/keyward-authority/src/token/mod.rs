//! Tokens: who gets one, for what, bound to what; whether it is good; and its end before its time.
//!
//! A request is authenticated ([`crate::client_auth`]), its grant says who the token would be for (`grant`), what it is for is
//! worked out of what was asked for and what all who are concerned may have (`target`), what it is bound to is proved
//! (`binding`), and then it is made (`issue`). Each of these can only say no to what the one before it said.

mod access_token;
mod administration;
mod bearer;
mod binding;
mod confirmation;
mod external_signers;
mod former_holders;
mod grant;
mod granted;
mod identity;
mod introspection;
mod issue;
mod kept;
mod live;
mod principal;
mod read_token;
mod refresh;
mod revocation;
mod secret_text;
mod signed_tokens;
mod subject_token;
mod target;
mod tokens;

pub mod prune;

pub use access_token::{ACCESS_TOKEN_TYPE, AccessToken, Audiences};
pub(crate) use administration::{Standing, standing};
pub use confirmation::Confirmation;
pub(crate) use granted::{Granted, granted};
pub(crate) use introspection::{Asker, introspected};
use principal::{Allowed, Principal};
pub(crate) use revocation::revoke;
pub use target::INTROSPECT_SCOPE;
use target::Target;
pub use tokens::Tokens;
