//! Many writers of one session: each increment counts.

use std::sync::Arc;

use silverback::backend::Backend;
use silverback::session::testing::Jar;

use crate::requests::Keys;
use crate::{ROUNDS, RUNTIME};

pub(crate) fn no_increment_is_lost(backend: Arc<dyn Backend>, writers: usize) -> String {
    // With ten thousand rounds for each pair, this is a thousand each.
    let each = (*ROUNDS / 10).max(1);
    RUNTIME.block_on(async {
        let store = Keys::new().store(backend);
        let jar = Jar::with(store.clone(), |session| session.insert("count", 0))
            .await
            .unwrap();
        let tasks = (0..writers).map(|_| {
            let (store, jar) = (store.clone(), jar.clone());
            tokio::spawn(async move {
                for _ in 0..each {
                    let sessions = jar.sessions(store.clone());
                    let session = sessions.session().await.unwrap();
                    session
                        .update("count", |count: &mut usize| *count += 1)
                        .unwrap();
                    sessions.finish().await.unwrap();
                }
            })
        });
        for writer in tasks.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let session = jar.session(store).await.unwrap();
        let count = session.get::<usize>("count").unwrap().unwrap();
        assert_eq!(count, writers * each);
        format!("{writers} writers x {each} increments = {count}")
    })
}
