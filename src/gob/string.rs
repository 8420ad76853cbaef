//! Reads and writes a string at the top level, as gorilla's server stores seal a session ID.

use super::Error;
use super::wire::{put_uint, take_uint};

/// The bytes before the length of a top-level string: the type id 6 as a signed integer, and
/// the zero before a value that is not a struct.
const TOP_LEVEL_STRING: [u8; 2] = [12, 0];

/// Writes `string` as one message, as Go's `Encoder` does.
///
/// ```
/// let message = silverback::gob::string_to_vec(b"ape");
/// assert_eq!(message, [6, 12, 0, 3, b'a', b'p', b'e']);
/// ```
#[must_use]
pub fn string_to_vec(string: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(string.len() + 16);
    body.extend_from_slice(&TOP_LEVEL_STRING);
    put_uint(&mut body, string.len() as u64);
    body.extend_from_slice(string);
    let mut message = Vec::with_capacity(body.len() + 9);
    put_uint(&mut message, body.len() as u64);
    message.append(&mut body);
    message
}

/// Reads the string in a single message. Go's strings need not be UTF-8.
///
/// # Errors
/// Returns an error if the bytes are not exactly the message that Go writes for a string.
///
/// ```
/// let string = silverback::gob::string_from_slice(&[6, 12, 0, 3, b'a', b'p', b'e'])?;
/// assert_eq!(string, b"ape");
/// # Ok::<(), silverback::gob::Error>(())
/// ```
pub fn string_from_slice(mut message: &[u8]) -> Result<&[u8], Error> {
    if take_uint(&mut message)? != message.len() as u64 {
        return Err(Error::new("the message's length is wrong"));
    }
    let mut string = message
        .strip_prefix(&TOP_LEVEL_STRING)
        .ok_or(Error::new("the value is not a string"))?;
    if take_uint(&mut string)? != string.len() as u64 {
        return Err(Error::new("the string's length is wrong"));
    }
    Ok(string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_every_length_class_are_read_back() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let string = vec![0xfe; length];
            let message = string_to_vec(&string);
            assert_eq!(string_from_slice(&message).as_deref(), Ok(&*string));
        }
    }

    #[test]
    fn everything_except_one_whole_string_is_refused() {
        let message = string_to_vec(b"silverback");
        for end in 0..message.len() {
            assert!(string_from_slice(&message[..end]).is_err(), "cut at {end}");
        }
        assert!(string_from_slice(&[&message[..], &[0]].concat()).is_err());
        assert!(string_from_slice(&[0, 12, 0, 3, b'a', b'p', b'e']).is_err());
        // An int, a string with another byte than the zero, and no type.
        assert!(string_from_slice(&[3, 4, 0, 6]).is_err());
        assert!(string_from_slice(&[4, 12, 1, 1, b'a']).is_err());
        assert!(string_from_slice(&[0]).is_err());
    }
}
