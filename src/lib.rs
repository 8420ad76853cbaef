//! Signed and encrypted cookies, byte-compatible with Go's
//! [gorilla/securecookie](https://github.com/gorilla/securecookie), and the
//! sessions built on them.
//!
//! # Where things live
//!
//! | module | what it is for |
//! |---|---|
//! | [`codec`] | bytes, a name and a key pair become cookie text, and back: [`SecureCookie`](codec::SecureCookie), the key chain [`Codecs`](codec::Codecs), keys, serializers |
//! | [`gob`] | Go's `encoding/gob`, the serializer gorilla uses by default: a lossless `Value`, and serde types |
//!
//! Arrows point one way only: `codec` uses `gob`, and nothing else of ours.
//!
//! # Features
//!
//! Features only add. A cookie codec alone compiles no async runtime and no HTTP.
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `gob` | yes | [`Serializer::Gob`](codec::Serializer) works; without it, it answers with a usage error |
//! | `json` | yes | `Serializer::Json` |
//! | `bincode` | no | `Serializer::Bincode` (an unmaintained format, read only after the MAC holds) |
//! | `legacy` | no | `codec::legacy`: readers for formats that were never safe |
//! | `cli` | no | the `silverback` program |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod codec;
pub mod gob;
#[cfg(feature = "session")]
pub mod session;
#[cfg(any(feature = "tower", feature = "actix"))]
pub mod web;

/// The README's examples, compiled and run as documentation tests.
#[cfg(all(doctest, feature = "json"))]
#[doc = include_str!("../README.md")]
struct Readme;
