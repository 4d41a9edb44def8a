use http::{HeaderMap, HeaderName, HeaderValue};
use keyward::trace::TraceContext;

/// `TraceContext::of` a request whose `traceparent` is the first line of `data`, and whose `tracestate`s are the others.
///
/// What is taken is to the letter, and read back from what is sent along as the same; what is not taken is not.
pub fn trace_context(data: &[u8]) {
    let names = ["traceparent", "tracestate"].map(HeaderName::from_static);
    let mut headers = HeaderMap::new();
    let lines: Vec<&[u8]> = data.split(|octet| *octet == b'\n').collect();
    for (place, line) in lines.iter().enumerate() {
        // What cannot be in a header does not come in one.
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        headers.append(&names[place.min(1)], value);
    }
    let expected = std::str::from_utf8(lines[0]).ok().and_then(parts);
    let Some(context) = TraceContext::of(&headers) else {
        assert_eq!(expected, None, "it is to the letter");
        return;
    };
    let (trace, span, is_sampled) = expected.expect("it is not to the letter");
    assert_eq!(format!("{:032x}", context.trace_id()), trace);
    assert_eq!(format!("{:016x}", context.span_id()), span);
    assert_eq!(context.is_sampled(), is_sampled);
    if let Some(state) = context.state() {
        assert!(state.len() <= 512 && state.is_ascii(), "{state}");
        let members = state.split(',').map(str::trim).filter(|member| !member.is_empty());
        let mut keys: Vec<_> = members.map(|member| member.split_once('=').expect("a member").0).collect();
        assert!((1..=32).contains(&keys.len()), "{state}");
        keys.sort_unstable();
        assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "{state}");
    }
    let mut sent = HeaderMap::new();
    context.add_to(&mut sent);
    assert_eq!(TraceContext::of(&sent), Some(context));
}

/// The trace, the span and whether it is recorded, by W3C Trace Context §3.2.
fn parts(text: &str) -> Option<(&str, &str, bool)> {
    let mut parts = text.splitn(5, '-');
    let mut part = |digits: usize| {
        let part = parts.next()?;
        let is_hex = |octet: u8| matches!(octet, b'0'..=b'9' | b'a'..=b'f');
        (part.len() == digits && part.bytes().all(is_hex)).then_some(part)
    };
    let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
    let has_more = parts.next().is_some();
    let is_some = |id: &str| id.bytes().any(|digit| digit != b'0');
    let is_sound = version != "ff" && !(version == "00" && has_more) && is_some(trace) && is_some(span);
    is_sound.then(|| (trace, span, u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1)))
}
