//! The vectors, read by the tests of the library, on the compiled target.

#[path = "../codec/vectors.rs"]
mod codec;
#[path = "../gob/vectors.rs"]
mod gob;
#[path = "../codec/support.rs"]
#[allow(
    dead_code,
    reason = "only other tests of the codec use these functions"
)]
mod support;
