//! Calls of ours that somebody follows, from the request that needs them to the provider that answers.
//!
//! Nothing here knows how traces are kept or sent: whoever observes a verifier may hand it a [`Tracer`], which says under what
//! name a call goes out and is told when it has come back.

mod context;

use std::fmt::Debug;
use std::time::Duration;

pub use context::TraceContext;

use crate::event::Observer;

/// Whoever follows calls.
pub trait Tracer: Send + Sync + Debug {
    /// A call begins, for the request or the other call that is its `cause`, or of our own accord: as which span it goes out. It
    /// must not block.
    fn begins(&self, cause: Option<&TraceContext>) -> TraceContext;

    /// A call has come to an end just now. It must not block.
    fn ended(&self, call: &Call<'_>);
}

/// A call that has come to an end.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Call<'a> {
    /// What it was for.
    pub kind: CallKind,
    /// Our name for the issuer.
    pub issuer: &'a str,
    /// As which span it went out.
    pub context: &'a TraceContext,
    /// What needed it.
    pub cause: Option<&'a TraceContext>,
    /// How long it took.
    pub took: Duration,
    /// What came of it, as metrics and the log call it.
    pub outcome: &'static str,
    /// Whether that is a failure.
    pub has_failed: bool,
}

/// What calls are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// An introspection endpoint is asked (RFC 7662).
    Introspection,
    /// A key set is fetched, its discovery included.
    KeySet,
    /// A bearer token of our own is requested (RFC 6749 §4.4).
    Token,
}

impl CallKind {
    /// What its span is called.
    pub const fn span(self) -> &'static str {
        match self {
            Self::Introspection => "keyward.introspection",
            Self::KeySet => "keyward.key_set_fetch",
            Self::Token => "keyward.token_request",
        }
    }
}

tokio::task_local! {
    static CAUSE: TraceContext;
}

/// Runs `work` for what `context` names: calls that it needs are followed as caused by it.
pub async fn within<F: Future>(context: TraceContext, work: F) -> F::Output {
    CAUSE.scope(context, work).await
}

/// What the running task works for, where that is followed.
pub(crate) fn cause() -> Option<TraceContext> {
    CAUSE.try_with(Clone::clone).ok()
}

/// A call that is under way and followed.
#[derive(Debug)]
pub(crate) struct Followed {
    context: TraceContext,
    cause: Option<TraceContext>,
}

impl Followed {
    /// None where nobody follows.
    pub(crate) fn begin(observer: &dyn Observer, cause: Option<TraceContext>) -> Option<Self> {
        let context = observer.tracer()?.begins(cause.as_ref());
        Some(Self { context, cause })
    }

    /// Makes the call: what it needs in turn is caused by it.
    pub(crate) async fn around<F: Future>(followed: Option<&Self>, call: F) -> F::Output {
        match followed {
            Some(followed) => within(followed.context.clone(), call).await,
            None => call.await,
        }
    }

    /// It has come back: with what, and whether that is good.
    pub(crate) fn ended(
        self,
        observer: &dyn Observer,
        kind: CallKind,
        issuer: &str,
        took: Duration,
        outcome: Result<&'static str, &'static str>,
    ) {
        let Self { context, cause } = &self;
        let (Ok(label) | Err(label)) = outcome;
        let (cause, has_failed) = (cause.as_ref(), outcome.is_err());
        if let Some(tracer) = observer.tracer() {
            tracer.ended(&Call { kind, issuer, context, cause, took, outcome: label, has_failed });
        }
    }
}
