//! Recognizes the cookies of other frameworks, and other texts that are no cookie of gorilla's form.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

use super::super::frame::Frame;

/// A test of a text, and what the text then probably is.
type Form = (fn(&str) -> bool, &'static str);

/// Returns what a text probably is, if it has a form that is known here.
pub(super) fn recognize(text: &str) -> Option<&'static str> {
    let forms: [Form; 8] = [
        (is_jwt, "it looks like a JSON Web Token"),
        (
            is_flask,
            "it looks like a session of Flask (itsdangerous), which has other keys and another form",
        ),
        (
            is_rails,
            "it looks like a cookie of Rails, which has other keys and another form",
        ),
        (
            is_django,
            "it looks like a signed cookie of Django, which has other keys and another form",
        ),
        (
            is_express,
            "it looks like a signed cookie of Express (cookie-signature), which has other keys and another form",
        ),
        (
            is_token_of_scs,
            "it looks like the token of alexedwards/scs, which nothing seals: look for its row with \
             `silverback sessions show`",
        ),
        (
            is_id_of_gorilla,
            "it looks like the bare ID of a session in a server, which nothing seals",
        ),
        (
            is_random_id,
            "it looks like the random ID of a session in a server, which nothing seals",
        ),
    ];
    forms
        .into_iter()
        .find_map(|(is, what)| is(text).then_some(what))
}

/// Returns whether a cookie of gorilla's form is the one of gorilla/csrf: a JSON string of 32 bytes
/// in base64 (v1.7 `store.go`).
pub(super) fn is_gorilla_csrf(frame: &Frame) -> bool {
    let token: Option<String> = serde_json::from_slice(&frame.payload).ok();
    let token = token.and_then(|token| STANDARD.decode(token).ok());
    token.is_some_and(|token| token.len() == 32)
}

fn is_base64url(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_of_base64url)
}

fn is_of_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns whether the text is base64 of a JSON object.
fn is_json_object(text: &str) -> bool {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
    bytes.is_ok_and(|bytes| bytes.first() == Some(&b'{'))
}

fn is_jwt(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 3
        && parts.iter().all(|part| is_base64url(part))
        && parts.iter().take(2).all(|part| is_json_object(part))
}

/// `payload.time.signature`, where the payload is JSON, or `.` and compressed JSON.
fn is_flask(text: &str) -> bool {
    let compressed = text.strip_prefix('.');
    let parts: Vec<&str> = compressed.unwrap_or(text).split('.').collect();
    let is_json = parts.first().is_some_and(|payload| is_json_object(payload));
    parts.len() == 3
        && parts.iter().all(|part| is_base64url(part))
        && (compressed.is_some() || is_json)
}

/// `data--iv--tag` if it is encrypted, `data--digest` if it is signed.
fn is_rails(text: &str) -> bool {
    let parts: Vec<&str> = text.split("--").collect();
    let is_base64 = |part: &&str| STANDARD.decode(part).is_ok();
    match *parts {
        [data, digest] => is_base64(&data) && is_hex(digest),
        [_, _, _] => parts.iter().all(is_base64),
        _ => false,
    }
}

/// `value:time:signature`.
fn is_django(text: &str) -> bool {
    let mut parts = text.rsplitn(3, ':');
    let signature = parts.next().unwrap_or_default();
    let is_signature = [27, 43].contains(&signature.len()) && is_base64url(signature);
    let time = parts.next().unwrap_or_default();
    let is_time = (4..=8).contains(&time.len()) && time.bytes().all(|b| b.is_ascii_alphanumeric());
    is_signature && is_time && parts.next().is_some()
}

/// `s:value.signature`.
fn is_express(text: &str) -> bool {
    text.strip_prefix("s:")
        .is_some_and(|rest| rest.contains('.'))
}

fn is_token_of_scs(text: &str) -> bool {
    let decoded = URL_SAFE_NO_PAD.decode(text);
    text.len() == 43 && decoded.is_ok_and(|bytes| bytes.len() == 32)
}

fn is_id_of_gorilla(text: &str) -> bool {
    let is_base32 = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
    [52, 103].contains(&text.len()) && text.bytes().all(is_base32)
}

/// Such as the IDs of tower-sessions (16 bytes), and of PHP and dolab/session (hexadecimal digits); or a
/// UUID.
fn is_random_id(text: &str) -> bool {
    let is_of_16_bytes = text.len() == 22 && URL_SAFE_NO_PAD.decode(text).is_ok();
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let is_uuid = groups == [8, 4, 4, 4, 12] && is_hex(&text.replace('-', ""));
    is_of_16_bytes || is_uuid || ([32, 40, 64].contains(&text.len()) && is_hex(text))
}

/// Returns why a text is no cookie of gorilla's form.
pub(super) fn damage(text: &str) -> String {
    let is_strange = |c: &char| *c != '=' && !u8::try_from(*c).is_ok_and(is_of_base64url);
    let strange = text.chars().find(is_strange);
    if text.is_empty() {
        return "the value is empty".to_owned();
    }
    if let Some(strange) = strange {
        return format!(
            "the value has the character {strange:?}, which base64url does not have: it was changed, \
             or is another cookie"
        );
    }
    // A date of this century begins so in base64.
    let begins_as_a_date = text
        .get(..2)
        .is_some_and(|start| start.eq_ignore_ascii_case("MT"));
    if begins_as_a_date && text.bytes().all(|byte| !byte.is_ascii_uppercase()) {
        return "the value has no capital letters: a program has changed its case".to_owned();
    }
    if begins_as_a_date && text.bytes().all(|byte| !byte.is_ascii_lowercase()) {
        return "the value has no small letters: a program has changed its case".to_owned();
    }
    damage_inside(text)
}

/// Looks into a text that was cut at any place.
fn damage_inside(text: &str) -> String {
    let whole = text.len() - text.len() % 4;
    let inner = text.get(..whole).map(|text| URL_SAFE.decode(text));
    let Some(Ok(inner)) = inner else {
        return "the value is not base64url of any bytes: it was changed, or is another cookie"
            .to_owned();
    };
    let bars = inner.iter().filter(|byte| **byte == b'|').count();
    let begins_with_date = inner
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count()
        >= 9;
    match (begins_with_date, bars) {
        (true, 0 | 1) => "the value is cut: its end, with the MAC, is missing".to_owned(),
        (true, _) => "the value is cut, or was changed".to_owned(),
        (false, _) => {
            "the value does not begin with a date: its beginning is missing, it was changed, or it is \
             another cookie"
                .to_owned()
        }
    }
}
