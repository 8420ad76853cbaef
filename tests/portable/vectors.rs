//! The vectors, read by the tests of the library, on whatever target this is compiled for.

#[path = "../codec/vectors.rs"]
mod codec;
#[path = "../gob/vectors.rs"]
mod gob;
#[path = "../codec/support.rs"]
#[allow(dead_code, reason = "other tests of the codec use the rest")]
mod support;
