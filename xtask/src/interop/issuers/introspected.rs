//! Providers that are asked what a token is worth (RFC 7662).

use crate::interop::error::Error;

/// A provider with an introspection endpoint, which runs until it is dropped.
///
/// It knows the client `interop`, whose tokens have scope `read` and are for us, and a client for the gateway.
pub(crate) trait Introspected: Sync {
    /// Its issuer identifier, to the letter.
    fn issuer(&self) -> &str;

    /// What its answers name as our audience; none where they name nobody.
    fn audience(&self) -> Option<&str>;

    /// What the gateway shows there.
    fn access(&self, way: Way) -> Result<Access, Error>;

    /// A new token of the client `interop`.
    fn token(&self, life: Life) -> Result<String, Error>;

    /// Takes a token back the way that this provider has for it.
    fn revoke(&self, token: &str) -> Result<(), Error>;

    /// Takes back every bearer that the gateway has obtained for itself; how many that were.
    fn drop_bearers(&self) -> Result<u64, Error> {
        Ok(0)
    }

    /// Tokens that nobody issued.
    fn unknown(&self) -> Result<Vec<String>, Error> {
        let texts = ["nobody", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL", "-a+b/c~d._=="];
        Ok(texts.map(str::to_owned).to_vec())
    }

    /// Tokens that its endpoint answers 400 to in place of `active: false`, more than a breaker bears failures.
    fn refused(&self) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    /// Tokens of another client, and what is to become of them.
    fn others(&self) -> Result<Vec<Other>, Error>;
}

/// How the gateway says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A token of ours that it obtains by client credentials.
    Bearer,
    /// A token of ours in a file.
    BearerFile,
    /// A secret, in `Authorization`.
    ClientSecretBasic,
    /// An assertion, signed by a key of ours.
    PrivateKeyJwt,
    /// A secret in `Authorization`, by a client whose answers are signed (RFC 9701).
    Signed,
}

/// What the gateway shows, as its configuration has it.
#[derive(Debug)]
pub(crate) struct Access {
    /// Lines of `[issuer.introspection]`.
    pub(crate) settings: String,
    /// Lines of `[issuer.introspection.credential]`, where `@FILE@` is the path of its file.
    pub(crate) credential: String,
    /// What has to be in that file.
    pub(crate) right: String,
    /// The same kind of thing, that the provider refuses.
    pub(crate) wrong: String,
}

/// How long a token lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Two seconds.
    Brief,
    /// An hour.
    Long,
}

/// A question about another client's token.
#[derive(Debug)]
pub(crate) struct Other {
    /// Whom it is for, for a person.
    pub(crate) what: &'static str,
    /// The token.
    pub(crate) token: String,
    /// The verdict on a route that demands what the issuer's settings demand.
    pub(crate) anywhere: &'static str,
    /// The verdict on a route for the client `interop` alone.
    pub(crate) for_interop: &'static str,
}

impl Way {
    /// Names it in rows.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::BearerFile => "bearer-file",
            Self::ClientSecretBasic => "client-secret-basic",
            Self::PrivateKeyJwt => "private-key-jwt",
            Self::Signed => "signed",
        }
    }
}

impl Access {
    /// A client's secret.
    pub(crate) fn client_secret_basic(client: &str, secret: &str) -> Self {
        Self {
            settings: String::new(),
            credential: format!(
                "method = \"client_secret_basic\"\nclient_id = {client:?}\nsecret_file = \"@FILE@\"\n"
            ),
            right: secret.to_owned(),
            wrong: "not-the-secret".to_owned(),
        }
    }
}
