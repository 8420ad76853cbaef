//! The codec from outside: its laws, its vectors, its errors.

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
