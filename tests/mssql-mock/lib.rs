//! See `protocol.rs`.
