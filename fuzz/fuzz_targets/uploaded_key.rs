//! `keyward_fuzz::uploaded_key` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_fuzz::uploaded_key(data));
