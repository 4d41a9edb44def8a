//! A configuration's text while it is resolved.

use std::fmt;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyward::credentials::SecretFile;
use serde::de::DeserializeOwned;
use toml::Spanned;
use zeroize::Zeroizing;

use super::{ConfigError, FileWarning, Time};

/// A configuration's text while it is resolved, the files that it has named so far, and what is to be said of them.
#[derive(Debug)]
pub struct Source<'a> {
    text: &'a str,
    folder: &'a Path,
    /// The files that it has named so far: a change of one makes a new configuration.
    pub files: Vec<PathBuf>,
    /// What is to be said of them.
    pub warnings: Vec<FileWarning>,
}

impl<'a> Source<'a> {
    /// A text; the files that it names are looked for in `folder`.
    pub const fn new(text: &'a str, folder: &'a Path) -> Self {
        Self { text, folder, files: Vec::new(), warnings: Vec::new() }
    }

    /// The text as it is written. Nothing is looked up or checked but names and types.
    ///
    /// # Errors
    /// [`ConfigError`], as all that follows.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(self.text)
            .map_err(|error| ConfigError::at(self.text, error.span(), error.message().to_owned()))
    }

    /// An error at this place of the text.
    pub fn error(&self, span: &Range<usize>, message: impl Into<String>) -> ConfigError {
        ConfigError::at(self.text, Some(span.clone()), message)
    }

    /// An error of what is in a file, at the place that names it.
    pub fn file_error(&self, file: &Spanned<PathBuf>, why: impl fmt::Display) -> ConfigError {
        self.error(&file.span(), format!("{}: {why}", self.file_path(file.get_ref()).display()))
    }

    /// Where a file is that the text names so.
    pub fn file_path(&self, file: &Path) -> PathBuf {
        self.folder.join(file)
    }

    /// Reads a file that the text names, and has it watched.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&mut self, file: &Spanned<PathBuf>) -> Result<Vec<u8>, ConfigError> {
        let path = self.file_path(file.get_ref());
        let content = std::fs::read(&path)
            .map_err(|error| self.error(&file.span(), format!("{} cannot be read: {error}", path.display())));
        self.files.push(path);
        content
    }

    /// The same of a file with a secret. It is warned of where others have rights on it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn secret(&mut self, file: &Spanned<PathBuf>) -> Result<SecretFile, ConfigError> {
        let path = self.file_path(file.get_ref());
        let secret = SecretFile::read(&path).map_err(|error| self.error(&file.span(), error.to_string()));
        self.files.push(path);
        let secret = secret?;
        self.warnings.extend(secret.warning.clone().map(FileWarning::Secret));
        Ok(secret)
    }

    /// The one line of a file with a secret.
    ///
    /// # Errors
    /// It cannot be read, or there is not one line in it.
    pub fn secret_line(&mut self, file: &Spanned<PathBuf>) -> Result<Zeroizing<String>, ConfigError> {
        let secret = self.secret(file)?;
        secret.line().map_err(|fault| self.file_error(file, fault))
    }

    /// A number of this range; `default` where none is written.
    ///
    /// # Errors
    /// It is less, or more.
    pub fn number(
        &self,
        number: Option<Spanned<usize>>,
        default: usize,
        range: RangeInclusive<usize>,
    ) -> Result<usize, ConfigError> {
        let Some(number) = number else {
            return Ok(default);
        };
        let (least, most) = (range.start(), range.end());
        let error = |message| Err(self.error(&number.span(), message));
        match number.get_ref() {
            number if number < least => error(format!("at least {least} is needed here")),
            number if number > most => error(format!("at most {most} is possible here")),
            number => Ok(*number),
        }
    }

    /// A time that something can happen in.
    ///
    /// # Errors
    /// It is zero.
    pub fn longer_than_zero(&self, time: &Spanned<Time>) -> Result<Duration, ConfigError> {
        match time.get_ref().0 {
            Duration::ZERO => Err(self.error(&time.span(), "the time must be longer than zero")),
            time => Ok(time),
        }
    }

    /// The same; `default` where none is written.
    ///
    /// # Errors
    /// It is zero.
    pub fn time_or(&self, time: Option<&Spanned<Time>>, default: Duration) -> Result<Duration, ConfigError> {
        time.map_or(Ok(default), |time| self.longer_than_zero(time))
    }

    /// Where clients ask and where operators do; at these ports of this machine where that is not written.
    ///
    /// # Errors
    /// One is no address, or both are the same.
    pub fn addresses(
        &self,
        listen: Option<&Spanned<String>>,
        admin_listen: Option<&Spanned<String>>,
        ports: [u16; 2],
    ) -> Result<[SocketAddr; 2], ConfigError> {
        let address = |written: Option<&Spanned<String>>, port| {
            let default = SocketAddr::from(([127, 0, 0, 1], port));
            let Some(written) = written else {
                return Ok(default);
            };
            let why = || format!("this is no address; write one such as \"{default}\"");
            written.get_ref().parse().map_err(|_| self.error(&written.span(), why()))
        };
        let addresses = [address(listen, ports[0])?, address(admin_listen, ports[1])?];
        match admin_listen.or(listen) {
            Some(place) if addresses[0] == addresses[1] && addresses[0].port() != 0 => {
                Err(self.error(&place.span(), "listen and admin_listen are the same address"))
            }
            _ => Ok(addresses),
        }
    }

    /// The first word of metrics' names; `keyward` where none is written.
    ///
    /// # Errors
    /// It is no word.
    pub fn namespace(&self, namespace: Option<Spanned<String>>) -> Result<String, ConfigError> {
        let Some(namespace) = namespace else {
            return Ok("keyward".to_owned());
        };
        let text = namespace.get_ref();
        let sound = text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if sound {
            Ok(namespace.into_inner())
        } else {
            Err(self.error(&namespace.span(), "a namespace has small letters, digits and _, a letter first"))
        }
    }
}
