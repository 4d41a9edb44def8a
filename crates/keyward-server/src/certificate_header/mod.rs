//! The client's certificate as a proxy tells it, which shook hands with the client in our place.

mod client_cert;
mod escaped;
mod traefik;
mod xfcc;

use http::{HeaderMap, HeaderName};
use keyward::binding::CertificateThumbprint;
use keyward_x509::Certificate;
use serde::Deserialize;

/// No header with a certificate is longer: one of RSA 4096 with many names takes 4 KiB, and percent-encoded half more.
/// A chain beside it fits, too.
const HEADER_OCTETS: usize = 16 * 1024;

/// How proxies tell their clients' certificates. Whose word counts is for whoever asks: anybody can send a header.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateHeader {
    name: HeaderName,
    form: Form,
}

/// How a certificate stands in a header; in a configuration its name is in small letters with underscores.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `Client-Cert` of RFC 9440 §2.2.
    ClientCert,
    /// nginx's `$ssl_client_escaped_cert`, in a header that is named.
    Nginx,
    /// Traefik's `X-Forwarded-Tls-Client-Cert`.
    Traefik,
    /// Envoy's `x-forwarded-client-cert`, of which the last element counts.
    Xfcc,
}

/// Why a header cannot be the one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HeaderError {
    /// The proxy's header has one name only.
    #[error("this proxy's header is always {0}; only nginx's has to be named")]
    Fixed(&'static str),
    /// nginx's can have any.
    #[error(
        "nginx has no header of its own for this; name in header the one that your configuration puts \
         $ssl_client_escaped_cert into"
    )]
    Nameless,
    /// It is no name of a header, or of one that is read for something else.
    #[error("this is no header for a certificate")]
    Unusable,
}

/// A client's certificate, as a proxy tells it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// What tokens are bound to (RFC 8705 §3.1).
    pub thumbprint: CertificateThumbprint,
    /// The certificate in DER; none where the proxy tells its hash alone, as Envoy may.
    pub der: Option<Vec<u8>>,
}

/// A header that comes twice, or from which no certificate can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl CertificateHeader {
    /// Of this form; `name` is for nginx's alone, and none of those that are `taken` for something else.
    ///
    /// # Errors
    /// [`HeaderError`].
    pub fn new(form: Form, name: Option<&str>, taken: &[&str]) -> Result<Self, HeaderError> {
        let name = match (form.header(), name) {
            (Some(own), None) => HeaderName::from_static(own),
            (Some(own), Some(_)) => return Err(HeaderError::Fixed(own)),
            (None, None) => return Err(HeaderError::Nameless),
            (None, Some(name)) => HeaderName::try_from(name)
                .ok()
                .filter(|name| !taken.contains(&name.as_str()))
                .ok_or(HeaderError::Unusable)?,
        };
        Ok(Self { name, form })
    }

    /// The header's name.
    pub const fn name(&self) -> &HeaderName {
        &self.name
    }

    /// What a trusted proxy says; none where nobody showed it a certificate.
    ///
    /// # Errors
    /// [`Malformed`]: then a client's own header may have got through, and nobody knows which one is the proxy's.
    pub fn told(&self, headers: &HeaderMap) -> Result<Option<Told>, Malformed> {
        let mut values = headers.get_all(&self.name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            // Some proxies send it empty where there is none.
            (Some(value), None) if value.is_empty() || value == self.form.nothing() => Ok(None),
            (Some(value), None) if value.len() <= HEADER_OCTETS => self.form.read(value.as_bytes()).map(Some),
            _ => Err(Malformed),
        }
    }
}

impl Form {
    /// The header that a proxy of this kind always uses; none where its configuration names one.
    const fn header(self) -> Option<&'static str> {
        match self {
            Self::ClientCert => Some("client-cert"),
            Self::Nginx => None,
            Self::Traefik => Some("x-forwarded-tls-client-cert"),
            Self::Xfcc => Some("x-forwarded-client-cert"),
        }
    }

    /// What a proxy writes that always writes something.
    const fn nothing(self) -> &'static str {
        match self {
            Self::ClientCert => "::",
            Self::Nginx | Self::Traefik | Self::Xfcc => "",
        }
    }

    fn read(self, value: &[u8]) -> Result<Told, Malformed> {
        match self {
            Self::ClientCert => client_cert::read(value),
            Self::Nginx => escaped::pem(value),
            Self::Traefik => traefik::read(value),
            Self::Xfcc => xfcc::read(value),
        }
    }
}

impl Told {
    /// What really is a certificate.
    fn of_der(der: Vec<u8>) -> Result<Self, Malformed> {
        let certificate = Certificate::from_der(&der).map_err(|_| Malformed)?;
        let thumbprint = CertificateThumbprint(*certificate.thumbprint_sha256());
        Ok(Self { thumbprint, der: Some(der) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORMS: [Form; 4] = [Form::ClientCert, Form::Nginx, Form::Traefik, Form::Xfcc];

    /// A word of one of the forms, or an octet.
    fn fragment() -> impl Strategy<Value = Vec<u8>> {
        let words = [
            &b":"[..],
            b",",
            b";",
            b"=",
            b"\"",
            b"\\\"",
            b"%",
            b"%2",
            b"%41",
            b"%0A",
            b"MIIB",
            b"AAAA",
            b"Hash=",
            b"hash=\"ab",
            b"Cert=",
            b"-----BEGIN CERTIFICATE-----",
            b"-----END CERTIFICATE-----",
            b"\n",
            b" ",
        ];
        prop_oneof![
            3 => prop::sample::select(words.to_vec()).prop_map(<[u8]>::to_vec),
            1 => any::<u8>().prop_map(|octet| vec![octet]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_header_makes_it_panic(fragments in prop::collection::vec(fragment(), 0..32)) {
            let value = fragments.concat();
            for form in FORMS {
                // A hash is no certificate; of the others nothing here is one.
                prop_assert!(form.read(&value).is_err() || form == Form::Xfcc);
            }
        }
    }

    fn header(form: Form) -> CertificateHeader {
        CertificateHeader::new(form, (form == Form::Nginx).then_some("X-Client-Cert"), &[]).unwrap()
    }

    fn told(header: &CertificateHeader, values: &[&str]) -> Result<Option<Told>, Malformed> {
        let values = values.iter().map(|value| (header.name().clone(), value.parse().unwrap()));
        header.told(&HeaderMap::from_iter(values))
    }

    #[test]
    fn a_proxy_that_says_nothing_has_a_client_without_a_certificate() {
        for form in FORMS {
            let header = header(form);
            assert_eq!(told(&header, &[]), Ok(None));
            assert_eq!(told(&header, &[""]), Ok(None));
            assert_eq!(
                told(&header, &["::"]),
                if form == Form::ClientCert { Ok(None) } else { Err(Malformed) }
            );
        }
    }

    #[test]
    fn two_headers_and_endless_ones_are_refused() {
        let (header, hash) = (header(Form::Xfcc), format!("Hash={}", "ab".repeat(32)));
        let right = Ok(Some(Told { thumbprint: CertificateThumbprint([0xab; 32]), der: None }));
        assert_eq!(told(&header, &[&hash]), right);
        assert_eq!(told(&header, &[&hash, &hash]), Err(Malformed));
        assert_eq!(told(&header, &[&hash, ""]), Err(Malformed));
        let long = |octets: usize| format!("{hash};URI={}", "u".repeat(octets - hash.len() - 5));
        assert_eq!(told(&header, &[&long(HEADER_OCTETS)]), right);
        assert_eq!(told(&header, &[&long(HEADER_OCTETS + 1)]), Err(Malformed));
    }

    #[test]
    fn only_nginxs_header_has_a_name_of_its_own_and_none_that_is_taken() {
        let made = |form, name| CertificateHeader::new(form, name, &["authorization"]).map(|made| made.name);
        assert_eq!(made(Form::Traefik, None), Ok(HeaderName::from_static("x-forwarded-tls-client-cert")));
        assert_eq!(made(Form::Xfcc, Some("x")), Err(HeaderError::Fixed("x-forwarded-client-cert")));
        assert_eq!(made(Form::Nginx, None), Err(HeaderError::Nameless));
        assert_eq!(made(Form::Nginx, Some("X-Cert")), Ok(HeaderName::from_static("x-cert")));
        for bad in ["Authorization", "a b", ""] {
            assert_eq!(made(Form::Nginx, Some(bad)), Err(HeaderError::Unusable), "{bad}");
        }
    }
}
