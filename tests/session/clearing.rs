//! Logouts that ask the browser to clear data of the site.

use silverback::session::{ClearSiteData, Sessions};

use super::client::{Browser, Response};
use super::site::{Framework, Site};
use super::support::store;

for_each_framework!(
    a_logout_names_the_data_to_clear,
    only_the_response_to_the_logout_clears,
);

const FIELD: &str = "clear-site-data";

fn browse(framework: Framework) -> Browser {
    let clearing = |data: &'static [ClearSiteData]| {
        move |sessions: Sessions| async move {
            let session = sessions.session().await?;
            session.logout_clearing(data.iter().copied())?;
            Ok("bye")
        }
    };
    let site = Site::new(store())
        .on("/login", |sessions: Sessions| async move {
            sessions.session().await?.login("ape")?;
            Ok("hello")
        })
        .on("/again", |sessions: Sessions| async move {
            let session = sessions.session().await?;
            session.logout_clearing([ClearSiteData::Everything])?;
            session.login("ape")?;
            Ok("hello again")
        })
        .on("/farewell", |sessions: Sessions| async move {
            let session = sessions.session().await?;
            session.logout_clearing([ClearSiteData::Storage])?;
            session.add_flash("bye")?;
            Ok("bye")
        })
        .on("/failed", |sessions: Sessions| async move {
            let session = sessions.session().await?;
            session.logout_clearing([ClearSiteData::Everything])?;
            session.require_level(9)?;
            Ok("never")
        })
        .on("/none", clearing(&[]))
        .on("/one", clearing(&[ClearSiteData::Storage]))
        .on(
            "/all",
            clearing(&[
                ClearSiteData::Cache,
                ClearSiteData::Cookies,
                ClearSiteData::Storage,
                ClearSiteData::Everything,
            ]),
        );
    site.browse(framework)
}

fn visit(browser: &mut Browser, path: &str) -> Response {
    browser.get("/login");
    browser.get(path)
}

fn a_logout_names_the_data_to_clear(framework: Framework) {
    let mut browser = browse(framework);
    for (path, expected) in [
        ("/none", None),
        ("/one", Some(r#""storage""#)),
        ("/all", Some(r#""cache", "cookies", "storage", "*""#)),
        ("/farewell", Some(r#""storage""#)),
    ] {
        let response = visit(&mut browser, path);
        assert_eq!(response.all(FIELD), Vec::from_iter(expected), "{path}");
        assert_eq!(response.cache_control(), ["no-store"], "{path}");
    }
}

fn only_the_response_to_the_logout_clears(framework: Framework) {
    let mut browser = browse(framework);
    visit(&mut browser, "/one");
    assert!(browser.get("/login").all(FIELD).is_empty());
    // A login cancels it: it would clear what the new session needs.
    let response = visit(&mut browser, "/again");
    assert_eq!(response.body, "hello again");
    assert!(response.all(FIELD).is_empty());
    // Nothing was saved, and nobody is logged out.
    let response = visit(&mut browser, "/failed");
    assert_eq!(response.status, 403);
    assert!(response.all(FIELD).is_empty());
}
