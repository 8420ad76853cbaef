//! Clients that disconnect at any moment: each request saves all or nothing, and only to its own
//! session.

use std::sync::Arc;

use silverback::backend::Backend;
use silverback::session::testing::Jar;

use crate::dice::Dice;
use crate::random_backend::RandomBackend;
use crate::requests::Keys;
use crate::{ROUNDS, RUNTIME};

const BROWSERS: usize = 16;

pub(crate) fn all_or_nothing(backend: Arc<dyn Backend>) -> String {
    // With ten thousand rounds for each pair, this is a hundred thousand requests.
    let each = (*ROUNDS * 10).div_ceil(BROWSERS);
    RUNTIME.block_on(async {
        let store = Keys::new().store(Arc::new(RandomBackend::new(backend, 3)));
        let browsers = (0..BROWSERS).map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let jar = Jar::with(store.clone(), |session| {
                    session.insert("browser", number)?;
                    session.insert("one", 0)?;
                    session.insert("other", 0)
                });
                let jar = jar.await.unwrap();
                let mut dice = Dice::new();
                let mut cancelled = 0;
                for request in 1..=each {
                    let (own_jar, own_store) = (jar.clone(), store.clone());
                    let served =
                        tokio::spawn(
                            async move { serve(&own_jar, own_store, number, request).await },
                        );
                    for _ in 0..dice.roll(40) {
                        tokio::task::yield_now().await;
                    }
                    served.abort();
                    match served.await {
                        Ok(()) => {}
                        Err(error) if error.is_cancelled() => cancelled += 1,
                        Err(error) => std::panic::resume_unwind(error.into_panic()),
                    }
                }
                (jar, cancelled)
            })
        });
        let mut all_cancelled = 0;
        for (number, browser) in browsers.collect::<Vec<_>>().into_iter().enumerate() {
            let (jar, cancelled) = browser.await.unwrap();
            all_cancelled += cancelled;
            store.drain().await;
            serve(&jar, store.clone(), number, each + 1).await;
            let session = jar.session(store.clone()).await.unwrap();
            assert_eq!(session.get::<usize>("one").unwrap(), Some(each + 1));
        }
        assert!(all_cancelled > BROWSERS * each / 10, "{all_cancelled}");
        format!("{} requests, {all_cancelled} cancelled", BROWSERS * each)
    })
}

/// Checks that a request's own session is whole, and writes two values that belong together.
async fn serve(jar: &Jar, store: silverback::session::ServerStore, browser: usize, request: usize) {
    let sessions = jar.sessions(store);
    let session = sessions.session().await.unwrap();
    assert_eq!(session.get::<usize>("browser").unwrap(), Some(browser));
    let [one, other] = ["one", "other"].map(|key| session.get::<usize>(key).unwrap().unwrap());
    assert_eq!(one, other, "half of a save");
    assert!(one < request, "a save of another request");
    session.insert("one", request).unwrap();
    session.insert("other", request).unwrap();
    sessions.finish().await.unwrap();
}
