//! Tests of the codec's public API: its laws, its vectors and its errors.

mod allocations;
mod chain;
mod depth;
mod errors;
mod keys;
mod properties;
mod redaction;
mod sealing;
mod serializers;
mod support;
mod vectors;
