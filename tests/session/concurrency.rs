//! Concurrent requests of one browser.

use std::sync::Barrier;

use super::site::{Framework, Site};
use super::support::store;

for_each_framework!(
    concurrent_requests_each_have_a_whole_session,
    concurrent_browsers_have_their_own_sessions,
);

fn pair_site() -> Site {
    Site::new(store())
        .on("/step", async |sessions| {
            let session = sessions.session().await?;
            let step = session.update("one", |one: &mut u64| *one += 1)?;
            tokio::task::yield_now().await;
            session.insert("other", step)?;
            Ok(step)
        })
        .on("/read", async |sessions| {
            let session = sessions.session().await?;
            let (one, other) = (session.get::<u64>("one")?, session.get::<u64>("other")?);
            assert_eq!(one, other);
            Ok(one.unwrap_or_default())
        })
        .on("/name", async |sessions| {
            let session = sessions.session().await?;
            Ok(session.owner().unwrap_or_default())
        })
        .on("/tasks", async |sessions| {
            let session = sessions.session().await?;
            let tasks: Vec<_> = (0..64)
                .map(|_| {
                    let session = session.clone();
                    std::thread::spawn(move || session.update("one", |one: &mut u64| *one += 1))
                })
                .collect();
            for task in tasks {
                task.join().unwrap()?;
            }
            session.get::<u64>("one").map(Option::unwrap)
        })
}

fn concurrent_requests_each_have_a_whole_session(framework: Framework) {
    let mut browser = pair_site().browse(framework);
    browser.get("/step");
    let barrier = Barrier::new(8);
    // Each request returns a whole session. The last response decides which session is kept, as
    // `CookieStore` documents.
    let last = std::thread::scope(|scope| {
        let requests: Vec<_> = (0..8)
            .map(|_| {
                let (mut browser, barrier) = (browser.clone(), &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    assert_eq!(browser.get("/step").body, "2");
                    browser.jar
                })
            })
            .collect();
        requests
            .into_iter()
            .map(|request| request.join().unwrap())
            .last()
    });
    browser.jar = last.unwrap();
    assert_eq!(browser.get("/read").body, "2");
    // No update is lost within one request.
    assert_eq!(browser.get("/tasks").body, "66");
}

fn concurrent_browsers_have_their_own_sessions(framework: Framework) {
    let login = pair_site();
    let names = ["ape", "gorilla", "bonobo", "gibbon"];
    let site = names.into_iter().fold(login, |site, name| {
        let path: &'static str = format!("/login-{name}").leak();
        site.on(path, move |sessions| async move {
            sessions.session().await?.login(name)?;
            Ok("")
        })
    });
    let browser = site.browse(framework);
    let barrier = Barrier::new(names.len());
    std::thread::scope(|scope| {
        for name in names {
            let (mut browser, barrier) = (browser.another(), &barrier);
            scope.spawn(move || {
                browser.get(&format!("/login-{name}"));
                barrier.wait();
                for _ in 0..50 {
                    browser.get("/step");
                    assert_eq!(browser.get("/name").body, name);
                }
                assert_eq!(browser.get("/read").body, "50");
            });
        }
    });
}
