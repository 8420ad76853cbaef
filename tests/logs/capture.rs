//! All events and spans of this program, at every level, as text.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use tracing_subscriber::filter::LevelFilter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(LevelFilter::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .init();
    log
});

/// Starts the capture, and checks that it works.
pub(crate) fn start() {
    LazyLock::force(&LOG);
    tracing::trace!("capturing");
    assert!(text().contains("capturing"));
}

/// Returns the log until now.
pub(crate) fn text() -> String {
    String::from_utf8_lossy(&LOG.0.lock().unwrap()).into_owned()
}

/// Returns the lines that contain the secret, in any form that a program might print.
pub(crate) fn lines_with(secret: &[u8]) -> Vec<String> {
    let forms = forms_of(secret);
    let text = text();
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
