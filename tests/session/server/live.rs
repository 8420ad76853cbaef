//! A session after the response's head: a stream reads it, a job writes it, and both learn of its
//! end.

use std::sync::Arc;

use silverback::session::{LiveSession, Session};
use tokio::sync::mpsc;

use super::super::site::{Framework, Site};
use super::interleavings::{Change, on_each_backend};
use super::{IDLE, RUNTIME, Request, Server, count, jar_with, read, visit};

for_each_framework!(
    a_job_writes_after_the_response,
    a_failed_request_saves_only_with_a_response,
);

#[test]
fn each_call_sees_the_current_session() {
    on_each_backend(async |server| {
        let store = server.store();
        let mut jar = jar_with(&store, |session| session.insert("n", 1)).await;
        let request = Request::of(&jar, &store).await;
        let live = request.session.live().unwrap();
        request.finish_into(&mut jar).await;
        assert!(request.session.insert("n", 2).unwrap_err().is_closed());

        assert_eq!(live.get::<u64>("n").await.unwrap(), Some(1));
        visit(&mut jar, &store, |session| count(session, "n").unwrap()).await;
        assert_eq!(live.update("n", |n: &mut u64| *n += 10).await.unwrap(), 12);
        // It follows a renewal, and also a second one.
        for _ in 0..2 {
            visit(&mut jar, &store, |session| session.renew().unwrap()).await;
            live.update("n", |n: &mut u64| *n += 100).await.unwrap();
        }
        assert_eq!(read(&jar, &store, ["n"]).await, Some([Some(212)]));
        assert_eq!(
            live.values().await.unwrap().get::<u64>("n").unwrap(),
            Some(212)
        );
        // A failed change is not saved.
        let failed = live.transact(|values| {
            values.insert("n", 0)?;
            values.get::<String>("n")
        });
        assert!(failed.await.unwrap_err().is_wrong_type());
        assert_eq!(read(&jar, &store, ["n"]).await, Some([Some(212)]));
    });
}

#[test]
fn concurrent_changes_are_all_kept() {
    on_each_backend(async |server| {
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("n", 0)).await;
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (jar, store) = (jar.clone(), store.clone());
                tokio::spawn(async move {
                    let live = jar.session(store).await.unwrap().live().unwrap();
                    for _ in 0..10 {
                        live.update("n", |n: &mut u64| *n += 1).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(read(&jar, &store, ["n"]).await, Some([Some(80)]));
    });
}

#[test]
fn calls_fail_after_the_session_has_ended() {
    let ends: [Change; 4] = [
        |session| session.logout(),
        |session| session.end(),
        |session| session.login("ape"),
        |session| session.login_keeping_values("bonobo"),
    ];
    async fn check(live: &LiveSession) {
        assert!(live.values().await.unwrap_err().is_gone());
        let change = live.transact(|values| values.insert("n", 1));
        assert!(change.await.unwrap_err().is_gone());
        assert!(live.touch().await.unwrap_err().is_gone());
    }
    on_each_backend(async |server| {
        let store = server.store();
        let login: Change = |session| session.login("ape");
        for end in ends {
            let mut jar = jar_with(&store, login).await;
            let live = jar.session(store.clone()).await.unwrap().live().unwrap();
            visit(&mut jar, &store, |session| end(session).unwrap()).await;
            check(&live).await;
        }
        let jar = jar_with(&store, login).await;
        let live = jar.session(store.clone()).await.unwrap().live().unwrap();
        store.end_all("ape").await.unwrap();
        check(&live).await;
    });
}

#[test]
fn a_read_does_not_extend_the_session_and_a_touch_does() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        for (touches, is_live) in [(false, false), (true, true)] {
            let jar = jar_with(&store, |session| session.insert("n", 1)).await;
            let live = jar.session(store.clone()).await.unwrap().live().unwrap();
            server.clock.pass(IDLE - 1);
            live.values().await.unwrap();
            if touches {
                live.touch().await.unwrap();
            }
            server.clock.pass(1);
            assert_eq!(live.values().await.is_ok(), is_live);
        }
    });
}

#[test]
fn only_a_session_saved_in_a_server_has_a_live_handle() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        let session = silverback::session::testing::Jar::new()
            .session(store)
            .await
            .unwrap();
        assert!(session.live().unwrap_err().is_usage());
        session.insert("n", 1).unwrap();
        session.save().await.unwrap();
        assert_eq!(session.live().unwrap().get("n").await.unwrap(), Some(1_u8));

        let in_cookie = super::super::support::store();
        let session = silverback::session::testing::Jar::new()
            .session(in_cookie)
            .await
            .unwrap();
        session.insert("n", 1).unwrap();
        session.save().await.unwrap();
        assert!(session.live().unwrap_err().is_usage());
    });
}

fn a_job_writes_after_the_response(framework: Framework) {
    let (begin, begins) = mpsc::unbounded_channel::<LiveSession>();
    let site = Site::new(Server::new().store())
        .on("/begin", move |sessions| {
            let begin = begin.clone();
            async move {
                let session: Session = sessions.session().await?;
                session.insert("progress", 0)?;
                session.save().await?;
                begin.send(session.live()?).unwrap();
                Ok("")
            }
        })
        .on("/progress", async |sessions| {
            let progress = sessions.session().await?.get::<u8>("progress")?;
            Ok(progress.unwrap_or(u8::MAX))
        });
    let mut browser = site.browse(framework);
    browser.get("/begin");
    // The client has the response, so its head has left.
    let begins = Arc::new(tokio::sync::Mutex::new(begins));
    RUNTIME.block_on(async {
        let live = begins.lock().await.recv().await.unwrap();
        live.update("progress", |progress: &mut u8| *progress = 42)
            .await
            .unwrap();
    });
    assert_eq!(browser.get("/progress").body, "42");
}

/// A response of a handler saves the session, with any status. A handler without a response saves
/// nothing by itself.
fn a_failed_request_saves_only_with_a_response(framework: Framework) {
    let mut browser = Site::new(Server::new().store())
        .on("/count", async |sessions| {
            count(&sessions.session().await?, "n")
        })
        .on("/5xx", async |sessions| {
            count(&sessions.session().await?, "n")?;
            Ok(super::super::site::Reply {
                status: 502,
                ..Default::default()
            })
        })
        .on("/panics", async |sessions| {
            count(&sessions.session().await?, "n")?;
            match std::hint::black_box(true) {
                true => panic!("the handler panics"),
                false => Ok(""),
            }
        })
        .on("/panics-saved", async |sessions| {
            let session = sessions.session().await?;
            count(&session, "n")?;
            session.save().await?;
            match std::hint::black_box(true) {
                true => panic!("the handler panics"),
                false => Ok(""),
            }
        })
        .on("/times-out", async |sessions| {
            let session = sessions.session().await?;
            count(&session, "n")?;
            let long = std::time::Duration::from_secs(600);
            tokio::time::sleep(long).await;
            Ok("")
        })
        .browse(framework);
    browser.get("/count");
    assert_eq!(browser.get("/5xx").status, 502);
    assert_eq!(browser.get("/count").body, "3", "saved");
    assert!(browser.times_out("/panics"));
    assert_eq!(browser.get("/count").body, "4", "not saved");
    assert!(browser.times_out("/panics-saved"));
    assert_eq!(browser.get("/count").body, "6", "saved before");
    assert!(browser.times_out("/times-out"));
    assert_eq!(browser.get("/count").body, "7", "not saved");
}
