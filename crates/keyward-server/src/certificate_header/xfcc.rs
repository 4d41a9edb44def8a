//! Envoy's `x-forwarded-client-cert`: for each hop that appended to it an element of `key=value`, and the last one is of
//! the client of the proxy that we talk to.

use keyward::binding::CertificateThumbprint;

use super::{Malformed, Told, escaped};

/// What the last hop says of its client, by `Hash`, by `Cert`, or by both where they agree. What stands before it came
/// from the client itself, or from proxies behind whose backs nobody vouches for it.
pub(super) fn read(value: &[u8]) -> Result<Told, Malformed> {
    let (mut hash, mut certificate) = (None, None);
    let element = split(value, b',')?.pop().ok_or(Malformed)?;
    for pair in split(element, b';')? {
        let at = pair.iter().position(|octet| *octet == b'=').ok_or(Malformed)?;
        let (key, value) = pair.split_at_checked(at).ok_or(Malformed)?;
        let value = unquoted(value.strip_prefix(b"=").ok_or(Malformed)?)?;
        let key = key.trim_ascii();
        let (read, told) = if key.eq_ignore_ascii_case(b"Hash") {
            (&mut hash, Told { thumbprint: from_hex(value)?, der: None })
        } else if key.eq_ignore_ascii_case(b"Cert") {
            (&mut certificate, escaped::pem(value)?)
        } else {
            continue;
        };
        if read.replace(told).is_some() {
            return Err(Malformed);
        }
    }
    match (hash, certificate) {
        (Some(hash), Some(certificate)) if hash.thumbprint != certificate.thumbprint => Err(Malformed),
        (hash, certificate) => certificate.or(hash).ok_or(Malformed),
    }
}

/// The parts between separators that stand in no quotes.
fn split(value: &[u8], separator: u8) -> Result<Vec<&[u8]>, Malformed> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = value.split(|octet| {
        let separates = *octet == separator && !quoted;
        if *octet == b'"' && !escaped {
            quoted = !quoted;
        }
        escaped = *octet == b'\\' && quoted && !escaped;
        separates
    });
    let parts = parts.map(<[u8]>::trim_ascii).collect();
    if quoted { Err(Malformed) } else { Ok(parts) }
}

/// Neither a hash nor percent-encoded PEM has a quote inside.
fn unquoted(value: &[u8]) -> Result<&[u8], Malformed> {
    match value {
        [b'"', value @ .., b'"'] => Ok(value),
        [b'"', ..] => Err(Malformed),
        value => Ok(value),
    }
}

fn from_hex(value: &[u8]) -> Result<CertificateThumbprint, Malformed> {
    let octets = value.chunks(2).map(|pair| match pair {
        [high, low] => escaped::octet(*high, *low),
        _ => None,
    });
    let octets: Vec<_> = octets.collect::<Option<_>>().ok_or(Malformed)?;
    octets.try_into().map(CertificateThumbprint).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::super::escaped::tests::{certificate, encoded};
    use super::*;

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    #[test]
    fn the_last_element_counts() {
        let (client, other) = (certificate(), certificate());
        let [right, wrong] =
            [&client, &other].map(|certificate| CertificateThumbprint::of_der(certificate.der()));
        let (hash, other_hash, cert) = (hex(&right.0), hex(&wrong.0), encoded(&client.pem()));
        for value in [
            format!("Hash={hash}"),
            format!("hash=\"{}\"", hash.to_uppercase()),
            format!(
                "By=spiffe://a/b;Hash={hash};Subject=\"CN=a\\\"b,O=c;d=e\\\\\";URI=spiffe://a/c;DNS=x;DNS=y"
            ),
            format!("Cert=\"{cert}\""),
            format!("Hash={hash};Cert=\"{cert}\";Chain=\"{cert}{cert}\""),
            format!("Hash={other_hash};Subject=\"a,b\", By=x;Hash={hash}"),
            format!("junk,Hash={hash}"),
            // A client's own words, in quotes that do not end in them.
            format!("Subject=\"\\\",Hash={other_hash}\\\\\",Hash={hash}"),
        ] {
            let told = read(value.as_bytes()).unwrap_or_else(|_| panic!("{value}"));
            assert_eq!(told.thumbprint, right, "{value}");
            let der = value.contains("Cert=").then(|| client.der().to_vec());
            assert_eq!(told.der, der, "{value}");
        }
        for value in [
            String::new(),
            ",".to_owned(),
            format!("Hash={hash},"),
            format!("Hash={hash},By=x"),
            format!("Hash={hash};"),
            format!("Hash={hash};Hash={hash}"),
            format!("Hash={other_hash};Cert=\"{cert}\""),
            format!("Hash={hash};Subject=\"open"),
            format!("Hash=\"{hash}"),
            format!("Hash={}", &hash[2..]),
            format!("Hash={hash}00"),
            format!("Hash={}g", &hash[1..]),
            "Hash=".to_owned(),
            "Cert=".to_owned(),
        ] {
            assert_eq!(read(value.as_bytes()), Err(Malformed), "{value}");
        }
    }
}
