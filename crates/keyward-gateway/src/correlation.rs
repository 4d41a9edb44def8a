//! The id by which one request is found again in everybody's logs.

use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use keyward::entropy;

/// Where we answer with it.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-correlation-id");

/// Where proxies and clients send theirs, in order of preference.
const SOURCES: [HeaderName; 2] = [HEADER, HeaderName::from_static("x-request-id")];

/// The longest id that is taken over.
const LENGTH_LIMIT: usize = 128;

/// Makes ids that no two requests share: a random start for the process, and a count.
#[derive(Debug)]
pub(crate) struct CorrelationIds {
    /// 16 hexadecimal digits.
    start: [u8; 16],
    count: AtomicU64,
}

impl CorrelationIds {
    pub(crate) fn new() -> Self {
        Self { start: hex(entropy::seed()), count: AtomicU64::new(0) }
    }

    /// The request's own id, where it has a sound one; otherwise a new one.
    pub(crate) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        let own = SOURCES.iter().filter_map(|name| headers.get(name)).find(|value| is_sound(value));
        own.cloned().unwrap_or_else(|| self.make())
    }

    fn make(&self) -> HeaderValue {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let count: [u8; 8] = hex(count << 32);
        let mut text = [0; 24];
        let (start, rest) = text.split_at_mut(16);
        start.copy_from_slice(&self.start);
        rest.copy_from_slice(&count);
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("unknown"))
    }
}

/// The highest `DIGITS` hexadecimal digits.
fn hex<const DIGITS: usize>(number: u64) -> [u8; DIGITS] {
    std::array::from_fn(|place| {
        let nibble = (number << (4 * place) >> 60) as u8;
        if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
    })
}

/// It goes into logs and JSON as it is.
fn is_sound(value: &HeaderValue) -> bool {
    let sound = |octet: &u8| octet.is_ascii_alphanumeric() || b"-_.:/+=".contains(octet);
    (1..=LENGTH_LIMIT).contains(&value.len()) && value.as_bytes().iter().all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_sound_id_over_and_makes_one_otherwise() {
        let ids = CorrelationIds::new();
        let mut headers = HeaderMap::new();
        let made = [ids.of(&headers), ids.of(&headers)];
        assert_ne!(made[0], made[1]);
        assert!(made.iter().all(|id| id.len() == 24 && is_sound(id)));
        headers.insert("x-request-id", HeaderValue::from_static("req-1"));
        assert_eq!(ids.of(&headers), "req-1");
        headers.insert("x-correlation-id", HeaderValue::from_static("cor-1"));
        assert_eq!(ids.of(&headers), "cor-1");
        for hostile in ["", "a b", "a\"b", "a\\b", "é", &"x".repeat(129)] {
            let value = HeaderValue::from_bytes(hostile.as_bytes()).expect("a header value");
            headers.insert("x-correlation-id", value);
            headers.remove("x-request-id");
            assert_eq!(ids.of(&headers).len(), 24, "{hostile:?}");
        }
    }
}
