//! A token's `kid`, against those that are published.

use base64_simd::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use keyward_jose::{JwkSet, VerificationKey};
use percent_encoding::percent_decode_str;

use crate::facts::{GatewayIssuer, KidMatch};

/// A longer one is nobody's.
const LONGEST: usize = 1024;

/// Fewer octets than so many are no digest or key id that two encodings would be held against each other for.
const FEWEST_OCTETS: usize = 6;

/// `held` is the issuer as the gateway has it.
pub(super) fn matched(kid: Option<&str>, set: &JwkSet, held: Option<&GatewayIssuer>) -> KidMatch {
    let Some(kid) = kid else {
        return KidMatch::Absent;
    };
    let skipped = set.skipped().iter().filter_map(|jwk| jwk.kid.as_deref());
    let published = set.keys().iter().filter_map(VerificationKey::kid).chain(skipped);
    if let Some(published) = published.clone().find(|published| *published == kid) {
        return KidMatch::Published(published.to_owned());
    }
    let held =
        held.and_then(|held| held.keys.iter().find_map(|key| key.kid.as_deref().filter(|held| *held == kid)));
    if let Some(held) = held {
        return KidMatch::Withdrawn(held.to_owned());
    }
    if kid.len() > LONGEST {
        return KidMatch::Unknown;
    }
    let otherwise = |published: &str, differs_in: &str| KidMatch::Otherwise {
        published: published.to_owned(),
        differs_in: differs_in.to_owned(),
    };
    for published in published {
        if let Some(differs_in) = spelling(kid, published) {
            return otherwise(published, differs_in);
        }
    }
    for key in set.keys() {
        if let Some(thumbprint) = key.thumbprint()
            && (octets(kid).contains(&thumbprint.as_bytes().to_vec())
                || kid.rsplit(':').next() == Some(thumbprint.to_string().as_str()))
        {
            return otherwise(key.kid().unwrap_or(&thumbprint.to_string()), "the key's thumbprint");
        }
    }
    KidMatch::Unknown
}

/// How two spellings of one key id differ; none where they are not one.
pub fn spelling(kid: &str, published: &str) -> Option<&'static str> {
    if kid.trim() == published.trim() {
        return Some("white space");
    }
    if kid.eq_ignore_ascii_case(published) {
        return Some("case");
    }
    if percent_decode_str(kid).eq(percent_decode_str(published)) {
        return Some("percent-encoding");
    }
    let plain = |text: &str| text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    if plain(kid) == plain(published) {
        return Some("padding or alphabet of base64");
    }
    if hexadecimal(kid).is_some() && hexadecimal(kid) == hexadecimal(published) {
        return Some("case or colons of hexadecimal digits");
    }
    let theirs = octets(published);
    if octets(kid).iter().any(|octets| theirs.contains(octets)) {
        return Some("hexadecimal for base64url");
    }
    let last = |text: &str| {
        text.rsplit(['#', '/']).next().map(str::to_owned).filter(|last| last.len() >= FEWEST_OCTETS)
    };
    let is_end_of_other = last(kid).as_deref() == Some(published) || last(published).as_deref() == Some(kid);
    is_end_of_other.then_some("an address before it")
}

/// What a text may stand for: hexadecimal digits, base64url or base64.
fn octets(text: &str) -> Vec<Vec<u8>> {
    let text = text.rsplit(':').next().filter(|last| last.len() > 2).unwrap_or(text);
    let unpadded = text.trim_end_matches('=');
    let decoded = [
        hexadecimal(text),
        URL_SAFE_NO_PAD.decode_to_vec(unpadded).ok(),
        STANDARD_NO_PAD.decode_to_vec(unpadded).ok(),
    ];
    decoded.into_iter().flatten().filter(|octets| octets.len() >= FEWEST_OCTETS).collect()
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|octet| *octet != b':').collect();
    if !digits.len().is_multiple_of(2) || digits.len() / 2 < FEWEST_OCTETS {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_key_id_are_seen_through() {
        for (kid, published, differs_in) in [
            ("KEY-1", "key-1", Some("case")),
            ("key-1 ", "key-1", Some("white space")),
            ("key%2F1", "key/1", Some("percent-encoding")),
            ("3q2-796tvu8=", "3q2-796tvu8", Some("padding or alphabet of base64")),
            ("3q2+796tvu8", "3q2-796tvu8", Some("padding or alphabet of base64")),
            ("DE:AD:BE:EF:DE:AD", "deadbeefdead", Some("case or colons of hexadecimal digits")),
            ("deadbeefdeadbeef", "3q2-796tvu8", Some("hexadecimal for base64url")),
            ("https://idp.example/keys#second-key", "second-key", Some("an address before it")),
            ("key-2", "key-1", None),
            ("", "key-1", None),
            ("%", "%%", None),
        ] {
            assert_eq!(spelling(kid, published), differs_in, "{kid} {published}");
        }
    }
}
