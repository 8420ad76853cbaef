//! The log of refusals and failures, which contains no secret.

use std::sync::LazyLock;

use silverback::codec::{Codec, Error as CodecError, Opened, Serializer, UnixTime};
use silverback::session::{CookieOptions, CookieStore, Lifetime};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use super::log::Log;
use super::site::{Framework, Site};
use super::support::{Clock, TestGenerations, store_with};

for_each_framework!(
    refusals_and_failures_are_logged_without_secrets,
    failures_are_logged_by_each_framework,
    a_missing_layer_is_logged,
    a_codec_that_fails_is_an_outage,
    a_codec_cannot_inject_fields,
);

static LOG: LazyLock<Log> = LazyLock::new(|| Log::capture(LevelFilter::INFO, FmtSpan::NONE));

/// Returns the lines about a cookie name, or with a text, that were logged after the first call.
pub(crate) fn lines(about: &str) -> Vec<String> {
    let log = LOG.text();
    let lines = log.lines().filter(|line| line.contains(about));
    lines.map(str::to_owned).collect()
}

fn refusals_and_failures_are_logged_without_secrets(framework: Framework) {
    LazyLock::force(&LOG);
    let name = format!("logged-{framework:?}");
    let clock = Clock::new();
    let generations = TestGenerations::default();
    let options = CookieOptions::new().name(&*name).unwrap();
    let store = clock
        .of(store_with(options, Lifetime::new()))
        .revocable(generations.clone());
    let mut browser = Site::new(store)
        .on("/login", async |sessions| {
            sessions.session().await?.login("owner-secret")?;
            Ok("")
        })
        .on("/read", async |sessions| {
            sessions.session().await?;
            Ok("")
        })
        .browse(framework);
    browser.get("/login");
    browser.get("/read");
    assert_eq!(lines(&name).len(), 0, "nothing is logged");
    let cookie = browser.jar.get(&name).unwrap().to_owned();
    browser
        .another()
        .get_with("/read", [("Cookie", &*format!("{name}=cookie-secret"))]);
    clock.pass(1_800);
    browser.get("/read");
    let said = lines(&name);
    assert_eq!(said.len(), 2);
    assert!(
        said[0].contains("INFO") && said[0].contains("reason=not valid"),
        "{}",
        said[0]
    );
    assert!(said[1].contains("reason=idle for too long"), "{}", said[1]);

    generations
        .is_down
        .store(true, std::sync::atomic::Ordering::SeqCst);
    browser.get("/login");
    let failed = lines("the generations do not answer");
    assert!(failed.iter().any(|line| line.contains("ERROR")));
    let log = lines("");
    assert!(
        log.iter()
            .all(|line| !line.contains("secret") && !line.contains(&cookie))
    );
}

fn failures_are_logged_by_each_framework(framework: Framework) {
    LazyLock::force(&LOG);
    let name: &'static str = format!("unknown-{framework:?}").leak();
    let generations = TestGenerations::default();
    let options = CookieOptions::new().name("id").unwrap();
    let mut browser = Site::new(store_with(options, Lifetime::new()).revocable(generations))
        .on("/get", async |sessions| {
            sessions.get(name).await?;
            Ok("")
        })
        .on("/fresh", async |sessions| {
            sessions
                .session()
                .await?
                .require_fresh(std::time::Duration::ZERO)?;
            Ok("")
        })
        .browse(framework);
    assert_eq!(browser.get("/get").status, 500);
    assert!(lines(name).iter().any(|line| line.contains("ERROR")));
    // Any client can cause this error.
    assert_eq!(browser.get("/fresh").status, 403);
    let fresh = lines("the last login is too long ago");
    assert!(fresh.iter().all(|line| !line.contains("ERROR")));
}

fn a_missing_layer_is_logged(framework: Framework) {
    LazyLock::force(&LOG);
    let (error, word) = match framework {
        Framework::Axum => {
            use axum::extract::FromRequestParts;
            let (mut parts, ()) = axum::http::Request::new(()).into_parts();
            let extracted = silverback::session::Session::from_request_parts(&mut parts, &());
            (
                super::site::RUNTIME.block_on(extracted).unwrap_err(),
                "SessionLayer",
            )
        }
        Framework::Actix => {
            use actix_web::FromRequest;
            let request = actix_web::test::TestRequest::default().to_http_request();
            let extracted = silverback::session::Session::extract(&request);
            let extracted = super::site::RUNTIME.block_on(extracted);
            (extracted.unwrap_err(), "SessionMiddleware")
        }
    };
    assert!(error.is_usage());
    assert!(lines(word).iter().any(|line| line.contains("ERROR")));
}

/// A codec that calls a service which does not answer.
struct FailingCodec;

impl Codec for FailingCodec {
    fn seal_into(&self, _: &str, _: &[u8], _: UnixTime, _: &mut String) -> Result<(), CodecError> {
        Err(CodecError::internal("the key service does not answer"))
    }

    fn open_into(
        &self,
        _: &str,
        _: &str,
        _: UnixTime,
        _: &mut Vec<u8>,
    ) -> Result<Opened, CodecError> {
        Err(CodecError::internal("the key service does not answer"))
    }

    fn serializer(&self) -> Serializer {
        Serializer::Gob
    }
}

fn a_codec_that_fails_is_an_outage(framework: Framework) {
    let site = Site::new(CookieStore::new(FailingCodec).unwrap());
    let mut browser = site
        .on("/read", async |sessions| {
            sessions.session().await?;
            Ok("")
        })
        .on("/write", async |sessions| {
            sessions.session().await?.insert("a", 1)?;
            Ok("")
        })
        .browse(framework);
    assert_eq!(
        browser.get("/read").status,
        200,
        "there is no cookie to open"
    );
    assert_eq!(browser.get("/write").status, 503);
    browser.jar.set("__Host-id", "perhaps-good");
    let broken = browser.get("/read");
    assert_eq!((broken.status, broken.set_cookies().len()), (503, 0));
}

/// A codec that seals to text that is not a valid cookie value.
struct InjectingCodec;

impl Codec for InjectingCodec {
    fn seal_into(
        &self,
        _: &str,
        _: &[u8],
        _: UnixTime,
        out: &mut String,
    ) -> Result<(), CodecError> {
        out.push_str("v; Domain=example.com\r\nX: y");
        Ok(())
    }

    fn open_into(
        &self,
        _: &str,
        _: &str,
        _: UnixTime,
        _: &mut Vec<u8>,
    ) -> Result<Opened, CodecError> {
        Err(CodecError::not_valid())
    }
}

fn a_codec_cannot_inject_fields(framework: Framework) {
    let site = Site::new(CookieStore::new(InjectingCodec).unwrap());
    let mut browser = site
        .on("/write", async |sessions| {
            sessions.session().await?.insert("a", 1)?;
            Ok("")
        })
        .browse(framework);
    let refused = browser.get("/write");
    assert_eq!((refused.status, refused.set_cookies().len()), (500, 0));
}
