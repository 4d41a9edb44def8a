//! `keyward_fuzz::jwk_set` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_fuzz::jwk_set(data));
