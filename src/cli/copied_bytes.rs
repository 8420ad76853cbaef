//! [`readings`]: the bytes that a person may have copied, as they are or as text.

use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

/// Returns the bytes that the input may stand for, in this order: the input itself; without the
/// line end; read as hex, as SQL clients print it; as the escaped text of redis-cli; as base64.
pub(super) fn readings(input: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![input.to_vec()];
    let line = input.strip_suffix(b"\n").unwrap_or(input);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line != input {
        all.push(line.to_vec());
    }
    if let Ok(text) = std::str::from_utf8(line) {
        let text = text.trim();
        all.extend(hex(text));
        all.extend(escaped(text));
        all.extend(base64(text));
    }
    all
}

/// Reads `0aff`, `\x0aff` (PostgreSQL), `0x0aff` (MySQL, SQL Server) and `X'0aff'` (SQLite).
fn hex(text: &str) -> Option<Vec<u8>> {
    let quoted = text
        .strip_prefix(['x', 'X'])
        .and_then(|rest| rest.strip_prefix('\''));
    let digits = match quoted.and_then(|rest| rest.strip_suffix('\'')) {
        Some(digits) => digits,
        None => ["\\x", "0x", "0X"]
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix))
            .unwrap_or(text),
    };
    let digits: String = digits.split_whitespace().collect();
    let bytes = base16ct::mixed::decode_vec(&digits).ok()?;
    (!bytes.is_empty()).then_some(bytes)
}

/// Reads the text between the quotes that redis-cli prints on a terminal, such as `"\x0e\xff a\n"`.
fn escaped(text: &str) -> Option<Vec<u8>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let (mut bytes, mut rest) = (Vec::new(), inner.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (escape, after) = rest.split_first()?;
        rest = after;
        bytes.push(match escape {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'a' => 0x07,
            b'b' => 0x08,
            b'x' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                *base16ct::mixed::decode_vec(digits).ok()?.first()?
            }
            other => *other,
        });
    }
    Some(bytes)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.split_whitespace().collect();
    let alphabets: [&GeneralPurpose; 4] =
        [&STANDARD, &URL_SAFE, &STANDARD_NO_PAD, &URL_SAFE_NO_PAD];
    let bytes = alphabets
        .iter()
        .find_map(|alphabet| alphabet.decode(&digits).ok())?;
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::readings;

    #[test]
    fn each_form_of_the_bytes_is_read() {
        let bytes = [0x0a, 0xff, 0x22, 0x5c, 0x41];
        for text in [
            &b"\x0a\xff\x22\x5c\x41"[..],
            b"\x0a\xff\x22\x5c\x41\n",
            b"0aff225c41\r\n",
            b"\\x0aFF225c41",
            b"0x0AFF225C41\n",
            b"X'0AFF225C41'",
            b"0aff 225c\n41",
            b"\"\\n\\xff\\\"\\\\A\"\n",
            b"Cv8iXEE=",
            b"Cv8iXEE",
        ] {
            let all = readings(text);
            assert!(
                all.contains(&bytes.to_vec()),
                "{}: {all:?}",
                text.escape_ascii()
            );
        }
        assert_eq!(readings(b"?"), [b"?".to_vec()]);
        assert_eq!(readings(b""), [b"".to_vec()]);
    }
}
