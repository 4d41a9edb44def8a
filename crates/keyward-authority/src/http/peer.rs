//! Who is at the other end, by our own connection and by the word of a proxy that is believed.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use rustls::pki_types::CertificateDer;

use super::Peer;
use crate::cause::Cause;
use crate::config::{Proxies, ToldCertificates};
use crate::live::Live;

/// What is known of a connection before its first request.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    address: IpAddr,
    /// What the client presented in the handshake, its own certificate first.
    presented: Arc<[CertificateDer<'static>]>,
}

/// The most addresses of `X-Forwarded-For` that are looked at, from its end.
const HOPS: usize = 16;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl Connection {
    pub(crate) fn new(peer: SocketAddr, presented: &[CertificateDer<'_>]) -> Self {
        let presented = presented.iter().map(|der| der.clone().into_owned()).collect();
        // An IPv4 address is the same one where the listener is of IPv6 (RFC 4291 §2.5.5.2).
        Self { address: peer.ip().to_canonical(), presented }
    }

    /// Who sends a request with these headers, at `now` in seconds since 1970.
    ///
    /// # Errors
    /// [`Cause::CertificateHeaderMalformed`]: a client's own header may have got through, and nobody knows which one is the
    /// proxy's.
    pub(crate) fn peer(&self, headers: &HeaderMap, live: &Live, now: i64) -> Result<Peer, Cause> {
        let proxies = &live.proxies;
        if !proxies.trusts(self.address) {
            let certificate = self.presented.first().map(|der| Arc::from(der.as_ref()));
            let is_trusted = live.tls.as_ref().is_some_and(|tls| tls.trusts(&self.presented, now));
            return Ok(Peer { address: self.address, certificate, is_trusted });
        }
        // What the proxy shows in its own handshake is no client's.
        let told = proxies.client_certificate.as_ref().map(|told| told_certificate(headers, told));
        let told = told.transpose()?.flatten();
        let anchors = proxies.client_certificate.as_ref().and_then(|told| told.anchors.as_ref());
        let is_trusted = match (&told, anchors) {
            (Some(der), Some(anchors)) => anchors.lead(std::slice::from_ref(der), now),
            _ => false,
        };
        let certificate = told.map(|der| Arc::from(der.as_ref()));
        let address = told_address(headers, proxies).unwrap_or(self.address);
        Ok(Peer { address, certificate, is_trusted })
    }
}

/// The last address of `X-Forwarded-For` that is no trusted proxy's; none where it says nothing that is an address.
fn told_address(headers: &HeaderMap, proxies: &Proxies) -> Option<IpAddr> {
    let lines: Vec<_> = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
    let addresses = lines.iter().rev().flat_map(|line| line.rsplit(',')).take(HOPS);
    let mut last = None;
    for address in addresses {
        let address = address.trim().parse::<IpAddr>().ok()?.to_canonical();
        last = Some(address);
        if !proxies.trusts(address) {
            return last;
        }
    }
    last
}

/// The certificate that a trusted proxy tells. Its hash alone, as Envoy may tell it, is none: no client is registered by that.
fn told_certificate(
    headers: &HeaderMap,
    told: &ToldCertificates,
) -> Result<Option<CertificateDer<'static>>, Cause> {
    let malformed = Cause::CertificateHeaderMalformed;
    match told.header.told(headers).map_err(|_| malformed)? {
        None => Ok(None),
        Some(told) => told.der.map(|der| Some(der.into())).ok_or(malformed),
    }
}

#[cfg(test)]
mod tests {
    use base64_simd::STANDARD;
    use keyward_jose::AlgorithmSet;
    use keyward_server::CertificateHeader;
    use keyward_server::certificate_header::Form;
    use keyward_x509::{Certificate, TrustStore};
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    use super::*;
    use crate::http::{Abilities, ClientCertificates};
    use crate::tls::ClientAnchors;

    const CERT: &str = "x-client-cert";

    fn authority() -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    fn live(form: Form, anchor: Option<&CertifiedIssuer<'static, KeyPair>>) -> Live {
        let name = (form == Form::Nginx).then_some(CERT);
        let header = CertificateHeader::new(form, name, &[]).unwrap();
        let anchors = anchor.map(|anchor| {
            let anchor = Certificate::from_der(anchor.der()).unwrap();
            Arc::new(ClientAnchors::new(TrustStore::builder().anchors([anchor]).build(NOW)))
        });
        let client_certificate = Some(ToldCertificates { header, anchors });
        let proxies = Proxies { trusted_peers: vec!["10.0.0.0/8".parse().unwrap()], client_certificate };
        let abilities = Abilities::served(ClientCertificates::Seen, AlgorithmSet::asymmetric());
        Live { tls: None, proxies, abilities }
    }

    /// Within the time of what rcgen makes by default.
    const NOW: i64 = 1_800_000_000;

    fn peer(live: &Live, from: &str, headers: &[(&'static str, &str)]) -> Result<Peer, Cause> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let shown = CertificateDer::from(b"shown".to_vec());
        let connection = Connection::new(SocketAddr::new(from.parse().unwrap(), 4711), &[shown]);
        connection.peer(&map, live, NOW)
    }

    /// As nginx and Envoy encode PEM.
    fn escaped(pem: &str) -> String {
        let encode = |c: char| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' => c.to_string(),
            c => format!("%{:02X}", u32::from(c)),
        };
        pem.chars().map(encode).collect()
    }

    /// Each form, its header, and `certificate` in it.
    fn forms(certificate: &rcgen::Certificate) -> [(Form, &'static str, String); 4] {
        let (base64, pem) = (STANDARD.encode_to_string(certificate.der()), escaped(&certificate.pem()));
        [
            (Form::ClientCert, "client-cert", format!(":{base64}:")),
            (Form::Nginx, CERT, pem.clone()),
            (Form::Traefik, "x-forwarded-tls-client-cert", base64),
            (Form::Xfcc, "x-forwarded-client-cert", format!("By=spiffe://a;Cert=\"{pem}\"")),
        ]
    }

    #[test]
    fn a_stranger_says_nothing_about_itself() {
        let own = CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap();
        for (form, name, value) in forms(&own) {
            for value in [value.as_str(), "junk"] {
                let headers = [("x-forwarded-for", "198.51.100.7"), (name, value)];
                let told = peer(&live(form, None), "192.0.2.1", &headers).unwrap();
                assert_eq!(told.address, "192.0.2.1".parse::<IpAddr>().unwrap());
                assert_eq!(told.certificate.as_deref(), Some(&b"shown"[..]), "{form:?}");
            }
        }
    }

    #[test]
    fn a_proxy_is_believed_up_to_the_first_that_is_none() {
        let live = live(Form::ClientCert, None);
        let address = |value: &str| {
            peer(&live, "::ffff:10.0.0.1", &[("x-forwarded-for", value)]).unwrap().address.to_string()
        };
        assert_eq!(address("203.0.113.9, 198.51.100.7, 10.1.1.1"), "198.51.100.7");
        assert_eq!(address("10.2.2.2"), "10.2.2.2");
        assert_eq!(address("nonsense"), "10.0.0.1");
        assert_eq!(address("nonsense, 198.51.100.7"), "198.51.100.7");
    }

    #[test]
    fn a_certificate_counts_as_the_proxy_tells_it_and_is_trusted_by_the_proxies_own_anchors() {
        let (authority, key) = (authority(), KeyPair::generate().unwrap());
        let certified = CertificateParams::default().signed_by(&key, &authority).unwrap();
        let own = CertificateParams::default().self_signed(&key).unwrap();
        for (certificate, leads) in [(&certified, true), (&own, false)] {
            for (form, name, value) in forms(certificate) {
                for anchor in [None, Some(&authority)] {
                    let told = peer(&live(form, anchor), "10.0.0.1", &[(name, &value)]).unwrap();
                    assert_eq!(told.certificate.as_deref(), Some(certificate.der().as_ref()), "{form:?}");
                    assert_eq!(told.is_trusted, leads && anchor.is_some(), "{form:?}");
                }
            }
        }
    }

    #[test]
    fn a_proxy_that_tells_none_has_a_client_without_one_whatever_it_shows_itself() {
        for (form, name) in [(Form::ClientCert, "client-cert"), (Form::Nginx, CERT)] {
            for headers in [&[][..], &[(name, "")][..]] {
                assert_eq!(peer(&live(form, None), "10.0.0.1", headers).unwrap().certificate, None);
            }
        }
        // Its header of another form is nobody's.
        let told = peer(&live(Form::Nginx, None), "10.0.0.1", &[("client-cert", "::")]).unwrap();
        assert_eq!(told.certificate, None);
    }

    #[test]
    fn of_two_headers_or_a_broken_one_nobody_knows_what_the_proxy_said() {
        let own = CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap();
        for (form, name, value) in forms(&own) {
            let cut = &value[..value.len() / 2];
            for headers in
                [&[(name, value.as_str()), (name, value.as_str())][..], &[(name, cut)], &[(name, "junk")]]
            {
                let told = peer(&live(form, None), "10.0.0.1", headers).map(|peer| peer.certificate);
                assert_eq!(told, Err(Cause::CertificateHeaderMalformed), "{form:?} {headers:?}");
            }
        }
        // A hash says which certificate, and nobody can tell whose.
        let hash = format!("Hash={}", "ab".repeat(32));
        let told = peer(&live(Form::Xfcc, None), "10.0.0.1", &[("x-forwarded-client-cert", &hash)]);
        assert_eq!(told.map(|peer| peer.certificate), Err(Cause::CertificateHeaderMalformed));
    }
}
