//! Caching of responses that depend on a session.

use silverback::session::{Error, Sessions};

use super::site::{Framework, Reply, Site};
use super::support::{TestGenerations, store};

for_each_framework!(
    law_9_caches_store_no_response_of_a_session,
    law_9_no_other_field_overrides_cache_control,
    law_9_a_browser_may_keep_a_private_page,
    a_response_can_be_declared_public,
    caches_never_store_an_error_page,
);

/// Fields that caches obey instead of Cache-Control.
const TARGETED: [&str; 6] = [
    "CDN-Cache-Control",
    "Cloudflare-CDN-Cache-Control",
    "Example-Cache-Control",
    "Surrogate-Control",
    "Edge-Control",
    "X-Accel-Expires",
];

/// Returns the reply with fields that let each kind of shared cache store it.
fn cacheable_everywhere(reply: Reply) -> Reply {
    let reply = reply.with("Cache-Control", "public, max-age=600");
    TARGETED
        .iter()
        .fold(reply, |reply, name| reply.with(name, "600"))
}

fn targeted(response: &super::client::Response) -> usize {
    let names = TARGETED.map(str::to_ascii_lowercase);
    names.iter().map(|name| response.all(name).len()).sum()
}

async fn read(sessions: Sessions) -> Result<(), Error> {
    sessions.session().await.map(drop)
}

async fn write(sessions: Sessions) -> Result<(), Error> {
    sessions.session().await?.insert("a", 1)
}

fn law_9_no_other_field_overrides_cache_control(framework: Framework) {
    let browser = Site::new(store())
        .on("/read", async |sessions| {
            read(sessions).await?;
            Ok(cacheable_everywhere(Reply::from("")))
        })
        .on("/written", async |sessions| {
            write(sessions).await?;
            Ok(cacheable_everywhere(Reply::from("")))
        })
        .on("/strict", async |sessions| {
            read(sessions).await?;
            let reply = Reply::from("").with("Cache-Control", "private, no-cache");
            Ok(reply.with("CDN-Cache-Control", "max-age=600"))
        })
        .on("/unasked", async |_| {
            Ok(cacheable_everywhere(Reply::from("")))
        })
        .browse(framework);
    let get = |path| browser.another().get(path);
    for (path, cache_control) in [
        ("/read", "private, no-cache"),
        ("/written", "no-store"),
        ("/strict", "private, no-cache"),
    ] {
        let response = get(path);
        assert_eq!(response.cache_control(), [cache_control], "{path}");
        assert_eq!(targeted(&response), 0, "{path}");
    }
    assert_eq!(targeted(&get("/unasked")), TARGETED.len());
}

fn law_9_a_browser_may_keep_a_private_page(framework: Framework) {
    let with = |value| {
        move |sessions: Sessions| async move {
            read(sessions).await?;
            Ok(Reply::from("").with("Cache-Control", value))
        }
    };
    let browser = Site::new(store())
        .on("/private", with("private, max-age=60"))
        .on("/quoted", with("x=\"a, no-store\", Max-Age=60, private"))
        .on("/written", async |sessions| {
            write(sessions).await?;
            Ok(Reply::from("").with("Cache-Control", "private, max-age=60"))
        })
        .on("/undated", with("private"))
        .on("/both", with("private, public, max-age=60"))
        .on("/in-quotes", with("x=\"a, private, b\", max-age=60"))
        .on("/not-stored", with("x=\"a, no-store, b\""))
        .browse(framework);
    let get = |path| browser.another().get(path);
    let private = get("/private");
    assert_eq!(private.cache_control(), ["private, max-age=60"]);
    assert_eq!(private.all("vary"), ["Cookie"]);
    let quoted = "x=\"a, no-store\", Max-Age=60, private";
    assert_eq!(get("/quoted").cache_control(), [quoted]);
    assert_eq!(get("/written").cache_control(), ["no-store"]);
    for path in ["/undated", "/both", "/in-quotes", "/not-stored"] {
        assert_eq!(get(path).cache_control(), ["private, no-cache"], "{path}");
    }
}

fn a_response_can_be_declared_public(framework: Framework) {
    let browser = Site::new(store())
        .on("/style", async |sessions| {
            read(sessions).await?;
            Ok(cacheable_everywhere(Reply::from("")).public())
        })
        .on("/written", async |sessions| {
            write(sessions).await?;
            Ok(cacheable_everywhere(Reply::from("")).public())
        })
        .browse(framework);
    let get = |path| browser.another().get(path);
    let style = get("/style");
    assert_eq!(style.cache_control(), ["public, max-age=600"]);
    assert_eq!(targeted(&style), TARGETED.len());
    assert_eq!(style.all("vary").len(), 0);
    let written = get("/written");
    assert_eq!(written.set_cookies().len(), 1);
    assert_eq!(
        written.cache_control(),
        ["no-store"],
        "a response with a cookie is not stored"
    );
    assert_eq!(written.all("vary"), ["Cookie"]);
    assert_eq!(targeted(&written), 0);
}

/// The site's page allows CDNs to store it.
fn caches_never_store_an_error_page(framework: Framework) {
    let generations = TestGenerations::default();
    generations
        .is_down
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let browser = Site::new(store().revocable(generations))
        .on("/login", async |sessions| {
            sessions.session().await?.login("ape")?;
            Ok("")
        })
        .error_page("no {path}")
        .browse(framework);
    let response = browser.another().get("/login");
    assert_eq!((response.status, &*response.body), (503, "no /login"));
    assert_eq!(response.cache_control(), ["no-store"]);
    assert_eq!(targeted(&response), 0);
}

fn law_9_caches_store_no_response_of_a_session(framework: Framework) {
    let reading = |name, value| {
        move |sessions: Sessions| async move {
            read(sessions).await?;
            Ok(Reply::from("").with(name, value))
        }
    };
    let writing = |name, value| {
        move |sessions: Sessions| async move {
            write(sessions).await?;
            Ok(Reply::from("").with(name, value))
        }
    };
    let browser = Site::new(store())
        .on("/read", reading("X", "y"))
        .on("/visit", writing("X", "y"))
        .on("/public", reading("Cache-Control", "public, max-age=600"))
        .on(
            "/private",
            reading("Cache-Control", "max-age=0, Private, no-cache"),
        )
        .on(
            "/field",
            reading("Cache-Control", "private=\"x\", no-cache"),
        )
        .on("/none-stored", reading("Cache-Control", "no-store"))
        .on("/vary", reading("Vary", "Accept"))
        .on("/varies", reading("Vary", "accept, COOKIE"))
        .on("/star", reading("Vary", "*"))
        .on("/written", writing("Cache-Control", "private, no-cache"))
        .on("/not-stored", writing("Cache-Control", "no-store, private"))
        .browse(framework);
    let get = |path| browser.another().get(path);

    assert_eq!(get("/read").cache_control(), ["private, no-cache"]);
    assert_eq!(get("/visit").cache_control(), ["no-store"]);
    assert_eq!(get("/public").cache_control(), ["private, no-cache"]);
    assert_eq!(
        get("/private").cache_control(),
        ["max-age=0, Private, no-cache"]
    );
    assert_eq!(get("/field").cache_control(), ["private, no-cache"]);
    assert_eq!(get("/none-stored").cache_control(), ["no-store"]);
    assert_eq!(get("/written").cache_control(), ["no-store"]);
    assert_eq!(get("/not-stored").cache_control(), ["no-store, private"]);

    assert_eq!(get("/read").all("vary"), ["Cookie"]);
    assert_eq!(get("/visit").all("vary"), ["Cookie"]);
    assert_eq!(get("/vary").all("vary"), ["Accept", "Cookie"]);
    assert_eq!(get("/varies").all("vary"), ["accept, COOKIE"]);
    assert_eq!(get("/star").all("vary"), ["*"]);
}
