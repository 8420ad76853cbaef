//! The gorilla frame: `name|date|v|mac` and the base64 around it.
//!
//! Source: gorilla/securecookie, `securecookie.go`, `Encode` and `Decode`. The cookie is
//! `base64(date|v|mac)`, `v` is base64 too, and the MAC covers `name|date|v`. Both layers are
//! RFC 4648 base64url with padding. Only the canonical text is accepted.
//!
//! This file has no keys and no clock.

use base64::Engine;
use memchr::memchr;

use super::{UnixTime, base64_engine};

/// Encodes `bytes` into `text`, which has exactly the length of the result.
pub(super) fn encode(bytes: &[u8], text: &mut [u8]) -> Option<()> {
    let written = base64_engine::URL_SAFE.encode_slice(bytes, text).ok()?;
    (written == text.len()).then_some(())
}

/// Decodes into the front of `bytes`, which has [`decoded_capacity`] bytes or more.
///
/// Returns the number of decoded bytes, or `None` if `text` is not canonical base64.
pub(super) fn decode(text: &[u8], bytes: &mut [u8]) -> Option<usize> {
    base64_engine::URL_SAFE.decode_slice(text, bytes).ok()
}

/// Returns the number of bytes that decoding a text of `length` bytes needs: at least the decoded
/// length.
pub(super) fn decoded_capacity(length: usize) -> usize {
    base64::decoded_len_estimate(length)
}

/// The length of each part of a frame to be sealed, in bytes.
#[derive(Clone, Copy)]
pub(super) struct FrameLayout {
    /// The bytes that `v` encodes: the IV and the ciphertext, or the payload.
    pub(super) raw: usize,
    /// `v` itself.
    pub(super) value: usize,
    /// `name|date|v`.
    pub(super) signed: usize,
    /// `name|date|v|mac`.
    pub(super) frame: usize,
    /// The cookie.
    pub(super) cookie: usize,
}

impl FrameLayout {
    /// Returns `None` if a length overflows `usize`.
    pub(super) fn new(name: usize, date: usize, raw: usize, mac: usize) -> Option<Self> {
        let value = base64::encoded_len(raw, true)?;
        let inner = date.checked_add(value)?.checked_add(mac)?.checked_add(2)?;
        let frame = name.checked_add(inner)?.checked_add(1)?;
        Some(FrameLayout {
            raw,
            value,
            signed: frame - mac - 1,
            frame,
            cookie: base64::encoded_len(inner, true)?,
        })
    }

    /// Returns the length of the frame followed by the cookie.
    pub(super) fn scratch(&self) -> Option<usize> {
        self.frame.checked_add(self.cookie)
    }
}

/// A decoded cookie, split into its parts, before its MAC is verified.
pub(super) struct Frame<'a> {
    /// `name|date|v`, which the MAC covers.
    pub(super) signed: &'a [u8],
    date: &'a [u8],
    /// `v`.
    pub(super) value: &'a [u8],
    pub(super) mac: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Decodes `cookie` under `name` into `scratch`. Returns `None` if it is not a frame.
    ///
    /// The MAC is everything after the second `|`; the verification also checks its length. If
    /// the MAC were the last bytes instead, the borders between the parts could move, and a
    /// cookie sealed under the name `s|1795194425` would open under `s`.
    fn decode(name: &str, cookie: &str, scratch: &'a mut [u8]) -> Option<Self> {
        let (prefix, buffer) = scratch.split_at_mut_checked(name.len() + 1)?;
        let (separator, in_front) = prefix.split_last_mut()?;
        in_front.copy_from_slice(name.as_bytes());
        *separator = b'|';
        let inner_length = decode(cookie.as_bytes(), buffer)?;

        let frame: &'a [u8] = scratch.get(..name.len() + 1 + inner_length)?;
        let inner = frame.get(name.len() + 1..)?;
        let (date, rest) = split_at_bar(inner)?;
        let (value, mac) = split_at_bar(rest)?;
        let signed = frame.get(..frame.len() - mac.len() - 1)?;
        Some(Frame {
            signed,
            date,
            value,
            mac,
        })
    }

    /// Returns the date if it is canonical: digits, no sign, no leading zero (`0` alone is a
    /// date), within Go's `int64`.
    pub(super) fn date(&self) -> Option<UnixTime> {
        let canonical = match self.date {
            [b'0'] => true,
            [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        let digits = std::str::from_utf8(self.date).ok().filter(|_| canonical)?;
        let date = UnixTime::from_secs(digits.parse().ok()?);
        (date <= UnixTime::LAST_DATE).then_some(date)
    }
}

/// Splits `bytes` at the first `|`, which is in neither part.
fn split_at_bar(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, bar_and_after) = bytes.split_at_checked(memchr(b'|', bytes)?)?;
    Some((before, bar_and_after.get(1..)?))
}

/// Decodes `cookie` under `name`, and calls `read` with the frame, or with `None` if the
/// cookie is not one.
pub(super) fn with_frame<R>(
    name: &str,
    cookie: &str,
    read: impl FnOnce(Option<Frame<'_>>) -> R,
) -> R {
    let length = name.len() + 1 + decoded_capacity(cookie.len());
    with_scratch(length, |scratch| read(Frame::decode(name, cookie, scratch)))
}

/// Calls `work` with `length` zero bytes. If a cookie within the default limits needs no more, they
/// are on the stack, so that the codec allocates nothing. Otherwise they are on the heap.
///
/// There are several sizes, so that a small cookie does not pay for clearing a large buffer.
pub(super) fn with_scratch<R>(length: usize, work: impl FnOnce(&mut [u8]) -> R) -> R {
    const SMALL: usize = 384;
    const MEDIUM: usize = 1024;
    // A name and value of 4096 bytes as text, and as much for the frame.
    const LARGE: usize = 2 * 4096 + 64;

    let (mut small, mut medium, mut large, mut heap);
    let buffer: &mut [u8] = if length <= SMALL {
        small = [0; SMALL];
        &mut small
    } else if length <= MEDIUM {
        medium = [0; MEDIUM];
        &mut medium
    } else if length <= LARGE {
        large = [0; LARGE];
        &mut large
    } else {
        heap = vec![0; length];
        &mut heap
    };
    work(buffer.get_mut(..length).unwrap_or_default())
}
