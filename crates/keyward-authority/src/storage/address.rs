//! Which database.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

use super::StoreError;

/// Which database holds the log and the state.
#[derive(Clone, Eq, PartialEq)]
pub enum StoreAddress {
    /// PostgreSQL 14 or newer, or what speaks its protocol.
    Postgres(Url),
    /// A file of SQLite, which is made where it is not there.
    Sqlite(PathBuf),
}

impl FromStr for StoreAddress {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let refused = || StoreError::Address { address: without_password(text) };
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() { Err(refused()) } else { Ok(Self::Sqlite(path.into())) };
        }
        let url = Url::parse(text).map_err(|_| refused())?;
        match url.scheme() {
            "postgres" | "postgresql" => Ok(Self::Postgres(url)),
            _ => Err(refused()),
        }
    }
}

fn without_password(text: &str) -> String {
    match Url::parse(text) {
        Ok(mut url) if url.password().is_some() => {
            // It has a password, so it can be told another.
            let _ = url.set_password(Some("…"));
            url.into()
        }
        Ok(url) => url.into(),
        Err(_) => "…".to_owned(),
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(url) => f.write_str(&without_password(url.as_str())),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_a_file_or_of_a_server_and_never_shows_a_password() {
        let parse = |text: &str| text.parse::<StoreAddress>();
        assert_eq!(parse("sqlite:data/a.db").unwrap(), StoreAddress::Sqlite("data/a.db".into()));
        assert_eq!(parse("sqlite:///var/a.db").unwrap(), StoreAddress::Sqlite("/var/a.db".into()));
        let postgres = parse("postgres://me:secret@db/keyward").unwrap();
        assert!(!format!("{postgres} {postgres:?}").contains("secret"), "{postgres}");
        for bad in ["", "sqlite:", "mysql://me:secret@db/x", "keyward.db", "postgres:secret"] {
            if let Err(error) = parse(bad) {
                assert!(!error.to_string().contains("me:secret"), "{error}");
            }
        }
        assert!(parse("mysql://db/x").is_err() && parse("keyward.db").is_err() && parse("sqlite:").is_err());
    }
}
