//! Writers for whom one in five replies is lost, half of those before the write was applied:
//! acknowledged writes are stored, and no write is applied twice.

use std::sync::Arc;

use silverback::backend::Backend;
use silverback::session::testing::Jar;

use crate::random_backend::RandomBackend;
use crate::requests::Keys;
use crate::{ROUNDS, RUNTIME};

const WRITERS: usize = 8;

pub(crate) fn applies_no_write_twice(backend: Arc<dyn Backend>) -> String {
    let each = (*ROUNDS / 10).max(1);
    RUNTIME.block_on(async {
        let keys = Keys::new();
        let plain = keys.store(backend.clone());
        let losing = RandomBackend::new(backend, 1);
        losing.lose_one_reply_in(5);
        let store = keys.store(Arc::new(losing));
        let jar = Jar::with(plain.clone(), |session| session.insert("count", 0))
            .await
            .unwrap();
        let writers = (0..WRITERS).map(|_| {
            let (store, jar) = (store.clone(), jar.clone());
            tokio::spawn(async move {
                let mut acknowledged = 0;
                for _ in 0..each {
                    let sessions = jar.sessions(store.clone());
                    let session = sessions.session().await.unwrap();
                    session
                        .update("count", |count: &mut usize| *count += 1)
                        .unwrap();
                    match sessions.finish().await {
                        Ok(_) => acknowledged += 1,
                        Err(error) => assert!(error.is_outcome_unknown(), "{error}"),
                    }
                }
                acknowledged
            })
        });
        let mut acknowledged = 0;
        for writer in writers.collect::<Vec<_>>() {
            acknowledged += writer.await.unwrap();
        }
        let session = jar.session(plain).await.unwrap();
        let count = session.get::<usize>("count").unwrap().unwrap();
        let attempted = WRITERS * each;
        assert!(
            acknowledged <= count && count <= attempted,
            "{acknowledged} <= {count} <= {attempted}"
        );
        assert!(
            acknowledged > attempted / 4,
            "{acknowledged} of {attempted}"
        );
        format!("acknowledged {acknowledged} <= final {count} <= attempted {attempted}")
    })
}
