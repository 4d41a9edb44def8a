//! `keyward_fuzz::trace_context` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_fuzz::trace_context(data));
