//! The X.509 certificate around a key, as the last refresh found it. A key is not its certificate (promise 7).

use std::fmt;

use keyward_jose::{MalformedWrapping, VerificationKey, Wrapping};
use keyward_x509::{TrustStore, WrapperMembers};

use crate::{Reason, UnixTime};

/// What the certificates around an issuer's keys mean for its tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WrapperPolicy {
    /// A key whose certificate is over, is not its own, or leads to no declared anchor verifies nothing. So does a key
    /// without a certificate where anchors are declared.
    Enforce,
    /// Nothing, and nobody is told.
    Ignore,
    /// Nothing, and what is wrong with one is told.
    #[default]
    Warn,
}

impl WrapperPolicy {
    /// Every policy, in the order of their labels.
    pub const ALL: [Self; 3] = [Self::Enforce, Self::Ignore, Self::Warn];

    /// The name in the configuration.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Ignore => "ignore",
            Self::Warn => "warn",
        }
    }
}

impl fmt::Display for WrapperPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// What a key's set says of the certificate around it, and what that comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapper {
    /// The certificate; none where none could be read.
    pub certificate: Option<WrapperCertificate>,
    /// What is wrong with it, beside its times.
    pub trouble: Option<WrapperTrouble>,
}

/// The certificate around a key: the first of `x5c`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrapperCertificate {
    /// Its subject, as RFC 4514 writes it.
    pub subject: Box<str>,
    /// Its serial number, in hexadecimal digits.
    pub serial: Box<str>,
    /// From when it is valid.
    pub not_before: UnixTime,
    /// Until when, this second included (RFC 5280 §4.1.2.5).
    pub not_after: UnixTime,
}

/// What is wrong with the certificate around a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrapperTrouble {
    /// There is none, and anchors for it are declared.
    Absent,
    /// It is of another key than the JWK's (RFC 7517 §4.7).
    KeyMismatch,
    /// It cannot be read, for this reason.
    Malformed(Box<str>),
    /// `x5t` or `x5t#S256` is the thumbprint of another one (RFC 7517 §4.8, §4.9).
    ThumbprintMismatch,
    /// It leads to no declared anchor, for this reason.
    Untrusted(Box<str>),
}

impl Wrapper {
    /// What the certificate around `key` comes to at `now`; none where there is none, and no anchor that would demand one.
    pub fn of(key: &VerificationKey, anchors: Option<&TrustStore>, now: UnixTime) -> Option<Self> {
        Self::inspect(key, key.wrapping(), anchors, now)
    }

    /// What `wrapping` comes to for `key`; none where there is no certificate, and no anchor that would demand one.
    pub(super) fn inspect(
        key: &VerificationKey,
        wrapping: Option<Result<&Wrapping, MalformedWrapping>>,
        anchors: Option<&TrustStore>,
        now: UnixTime,
    ) -> Option<Self> {
        let troubled = |trouble| Some(Self { certificate: None, trouble: Some(trouble) });
        match wrapping {
            Some(Ok(wrapping)) if !wrapping.chain().is_empty() => {
                let members = WrapperMembers {
                    x5c: wrapping.chain().iter().map(|der| der.to_vec()).collect(),
                    x5t: wrapping.sha1_thumbprint(),
                    x5t_s256: wrapping.sha256_thumbprint(),
                };
                let spki = key.spki().unwrap_or_default();
                keyward_x509::Wrapper::inspect(&members, &spki, anchors, now.0).as_ref().map(Self::from)
            }
            Some(Err(malformed)) => troubled(WrapperTrouble::Malformed(malformed.to_string().into())),
            // A thumbprint alone shows nothing.
            Some(Ok(_)) | None if anchors.is_some() => troubled(WrapperTrouble::Absent),
            Some(Ok(_)) | None => None,
        }
    }

    /// The first second at which it is over; none where no certificate of this key is known.
    pub fn expires_at(&self) -> Option<UnixTime> {
        let certificate = self.certificate.as_ref().filter(|_| {
            !matches!(self.trouble, Some(WrapperTrouble::KeyMismatch | WrapperTrouble::Malformed(_)))
        })?;
        Some(UnixTime(certificate.not_after.0.saturating_add(1)))
    }

    /// Whether it is over.
    pub fn is_expired(&self, now: UnixTime) -> bool {
        self.expires_at().is_some_and(|at| now >= at)
    }

    /// Why [`WrapperPolicy::Enforce`] refuses the key now.
    pub fn refusal(&self, now: UnixTime) -> Option<Reason> {
        if let Some(reason) = self.trouble.as_ref().map(WrapperTrouble::reason) {
            return Some(reason);
        }
        let certificate = self.certificate.as_ref()?;
        if now > certificate.not_after {
            Some(Reason::WrapperCertificateExpired)
        } else if now < certificate.not_before {
            Some(Reason::WrapperCertificateUntrusted)
        } else {
            None
        }
    }

    /// The label of its state in `/debug/jwks-cache`: `valid`, `expired`, `not_yet_valid`, or that of the trouble.
    pub fn state(&self, now: UnixTime) -> &'static str {
        match &self.trouble {
            Some(trouble) => trouble.label(),
            None if self.is_expired(now) => "expired",
            None if self.refusal(now).is_some() => "not_yet_valid",
            None => "valid",
        }
    }
}

impl WrapperTrouble {
    /// The label in events, logs and `/debug/jwks-cache`.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::KeyMismatch => "key_mismatch",
            Self::Malformed(_) => "malformed",
            Self::ThumbprintMismatch => "thumbprint_mismatch",
            Self::Untrusted(_) => "untrusted",
        }
    }

    /// What a token of the key is refused for where that is the policy.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Absent | Self::Untrusted(_) => Reason::WrapperCertificateUntrusted,
            Self::KeyMismatch | Self::Malformed(_) | Self::ThumbprintMismatch => {
                Reason::WrapperCertificateMismatch
            }
        }
    }
}

impl fmt::Display for WrapperTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("there is none, and anchors for it are declared"),
            Self::KeyMismatch => f.write_str("it is of another key than the JWK's own"),
            Self::Malformed(why) => write!(f, "it cannot be read: {why}"),
            Self::ThumbprintMismatch => f.write_str("the JWK's thumbprint is that of another certificate"),
            Self::Untrusted(why) => write!(f, "it leads to no declared anchor: {why}"),
        }
    }
}

impl From<&keyward_x509::Wrapper> for Wrapper {
    fn from(found: &keyward_x509::Wrapper) -> Self {
        use keyward_x509::WrapperTrouble as Found;
        let trouble = found.trouble().map(|trouble| match trouble {
            Found::KeyMismatch => WrapperTrouble::KeyMismatch,
            Found::Malformed => {
                WrapperTrouble::Malformed("x5c holds something else than certificates".into())
            }
            Found::ThumbprintMismatch => WrapperTrouble::ThumbprintMismatch,
            Found::Untrusted(error) => WrapperTrouble::Untrusted(shortened(&error.to_string())),
        });
        let certificate = found.certificate().map(|certificate| WrapperCertificate {
            subject: shortened(certificate.subject()),
            serial: shortened(&certificate.serial()),
            not_before: UnixTime(certificate.not_before()),
            not_after: UnixTime(certificate.not_after()),
        });
        Self { certificate, trouble }
    }
}

/// What a provider wrote, as much of it as fits a line of the log.
fn shortened(text: &str) -> Box<str> {
    const LONGEST: usize = 256;
    text.chars().take(LONGEST).collect::<String>().into()
}
