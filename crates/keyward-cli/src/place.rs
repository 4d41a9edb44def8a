//! A place that is named on the command line: a file or an address.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use keyward::KeySource;
use keyward::address::AllowedHost;
use url::Url;

/// A JWK Set's place. What begins with `http://` or `https://` is an address, all else a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    File(PathBuf),
    Url(Url),
}

impl FromStr for Place {
    type Err = url::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_address = ["http://", "https://"]
            .iter()
            .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
        if is_address { Url::parse(text).map(Self::Url) } else { Ok(Self::File(text.into())) }
    }
}

impl Place {
    /// The host of an address: who types it means it, whatever it resolves to.
    pub(crate) fn host(&self) -> Option<AllowedHost> {
        match self {
            Self::File(_) => None,
            Self::Url(url) => AllowedHost::of(url),
        }
    }
}

/// The host of an issuer on the command line, likewise.
pub(crate) fn issuer_host(issuer: &str) -> Option<AllowedHost> {
    AllowedHost::of(&Url::parse(issuer).ok()?)
}

impl From<Place> for KeySource {
    fn from(place: Place) -> Self {
        match place {
            Place::File(path) => Self::File(path),
            Place::Url(url) => Self::JwksUri(url),
        }
    }
}

/// An issuer on the command line: any text, for it is compared to the letter.
pub(crate) fn issuer(text: &str) -> Result<Box<str>, Infallible> {
    Ok(text.into())
}
