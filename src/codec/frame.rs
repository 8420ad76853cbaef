//! The gorilla frame, as bytes: `name|date|v|mac` and the base64 around it.
//!
//! gorilla/securecookie, `securecookie.go`, `Encode` and `Decode`. The cookie is
//! `base64(date|v|mac)`, `v` is base64 too, and the MAC covers `name|date|v`.
//! Both layers are RFC 4648 base64url with padding, read strictly: what differs
//! from the one canonical text in any way is refused.
//!
//! Keys and clocks never live here.

use base64::Engine;
use memchr::memchr;

use super::{UnixTime, base64_engine};

/// Encodes into `text`, which is exactly as long as the result.
pub(super) fn encode(bytes: &[u8], text: &mut [u8]) -> Option<()> {
    let written = base64_engine::URL_SAFE.encode_slice(bytes, text).ok()?;
    (written == text.len()).then_some(())
}

/// Decodes into the front of `bytes`, which has [`room_to_decode`] bytes or more,
/// and says how many there are. `None` for all but canonical base64.
pub(super) fn decode(text: &[u8], bytes: &mut [u8]) -> Option<usize> {
    base64_engine::URL_SAFE.decode_slice(text, bytes).ok()
}

/// How many bytes of room decoding a text of `length` takes: never fewer than come out.
pub(super) fn room_to_decode(length: usize) -> usize {
    base64::decoded_len_estimate(length)
}

/// How many bytes each part of a frame has when it is sealed.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// What `v` encodes: the IV and the ciphertext, or the payload.
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

impl Layout {
    /// `None` if the sizes are beyond what memory can address.
    pub(super) fn new(name: usize, date: usize, raw: usize, mac: usize) -> Option<Self> {
        let value = base64::encoded_len(raw, true)?;
        let inner = date.checked_add(value)?.checked_add(mac)?.checked_add(2)?;
        let frame = name.checked_add(inner)?.checked_add(1)?;
        Some(Layout {
            raw,
            value,
            signed: frame - mac - 1,
            frame,
            cookie: base64::encoded_len(inner, true)?,
        })
    }

    /// Room for the frame and the cookie side by side.
    pub(super) fn scratch(&self) -> Option<usize> {
        self.frame.checked_add(self.cookie)
    }
}

/// A cookie whose outer base64 held, split in its parts. Nothing of it has been
/// authenticated yet.
pub(super) struct Frame<'a> {
    /// `name|date|v`, over which the MAC goes.
    pub(super) signed: &'a [u8],
    date: &'a [u8],
    /// `v`.
    pub(super) value: &'a [u8],
    pub(super) mac: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Decodes `cookie` under `name` into `scratch`; `None` if it is no frame.
    ///
    /// The MAC is all that follows the second `|`, and its length is checked with
    /// it: to take the last bytes instead would let the parts move, and a cookie
    /// sealed under the name `s|1795194425` open under `s`.
    fn decode(name: &str, cookie: &str, scratch: &'a mut [u8]) -> Option<Self> {
        let (prefix, room) = scratch.split_at_mut_checked(name.len() + 1)?;
        let (separator, in_front) = prefix.split_last_mut()?;
        in_front.copy_from_slice(name.as_bytes());
        *separator = b'|';
        let inner_length = decode(cookie.as_bytes(), room)?;

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

    /// The date, if it is written in the one way there is: digits, no sign, no
    /// leading zero (`0` alone is a date), within Go's `int64`.
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

/// What stands before and after the first `|`.
fn split_at_bar(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, bar_and_after) = bytes.split_at_checked(memchr(b'|', bytes)?)?;
    Some((before, bar_and_after.get(1..)?))
}

/// Decodes `cookie` under `name` and hands the frame, if it is one, to `read`.
pub(super) fn with_frame<R>(
    name: &str,
    cookie: &str,
    read: impl FnOnce(Option<Frame<'_>>) -> R,
) -> R {
    let room = name.len() + 1 + room_to_decode(cookie.len());
    with_scratch(room, |scratch| read(Frame::decode(name, cookie, scratch)))
}

/// Lends `length` bytes of zeros: from the stack for what a cookie may have by
/// default, so that the codec allocates nothing, else from the heap.
///
/// The smaller sizes keep small cookies from paying for the clearing of the large.
pub(super) fn with_scratch<R>(length: usize, work: impl FnOnce(&mut [u8]) -> R) -> R {
    const SMALL: usize = 384;
    const MEDIUM: usize = 1024;
    // A name and value of 4096 bytes as text, and the same again as a frame.
    const LARGE: usize = 2 * 4096 + 64;

    let (mut small, mut medium, mut large, mut heap);
    let room: &mut [u8] = if length <= SMALL {
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
    work(room.get_mut(..length).unwrap_or_default())
}
