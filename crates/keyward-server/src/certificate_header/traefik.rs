//! Traefik's `X-Forwarded-Tls-Client-Cert`: base64 without PEM's lines around it, the client's certificate first and
//! those that it sent with it behind commas.

use base64_simd::STANDARD;

use super::escaped::decoded;
use super::{Malformed, Told};

/// The first certificate. Older versions percent-encode the whole.
pub(super) fn read(value: &[u8]) -> Result<Told, Malformed> {
    let value = decoded(value).ok_or(Malformed)?;
    let mut certificates = value.split(|octet| *octet == b',').map(|base64| STANDARD.decode_to_vec(base64));
    match certificates.next() {
        Some(Ok(der)) if certificates.all(|der| der.is_ok_and(|der| !der.is_empty())) => Told::of_der(der),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::super::escaped::tests::{certificate, encoded};
    use super::*;

    #[test]
    fn the_first_certificate_is_the_clients() {
        let (client, other) = (certificate(), certificate());
        let base64 = |certificate: &rcgen::Certificate| STANDARD.encode_to_string(certificate.der());
        let right = Told::of_der(client.der().to_vec());
        assert_eq!(read(base64(&client).as_bytes()), right);
        let chain = format!("{},{}", base64(&client), base64(&other));
        assert_eq!(read(chain.as_bytes()), right);
        assert_eq!(read(encoded(&chain).as_bytes()), right);
        for value in [
            String::new(),
            ",".to_owned(),
            format!(",{chain}"),
            format!("{chain},"),
            chain.replace(',', ", "),
            client.pem(),
            base64(&client).trim_end_matches('=').replace('M', "*"),
        ] {
            assert_eq!(read(value.as_bytes()), Err(Malformed), "{value}");
        }
    }
}
