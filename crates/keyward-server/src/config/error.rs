//! What is wrong with a configuration, where, and what to do.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// A configuration that cannot be used.
#[derive(Debug)]
pub struct ConfigError {
    file: Option<PathBuf>,
    place: Option<Place>,
    message: String,
    files: Vec<PathBuf>,
}

/// A line and a column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl ConfigError {
    /// Of a configuration as a whole, or of no one place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { file: None, place: None, message: message.into(), files: Vec::new() }
    }

    /// Of the place in `text` where `span` begins, in octets.
    pub fn at(text: &str, span: Option<Range<usize>>, message: impl Into<String>) -> Self {
        Self { place: span.map(|span| Place::of(text, span.start)), ..Self::new(message) }
    }

    /// The same, in this file.
    #[must_use]
    pub fn in_file(self, file: impl Into<PathBuf>) -> Self {
        Self { file: Some(file.into()), ..self }
    }

    /// The same, after the configuration had named these files.
    #[must_use]
    pub fn having_read(self, files: Vec<PathBuf>) -> Self {
        Self { files, ..self }
    }

    /// The files that the configuration names, as far as it was understood: a change of one may mend it.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Where it is wrong; none where that is no one place.
    pub fn place(&self) -> Option<Place> {
        self.place
    }

    /// What is wrong, and what to do.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl Place {
    fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Self { line: before.matches('\n').count() + 1, column }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
        }
        match self.place {
            Some(Place { line, column }) => write!(f, "{line}:{column}: {}", self.message),
            None if self.file.is_some() => write!(f, " {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for ConfigError {}
