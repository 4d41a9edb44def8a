//! Resolves `[storage]`.

use super::raw::RawStorage;
use super::{ConfigError, FileWarning, Source};
use crate::storage::StoreAddress;

impl Source<'_> {
    /// The database, with its password.
    pub(super) fn storage(&mut self, raw: RawStorage) -> Result<StoreAddress, ConfigError> {
        let address = match &raw.address {
            None => StoreAddress::Sqlite("authority.db".into()),
            Some(text) => text
                .get_ref()
                .parse()
                .map_err(|error: crate::storage::StoreError| self.error(&text.span(), error.to_string()))?,
        };
        match (address, &raw.password_file, &raw.address) {
            (StoreAddress::Sqlite(path), None, _) => {
                let address = StoreAddress::Sqlite(self.file_path(&path));
                self.warnings.extend(address.exposed().into_iter().map(FileWarning::Secret));
                Ok(address)
            }
            (StoreAddress::Sqlite(_), Some(file), _) => {
                Err(self.error(&file.span(), "SQLite has no password; this goes with postgres:// only"))
            }
            (StoreAddress::Postgres(url), _, Some(text)) if url.password().is_some() => {
                let why = "a password does not belong here, where it is shown to everybody who reads this file; \
                           put it into password_file";
                Err(self.error(&text.span(), why))
            }
            (address, None, _) => Ok(address),
            (StoreAddress::Postgres(mut url), Some(file), _) => {
                let line = self.secret_line(file)?;
                url.set_password(Some(&line))
                    .map_err(|()| self.error(&file.span(), "this address cannot have a password"))?;
                Ok(StoreAddress::Postgres(url))
            }
        }
    }
}
