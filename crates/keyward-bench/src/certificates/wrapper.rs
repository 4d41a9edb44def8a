//! A verdict by a key with a certificate around it, under each policy that looks at it, against one by a key without:
//! what the policy says is decided at each refresh, and a token pays for a comparison.

use std::hint::black_box;

use keyward::WrapperPolicy;
use keyward_jose::{Algorithm, DecodeBuffer, LocalSigner};

use crate::cached::Seen;
use crate::interleave::Timed;
use crate::row::Rows;
use crate::verify::Whole;
use crate::{Failure, sample};

/// The most that a verdict may cost, against one by a key without a certificate.
const MOST: f64 = 1.02;

const POLICIES: [WrapperPolicy; 2] = [WrapperPolicy::Warn, WrapperPolicy::Enforce];

pub(super) fn measure(rows: &mut Rows) -> Result<(), Failure> {
    cached(rows)?;
    whole(rows)
}

/// On a token that was seen before.
fn cached(rows: &mut Rows) -> Result<(), Failure> {
    let bare = Seen::new()?;
    for policy in POLICIES {
        let wrapped = Seen::wrapped(policy)?;
        let timed = Timed::run(&mut [
            &mut || {
                black_box(wrapped.accepts());
            },
            &mut || {
                black_box(bare.accepts());
            },
        ]);
        let nanoseconds = |of| timed.micros(of) * 1000.0;
        let note = format!("  ({:.0} ns to {:.0} ns)", nanoseconds(0), nanoseconds(1));
        let row = format!("certificates-wrapper-{policy}-cached-to-none");
        rows.at_most(&row, timed.ratio(0, 1), MOST, &note);
    }
    Ok(())
}

/// On a token that was not.
fn whole(rows: &mut Rows) -> Result<(), Failure> {
    let signer = sample::signer(Algorithm::EdDsa)?;
    let token = sample::token(&signer, 1)?;
    let verifier = |policy, jwk_set: fn(&LocalSigner) -> Result<String, Failure>| {
        let whole = Whole::under(policy, Algorithm::EdDsa, Some(jwk_set(&signer)))?;
        match whole.verify(&token, &mut DecodeBuffer::new()) {
            Some(_) => Ok(whole),
            None => Err(Failure::from(format!("the token is not accepted under {policy}"))),
        }
    };
    let bare = verifier(WrapperPolicy::default(), sample::jwk_set)?;
    for policy in POLICIES {
        let wrapped = verifier(policy, sample::wrapped_jwk_set)?;
        let (mut buffer, mut bare_buffer) = (DecodeBuffer::new(), DecodeBuffer::new());
        let timed = Timed::run(&mut [
            &mut || {
                black_box(wrapped.accepts(black_box(&token), &mut buffer));
            },
            &mut || {
                black_box(bare.accepts(black_box(&token), &mut bare_buffer));
            },
        ]);
        let note = format!("  ({:.2} µs to {:.2} µs)", timed.micros(0), timed.micros(1));
        let row = format!("certificates-wrapper-{policy}-verify-to-none");
        rows.at_most(&row, timed.ratio(0, 1), MOST, &note);
    }
    Ok(())
}
