//! Tests of the codec's public API: its laws, its vectors and its errors.

mod allocations;
mod chain;
mod depth;
mod errors;
mod key_ring;
mod keys;
mod properties;
mod redaction;
#[path = "../support/scratch.rs"]
mod scratch;
mod sealing;
mod serializers;
mod support;
mod vectors;
