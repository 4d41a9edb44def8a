//! How a provider's clock goes, by what its answers say.

use keyward_jose::LocalSigner;

use crate::support::{Bench, JWKS, KEYS, Provider, Reply, START, discover, jwks};

/// What is shown of a provider whose key set comes with these header lines.
async fn ahead(headers: &str) -> Option<f64> {
    let provider = Provider::start(&[] as &[LocalSigner]).await;
    provider.set(JWKS, Reply::Whole(200, headers.to_owned(), jwks(&KEYS[..1])));
    let status = Bench::ready(discover(&provider)).await.status();
    assert_eq!(status.clock_ahead_seconds.is_some(), status.clock_uncertain_by_seconds.is_some());
    assert!(status.clock_uncertain_by_seconds.is_none_or(|seconds| (1.0..10.0).contains(&seconds)));
    status.clock_ahead_seconds
}

/// `Date` of a provider whose clock is so far ahead.
fn date(ahead: i64) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(START + ahead).unwrap());
    format!("Date: {}\r\n", httpdate::fmt_http_date(time))
}

#[tokio::test]
async fn a_clock_that_goes_otherwise_is_told_and_noise_is_not() {
    // The bench's clock may have gone on by a second or two on a busy machine: by no more than is uncertain.
    for (is, least, most) in [(120, 110.0, 120.0), (-90, -100.0, -90.0)] {
        let told = ahead(&date(is)).await.unwrap();
        assert!((least..=most).contains(&told), "{is}: {told}");
    }
    assert_eq!(ahead(&date(0)).await, Some(0.0));
    assert_eq!(ahead(&date(1)).await, Some(0.0));
}

#[tokio::test]
async fn nothing_is_told_by_an_answer_without_a_date_or_from_a_cache() {
    assert_eq!(ahead("").await, None);
    assert_eq!(ahead("Date: yesterday\r\n").await, None);
    assert_eq!(ahead(&format!("{}Age: 60\r\n", date(-60))).await, None);
}
