//! gob's unsigned integers: below 128 one byte, else the count of bytes,
//! negated, and the bytes, most significant first. Only the shortest form is read.

use super::Error;

/// Appends `value`.
pub(super) fn put_uint(out: &mut Vec<u8>, value: u64) {
    let bytes = value.to_be_bytes();
    match u8::try_from(value) {
        Ok(small @ 0..128) => out.push(small),
        _ => {
            let skipped = (value.leading_zeros() / 8) as usize;
            let significant = bytes.get(skipped..).unwrap_or(&bytes);
            out.push((significant.len() as u8).wrapping_neg());
            out.extend_from_slice(significant);
        }
    }
}

/// Takes an integer from the front of `bytes`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_take_the_bytes_go_gives_them() {
        // The first three are the examples of Go's package documentation.
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
}
