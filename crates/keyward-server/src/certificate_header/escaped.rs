//! PEM whose octets are percent-encoded: nginx's `$ssl_client_escaped_cert`, and Envoy's `Cert`.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::{Malformed, Told};

/// The one certificate in it.
pub(super) fn pem(value: &[u8]) -> Result<Told, Malformed> {
    let pem = decoded(value).ok_or(Malformed)?;
    let mut certificates = CertificateDer::pem_slice_iter(&pem);
    match (certificates.next(), certificates.next()) {
        (Some(Ok(der)), None) => Told::of_der(der.to_vec()),
        _ => Err(Malformed),
    }
}

/// Percent-decoded (RFC 3986 §2.1); a plus sign is one, as base64 has them.
pub(super) fn decoded(value: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                plain.push(octet(*high, *low)?);
                after
            }
            (b'%', _) => return None,
            (octet, after) => {
                plain.push(*octet);
                after
            }
        };
    }
    Some(plain)
}

/// What two hexadecimal digits stand for.
pub(super) fn octet(high: u8, low: u8) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// As nginx and Envoy encode it.
    pub(in super::super) fn encoded(text: &str) -> String {
        let encode = |c: char| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' => c.to_string(),
            c => format!("%{:02X}", u32::from(c)),
        };
        text.chars().map(encode).collect()
    }

    pub(in super::super) fn certificate() -> rcgen::Certificate {
        let key = rcgen::KeyPair::generate().expect("a key");
        rcgen::CertificateParams::default().self_signed(&key).expect("a certificate")
    }

    #[test]
    fn the_one_certificate_is_read() {
        let certificate = certificate();
        let right = Told::of_der(certificate.der().to_vec());
        for pem_text in [certificate.pem(), certificate.pem().replace('\n', "\r\n")] {
            assert_eq!(pem(encoded(&pem_text).as_bytes()), right);
            assert_eq!(pem(encoded(&pem_text).to_lowercase().as_bytes()), Err(Malformed));
        }
        let small = encoded(&certificate.pem()).replace("%2B", "%2b").replace("%0A", "%0a");
        assert_eq!(pem(small.as_bytes()), right);
    }

    #[test]
    fn nothing_else_is_read() {
        let text = encoded(&certificate().pem());
        for value in [
            String::new(),
            format!("{text}{text}"),
            text.replace("BEGIN", "BEGUN"),
            text.replace("CERTIFICATE", "PUBLIC%20KEY"),
            format!("{text}%"),
            format!("{text}%0"),
            format!("{text}%zz"),
            text.replace("%0A", "%+A"),
            text[..text.len() / 2].to_owned(),
        ] {
            assert_eq!(pem(value.as_bytes()), Err(Malformed), "{value}");
        }
    }
}
