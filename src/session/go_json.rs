//! JSON as Go's `json.Marshal` writes a `json.RawMessage` (`encoding/json/indent.go`,
//! `appendCompact`): without spaces between tokens, and without characters that end a script or a
//! line of HTML.

/// Returns a JSON text in that form. Numbers, and the escapes that the text has, stay as they are.
pub(crate) fn compact(text: &str) -> String {
    let mut compacted = String::with_capacity(text.len());
    let (mut is_in_string, mut is_escaped) = (false, false);
    for character in text.chars() {
        match character {
            ' ' | '\t' | '\r' | '\n' if !is_in_string => continue,
            '<' => compacted.push_str("\\u003c"),
            '>' => compacted.push_str("\\u003e"),
            '&' => compacted.push_str("\\u0026"),
            '\u{2028}' => compacted.push_str("\\u2028"),
            '\u{2029}' => compacted.push_str("\\u2029"),
            character => compacted.push(character),
        }
        is_in_string ^= character == '"' && !is_escaped;
        is_escaped = is_in_string && character == '\\' && !is_escaped;
    }
    compacted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_written_as_go_writes_it() {
        for (text, of_go) in [
            (" {\"a\" : [1 ,\n2.50]\t} ", r#"{"a":[1,2.50]}"#),
            (r#""a \" b""#, r#""a \" b""#),
            (r#"["\\", " x "]"#, r#"["\\"," x "]"#),
            (r#"{"\\\" " : "\\ \" "}"#, r#"{"\\\" ":"\\ \" "}"#),
            (
                "\"\u{e9}<\\u003c>&\u{2028}\u{2029}\"",
                "\"\u{e9}\\u003c\\u003c\\u003e\\u0026\\u2028\\u2029\"",
            ),
            ("1e400", "1e400"),
        ] {
            assert_eq!(compact(text), of_go, "{text}");
        }
    }
}
