//! All events and spans of this program, at every level, as text.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use super::log::Log;

static LOG: LazyLock<Log> = LazyLock::new(|| Log::capture(LevelFilter::TRACE, FmtSpan::FULL));

/// Starts the capture, and checks that it works.
pub(crate) fn start() {
    LazyLock::force(&LOG);
    tracing::trace!("capturing");
    assert!(LOG.text().contains("capturing"));
}

/// Returns the lines that contain the secret, in any form that a program might print.
pub(crate) fn lines_with(secret: &[u8]) -> Vec<String> {
    lines_in_with(&LOG.text(), secret)
}

/// Returns the lines of a text that contain the secret, in any form that a program might print.
pub(crate) fn lines_in_with(text: &str, secret: &[u8]) -> Vec<String> {
    let forms = forms_of(secret);
    let holds = |line: &&str| forms.iter().any(|form| line.contains(form.as_str()));
    text.lines().filter(holds).map(str::to_owned).collect()
}

fn forms_of(secret: &[u8]) -> Vec<String> {
    let hex = secret.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    let list = format!("{secret:?}");
    let mut forms = vec![hex.to_uppercase(), hex, list[1..list.len() - 1].to_owned()];
    forms.extend(String::from_utf8(secret.to_vec()));
    for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
        forms.push(engine.encode(secret));
    }
    forms
}
