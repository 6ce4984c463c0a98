#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waypost_fuzz::targets::pop3_client::run(data));
