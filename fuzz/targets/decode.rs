//! Any cookie under any keys: opening never panics, and an opened cookie is the only text of its
//! payload and date.
#![no_main]

use libfuzzer_sys::fuzz_target;
use silverback::codec::Codec;
use silverback_fuzz::Attempt;

fuzz_target!(|input: &[u8]| {
    let Some(attempt) = Attempt::read(input) else {
        return;
    };
    let Attempt {
        codec,
        encrypts,
        now,
        name,
        cookie,
    } = attempt;
    let mut out = b"before".to_vec();
    let Ok(opened) = codec.open_into(&name, &cookie, now, &mut out) else {
        assert_eq!(out, b"before", "a refusal does not change the buffer");
        return;
    };
    assert!(opened.issued_at().as_secs() <= now.as_secs().saturating_add(60));
    // A signed cookie is a function of its payload: sealed again, the text is the same.
    let payload = out.strip_prefix(b"before").expect("appended");
    if let (false, Ok(sealed)) = (encrypts, codec.seal_at(&name, payload, opened.issued_at())) {
        assert_eq!(sealed, cookie);
    }
});
