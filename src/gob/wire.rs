//! The basic encodings of gob: integers, floats and byte strings.
//!
//! An unsigned integer below 128 is one byte. A larger one is the negated number of its bytes,
//! and then the bytes, most significant first. A signed integer is an unsigned one in which the
//! lowest bit complements the other bits. A float is its IEEE bits, byte-reversed, as an
//! unsigned integer. Only the shortest form is read, since Go writes no other.

use super::Error;

/// Appends an unsigned integer.
pub(super) fn put_uint(out: &mut Vec<u8>, value: u64) {
    if value < 128 {
        return out.push(value as u8);
    }
    let bytes = value.to_be_bytes();
    let skipped = (value.leading_zeros() / 8) as usize;
    let significant = bytes.get(skipped..).unwrap_or(&bytes);
    out.push((significant.len() as u8).wrapping_neg());
    out.extend_from_slice(significant);
}

/// Takes an unsigned integer from the front of `bytes`.
pub(super) fn take_uint(bytes: &mut &[u8]) -> Result<u64, Error> {
    let cut_off = || Error::new("an integer is cut off");
    let first = *bytes.split_off_first().ok_or_else(cut_off)?;
    if first < 128 {
        return Ok(first.into());
    }
    let count = usize::from(first.wrapping_neg());
    if count > 8 {
        return Err(Error::new("an integer has more than 8 bytes"));
    }
    let significant = bytes.split_off(..count).ok_or_else(cut_off)?;
    let value = significant
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    if value < 128 || significant.first() == Some(&0) {
        return Err(Error::new("an integer is not in its shortest form"));
    }
    Ok(value)
}

/// Returns the unsigned integer that is written for a signed one.
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Takes a signed integer from the front of `bytes`.
pub(super) fn take_int(bytes: &mut &[u8]) -> Result<i64, Error> {
    let written = take_uint(bytes)?;
    Ok((written >> 1) as i64 ^ -((written & 1) as i64))
}

/// Takes an integer and as many bytes as it gives from the front of `bytes`.
pub(super) fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Error> {
    let length = take_uint(bytes)?;
    usize::try_from(length)
        .ok()
        .and_then(|length| bytes.split_off(..length))
        .ok_or(Error::new("a byte string is cut off"))
}

/// Appends the number of bytes and the bytes, which are a message or a byte string.
pub(super) fn put_message(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Converts the bits of a float to the unsigned integer that is written, and back.
pub(super) fn swap_float(bits: u64) -> u64 {
    bits.swap_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_written_as_go_writes_them() {
        // The first three are examples in Go's package documentation.
        let cases: [(u64, &[u8]); 6] = [
            (0, &[0]),
            (7, &[7]),
            (256, &[0xfe, 1, 0]),
            (127, &[127]),
            (128, &[0xff, 128]),
            (u64::MAX, &[0xf8, 255, 255, 255, 255, 255, 255, 255, 255]),
        ];
        for (value, bytes) in cases {
            let mut out = Vec::new();
            put_uint(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(take_uint(&mut &*out), Ok(value));
        }
    }

    #[test]
    fn signed_integers_are_read_back() {
        for value in [0, 1, -1, 63, -64, 64, -65, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            put_uint(&mut out, zigzag(value));
            assert_eq!(take_int(&mut &*out), Ok(value));
        }
        // -129 is an example in Go's package documentation.
        assert_eq!(take_int(&mut &[0xfe, 1, 1][..]), Ok(-129));
    }

    #[test]
    fn only_the_shortest_form_is_read() {
        for long in [
            &[0xff, 7][..],
            &[0xfe, 0, 200],
            &[0xf7, 1, 1, 1, 1, 1, 1, 1, 1, 1],
            &[0xfe, 1],
            &[],
        ] {
            assert!(take_uint(&mut &*long).is_err(), "{long:?}");
        }
    }

    #[test]
    fn a_byte_string_that_is_cut_off_is_refused() {
        assert_eq!(take_bytes(&mut &[2, 7, 8, 9][..]), Ok(&[7, 8][..]));
        for cut in [
            &[3, 7, 8][..],
            &[0xf8, 255, 255, 255, 255, 255, 255, 255, 255],
            &[],
        ] {
            assert!(take_bytes(&mut &*cut).is_err());
        }
    }
}
