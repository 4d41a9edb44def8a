//! `Client-Cert` (RFC 9440 §2.2): the DER as a byte sequence of structured fields (RFC 8941 §3.3.5).

use base64_simd::STANDARD;

use super::{Malformed, Told};

/// A byte sequence and nothing else: it has no parameters.
pub(super) fn read(value: &[u8]) -> Result<Told, Malformed> {
    let base64 = value.trim_ascii().strip_prefix(b":").and_then(|rest| rest.strip_suffix(b":"));
    Told::of_der(STANDARD.decode_to_vec(base64.ok_or(Malformed)?).map_err(|_| Malformed)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 9440 appendix A.
    const EXAMPLE: &str = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:";

    #[test]
    fn the_example_of_the_rfc() {
        let der = STANDARD.decode_to_vec(EXAMPLE.trim_matches(':')).expect("base64");
        assert_eq!(read(EXAMPLE.as_bytes()), Told::of_der(der));
    }

    #[test]
    fn nothing_else_is_read() {
        let cut = EXAMPLE.trim_matches(':');
        for value in [
            cut.to_owned(),
            format!(":{cut}"),
            format!("{EXAMPLE};a=1"),
            format!("{EXAMPLE}, {EXAMPLE}"),
            format!("\"{cut}\""),
            format!(":{}:", cut.replace('/', "_")),
            format!(":{}:", &cut[..cut.len() - 4]),
            format!(":{cut}AAAA:"),
            ":AAAA:".to_owned(),
            "::".to_owned(),
            ":".to_owned(),
        ] {
            assert_eq!(read(value.as_bytes()), Err(Malformed), "{value}");
        }
    }
}
