//! Where in somebody's trace we are (W3C Trace Context, level 1).

use std::num::{NonZeroU64, NonZeroU128};

use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The longest `tracestate` that is handed on: the least that everybody has to take (§3.3.1.5).
const STATE_LIMIT: usize = 512;

/// Its most members (§3.3.1.1).
const STATE_MEMBERS: usize = 32;

/// The octets of a `traceparent` of version 00.
const LENGTH: usize = 55;

/// A span, its trace, and whether it is recorded: what goes along with a request in `traceparent` and `tracestate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: NonZeroU128,
    span_id: NonZeroU64,
    is_sampled: bool,
    state: Option<HeaderValue>,
}

impl TraceContext {
    /// The first span of a trace.
    pub fn root(trace_id: NonZeroU128, span_id: NonZeroU64, is_sampled: bool) -> Self {
        Self { trace_id, span_id, is_sampled, state: None }
    }

    /// Another span of this trace, recorded where this one is.
    #[must_use]
    pub fn child(&self, span_id: NonZeroU64) -> Self {
        Self { span_id, ..self.clone() }
    }

    /// What came along with a request; none where it has no `traceparent`, two, or one that is not to the letter of §3.2. A
    /// `tracestate` that is not to the letter of §3.3 is left out.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let (parent, None) = (parents.next()?, parents.next()) else {
            return None;
        };
        let (trace_id, span_id, is_sampled) = parsed(parent.as_bytes())?;
        Some(Self { trace_id, span_id, is_sampled, state: state(headers) })
    }

    /// Sends this along with a request, or hands it on with an answer.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        let Self { trace_id, span_id, is_sampled, state } = self;
        let parent = format!("00-{trace_id:032x}-{span_id:016x}-{:02x}", u8::from(*is_sampled));
        // It has nothing but hexadecimal digits and hyphens.
        if let Ok(parent) = HeaderValue::try_from(parent) {
            headers.insert(TRACEPARENT, parent);
            if let Some(state) = state {
                headers.insert(TRACESTATE, state.clone());
            }
        }
    }

    /// The trace, of 32 hexadecimal digits.
    pub fn trace_id(&self) -> NonZeroU128 {
        self.trace_id
    }

    /// The span, of 16 hexadecimal digits.
    pub fn span_id(&self) -> NonZeroU64 {
        self.span_id
    }

    /// Whether spans of this trace are recorded.
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// What others handed on with it, to the letter.
    pub fn state(&self) -> Option<&str> {
        self.state.as_ref()?.to_str().ok()
    }
}

/// A `traceparent`: version, trace, span, flags. Of a later version its first parts count, whatever comes behind them (§4.3).
fn parsed(text: &[u8]) -> Option<(NonZeroU128, NonZeroU64, bool)> {
    let (known, rest) = text.split_at_checked(LENGTH)?;
    let (version, [b'-', known @ ..]) = known.split_at_checked(2)? else {
        return None;
    };
    match hex(version)? {
        0xff => return None,
        0 if !rest.is_empty() => return None,
        _ if !rest.is_empty() && !rest.starts_with(b"-") => return None,
        _ => {}
    }
    let (trace_id, [b'-', known @ ..]) = known.split_at_checked(32)? else {
        return None;
    };
    let (span_id, [b'-', flags @ ..]) = known.split_at_checked(16)? else {
        return None;
    };
    let span_id = u64::try_from(hex(span_id)?).ok()?;
    Some((NonZeroU128::new(hex(trace_id)?)?, NonZeroU64::new(span_id)?, hex(flags)? & 1 == 1))
}

/// Small hexadecimal digits, as many as fit.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number: u128, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some((number << 4) | u128::from(value))
    })
}

/// All `tracestate` headers as one.
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut values = headers.get_all(TRACESTATE).iter();
    let first = values.next()?;
    let mut text = first.as_bytes().to_vec();
    for value in values {
        if text.len() + 1 + value.len() > STATE_LIMIT {
            return None;
        }
        text.push(b',');
        text.extend_from_slice(value.as_bytes());
    }
    let members: Vec<&[u8]> = text.split(|octet| *octet == b',').map(<[u8]>::trim_ascii).collect();
    let mut keys: Vec<&[u8]> = Vec::with_capacity(members.len().min(STATE_MEMBERS));
    for member in members.iter().filter(|member| !member.is_empty()) {
        let key = member_key(member)?;
        if keys.len() == STATE_MEMBERS || keys.contains(&key) {
            return None;
        }
        keys.push(key);
    }
    if keys.is_empty() || text.len() > STATE_LIMIT {
        return None;
    }
    HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok()
}

/// The key of a member, where the member is sound (§3.3.1.3).
fn member_key(member: &[u8]) -> Option<&[u8]> {
    let equals = member.iter().position(|octet| *octet == b'=')?;
    let (key, value) = (member.get(..equals)?, member.get(equals + 1..)?);
    let starts = |octet: &u8| octet.is_ascii_lowercase() || octet.is_ascii_digit();
    let of_key = |octet: &u8| starts(octet) || b"_-*/@".contains(octet);
    let of_value = |octet: &u8| matches!(octet, 0x20..=0x7e) && !b",=".contains(octet);
    let is_sound = (1..=256).contains(&key.len())
        && key.first().is_some_and(starts)
        && key.iter().all(of_key)
        && (1..=256).contains(&value.len())
        && value.iter().all(of_value);
    is_sound.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn of(parents: &[&str], states: &[&str]) -> Option<TraceContext> {
        let mut headers = HeaderMap::new();
        for parent in parents {
            headers.append(TRACEPARENT, HeaderValue::from_bytes(parent.as_bytes()).unwrap());
        }
        for state in states {
            headers.append(TRACESTATE, HeaderValue::from_bytes(state.as_bytes()).unwrap());
        }
        TraceContext::of(&headers)
    }

    #[test]
    fn what_came_goes_out_with_another_span() {
        let context = of(&[SOUND], &["congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7"]).expect("a sound one");
        assert!(context.is_sampled());
        assert_eq!(format!("{:032x}", context.trace_id()), "4bf92f3577b34da6a3ce929d0e0e4736");
        let mut headers = HeaderMap::new();
        context.child(NonZeroU64::new(0xa).unwrap()).add_to(&mut headers);
        assert_eq!(headers["traceparent"], "00-4bf92f3577b34da6a3ce929d0e0e4736-000000000000000a-01");
        assert_eq!(headers["tracestate"], "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
        let again = TraceContext::of(&headers).expect("our own");
        assert_eq!((again.trace_id(), again.state()), (context.trace_id(), context.state()));
    }

    #[test]
    fn only_the_flag_that_is_known_is_handed_on() {
        for (flags, sampled) in [("00", false), ("01", true), ("02", false), ("ff", true)] {
            let text = format!("{}{flags}", &SOUND[..53]);
            assert_eq!(of(&[&text], &[]).expect("a sound one").is_sampled(), sampled, "{flags}");
        }
    }

    #[test]
    fn a_later_version_counts_as_far_as_it_is_known() {
        let later = SOUND.replacen("00", "cc", 1);
        assert!(of(&[&later], &[]).is_some());
        assert!(of(&[&format!("{later}-what-will-be")], &[]).is_some());
        assert!(of(&[&format!("{later}.what")], &[]).is_none());
    }

    #[test]
    fn what_is_not_to_the_letter_is_none() {
        let upper = SOUND.to_ascii_uppercase();
        for hostile in [
            "",
            "00",
            &SOUND[..54],
            &format!("{SOUND}-"),
            &format!("{SOUND}0"),
            &upper,
            &SOUND.replacen("00", "ff", 1),
            &SOUND.replacen("00", "0x", 1),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            &SOUND.replace('-', "_"),
            &SOUND.replace("4736", "473é"),
        ] {
            assert_eq!(of(&[hostile], &[]), None, "{hostile:?}");
        }
        assert_eq!(of(&[SOUND, SOUND], &[]), None);
        assert_eq!(of(&[], &["a=b"]), None);
    }

    #[test]
    fn a_tracestate_that_is_not_to_the_letter_is_left_out() {
        let many = (0..33).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        let long = format!("a={}", "v".repeat(256));
        for hostile in
            ["", ",", "a", "=b", "a=", "A=b", "-a=b", "a=b=c", "a=b,a=c", "a=\u{e9}", &many, "a b=c"]
        {
            let context = of(&[SOUND], &[hostile]).expect("its traceparent is sound");
            assert_eq!(context.state(), None, "{hostile:?}");
        }
        assert_eq!(of(&[SOUND], &[&long, &long.replace('a', "b")]).expect("sound").state(), None);
        let sound = "fw529a3039@dt=FfAAA, b = x ,,c/d=e f";
        assert_eq!(of(&[SOUND], &[sound]).expect("sound").state(), None);
        let sound = "fw529a3039@dt=FfAAA, b=x ,,c/d=e f";
        assert_eq!(of(&[SOUND], &[sound]).expect("sound").state(), Some(sound));
    }
}
