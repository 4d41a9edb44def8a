//! Something that took a while, as it is told to others.

use std::num::NonZeroU64;
use std::time::Duration;

use keyward::trace::TraceContext;

/// A span that has ended. Nothing of a token is in it but the `kid` of a key that is published.
#[derive(Debug)]
pub(crate) struct Span {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) context: TraceContext,
    /// The span that caused it.
    pub(super) parent: Option<NonZeroU64>,
    /// When it ended, since 1970.
    pub(super) ended: Duration,
    pub(super) took: Duration,
    pub(super) attributes: Vec<Attribute>,
    /// Why it is an error, where it is one.
    pub(super) failure: Option<&'static str>,
}

/// Who began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// We asked.
    Client,
    /// We were asked.
    Server,
}

/// What is said of it.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Label(&'static str),
    Number(usize),
    Text(Box<str>),
}

impl Attribute {
    pub(super) fn label(name: &'static str, label: &'static str) -> Self {
        Self { name, value: Value::Label(label) }
    }

    pub(super) fn number(name: &'static str, number: usize) -> Self {
        Self { name, value: Value::Number(number) }
    }

    pub(super) fn text(name: &'static str, text: &str) -> Self {
        Self { name, value: Value::Text(text.into()) }
    }
}
