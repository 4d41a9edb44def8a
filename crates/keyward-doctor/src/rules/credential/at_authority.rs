//! What speaks for a cause where the issuer is our own authority, and the commands that mend it there.

use crate::authority::{realm_of, told_so};
use crate::code::Code;
use crate::facts::{Call, ProviderLogCause, ProviderLogLine};
use crate::rules::command::Command;
use crate::rules::words::listed;
use crate::said::is_authoritys;

use super::case::{Case, spoken};
use super::grounds::{FRESH_S, Ground};

/// An administrator's key file, as the authority's manuals call it.
const ADMINISTRATOR: &str = "administrator.json";

impl<'a> Case<'a> {
    /// The origin and the name of the realm; none where the issuer is none of an authority's.
    pub(super) fn realm(&self) -> Option<(&'a str, &'a str)> {
        realm_of(&self.issuer.configured.issuer)
    }

    /// Whether it is our own authority that refuses us: by what it says, or by its log.
    pub(super) fn is_at_authority(&self) -> bool {
        let says = |call: &Call| spoken(call).is_some_and(is_authoritys);
        self.realm().is_some()
            && (self.introspection.calls.iter().any(says)
                || self.lines().any(|line| line.authority.is_some()))
    }

    /// What our own authority's log says of this refusal.
    pub(super) fn by_authoritys_log(&self, refused: &Call) -> Option<Ground> {
        let lines: Vec<&ProviderLogLine> = self.lines().filter(|line| self.is_of(line, refused)).collect();
        let named = lines.iter().filter(|line| line.authority.as_ref().is_some_and(|line| line.names_us));
        let (line, is_only) = match named.max_by_key(|line| line.last_at) {
            Some(line) => (*line, true),
            None => (*lines.iter().max_by_key(|line| line.count)?, lines.len() == 1),
        };
        let code = line.cause.code(&self.introspection.credential.method);
        let is_fresh = line.last_at.is_none_or(|at| self.facts.gathered_at.saturating_sub(at) <= FRESH_S);
        if is_only && is_fresh {
            return Some(Ground::certain(code, "the provider's log names the cause"));
        }
        let others = lines.iter().filter_map(|line| line.code.as_deref());
        let why = match is_only {
            true => "the provider's log names the cause, a while ago".to_owned(),
            false => format!("the provider's log names several causes that are told so: {}", listed(others)),
        };
        Some(Ground::likely(code, why))
    }

    /// Whether a line can be of this refusal: of its endpoint, told in its words, and of a credential such as ours.
    fn is_of(&self, line: &ProviderLogLine, refused: &Call) -> bool {
        let Some(authority) = &line.authority else { return false };
        let said = spoken(refused).filter(|said| said.error.as_deref() != Some("slow_down"));
        let description = said.and_then(|said| said.description.as_deref()).unwrap_or_default();
        let mut alike = told_so(description).map(|known| known.label).peekable();
        let is_told_so = alike.peek().is_none() || alike.any(|label| Some(label) == line.code.as_deref());
        let is_possible = match line.cause {
            ProviderLogCause::Limited | ProviderLogCause::Unavailable => false,
            ProviderLogCause::SecretExpired | ProviderLogCause::SecretWrong => !self.has_key(),
            ProviderLogCause::Certificate => self.introspection.credential.method == "tls_client_auth",
            ProviderLogCause::AssertionAudience
            | ProviderLogCause::AssertionForm
            | ProviderLogCause::AssertionTimes
            | ProviderLogCause::KeyDisabled
            | ProviderLogCause::KeyExpired
            | ProviderLogCause::KeyNotFound
            | ProviderLogCause::NoKid
            | ProviderLogCause::Replayed
            | ProviderLogCause::Signature
            | ProviderLogCause::WrongKind => self.has_key(),
            _ => true,
        };
        authority.endpoint == refused.endpoint && is_told_so && is_possible
    }

    /// The commands that mend it at the authority, each with what it is for; none where no command does.
    pub(super) fn mended_there(&self, code: Code) -> Vec<(&'static str, Command)> {
        let Some((origin, realm)) = self.realm().filter(|_| self.is_at_authority()) else {
            return Vec::new();
        };
        let at = |words: &[&str], rest: &[&str]| {
            let there = ["--server", origin, "--key-file", ADMINISTRATOR, "--realm", realm];
            let words = ["keyward", "authority"].iter().chain(words).chain(&there).chain(rest);
            Command::new(words.copied())
        };
        let Some(name) = self.name() else { return Vec::new() };
        let (owner, entity) = if self.is_account() {
            (["--service-account", name], "service-account")
        } else {
            (["--client", name], "client")
        };
        let kid = self.file().and_then(|file| file.kid.as_deref());
        let see_keys = ("See its keys there", at(&["key", "list"], &owner));
        let see = ("See what it may there", at(&[entity, "show"], &["--", name]));
        match (code, kid) {
            (Code::OwnKeyDisabled, Some(kid)) => {
                vec![("Enable it there", at(&["key", "enable"], &[owner[0], owner[1], "--", kid]))]
            }
            (Code::OwnKeyExpired | Code::OwnKeyUnknown | Code::AssertionSignatureWrong, _) => {
                vec![see_keys, ("Make a new key there", at(&["key", "generate"], &owner))]
            }
            (Code::AssertionWithoutKid | Code::AssertionIssuerWrong | Code::OwnKeyDisabled, _) => {
                vec![see_keys]
            }
            (Code::ClientDisabled, _) => vec![("Enable it there", at(&[entity, "enable"], &["--", name]))],
            (Code::ClientUnknown, _) => vec![("See who is there", at(&[entity, "list"], &[]))],
            (Code::SecretWrong | Code::SecretExpired, _) => vec![
                ("See its secrets there", at(&["secret", "list"], &owner)),
                (
                    "Make another one there, and put it into the credential's file",
                    at(&["secret", "create"], &[owner[0], owner[1], "--", "next"]),
                ),
            ],
            (
                Code::AuthMethodWrong
                | Code::BearerRefused
                | Code::CertificateRefused
                | Code::GrantRefused
                | Code::IntrospectionNotAllowed,
                _,
            ) => vec![see],
            _ => Vec::new(),
        }
    }

    /// Whom the authority knows us as.
    fn name(&self) -> Option<&'a str> {
        let credential = &self.introspection.credential;
        let configured = if self.is_account() { &credential.subject } else { &credential.client_id };
        configured.as_deref().or_else(|| self.owner())
    }

    /// Whether we are a service account there.
    fn is_account(&self) -> bool {
        self.is_grant()
    }
}
