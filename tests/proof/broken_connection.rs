//! Writers with a connection to a real server that fails repeatedly, at any byte of a request or
//! response: acknowledged writes are stored, and no write is applied twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use silverback::backend::Backend;
use silverback::session::testing::Jar;

use crate::dice::Dice;
use crate::requests::Keys;
use crate::servers::proxy::{Fault, Proxy};
use crate::{ROUNDS, RUNTIME};

const WRITERS: usize = 8;

/// The approximate size of a statement and its answer.
const BYTES: usize = 600;

/// `plain` has a direct connection, and `broken` uses the proxy.
pub(crate) fn applies_no_write_twice(
    plain: Arc<dyn Backend>,
    broken: Arc<dyn Backend>,
    proxy: &Arc<Proxy>,
) -> String {
    let each = (*ROUNDS / 10).max(10);
    RUNTIME.block_on(async {
        let keys = Keys::new();
        let (plain, store) = (keys.store(plain), keys.store(broken));
        let jar = Jar::with(plain.clone(), |session| session.insert("count", 0));
        let jar = jar.await.unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let breaks = tokio::spawn(break_again_and_again(proxy.clone(), is_over.clone()));
        let writers = (0..WRITERS).map(|_| {
            let (store, jar) = (store.clone(), jar.clone());
            tokio::spawn(async move {
                let (mut attempted, mut acknowledged) = (0, 0);
                while attempted < each {
                    let sessions = jar.sessions(store.clone());
                    let Ok(session) = sessions.session().await else {
                        continue; // the load failed: no write is attempted
                    };
                    attempted += 1;
                    let count = session.update("count", |count: &mut usize| *count += 1);
                    count.unwrap();
                    acknowledged += usize::from(sessions.finish().await.is_ok());
                }
                acknowledged
            })
        });
        let mut acknowledged = 0;
        for writer in writers.collect::<Vec<_>>() {
            acknowledged += writer.await.unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        let breaks = breaks.await.unwrap();
        let session = jar.session(plain).await.unwrap();
        let count = session.get::<usize>("count").unwrap().unwrap();
        let attempted = WRITERS * each;
        assert!(
            acknowledged <= count && count <= attempted,
            "{acknowledged} <= {count} <= {attempted}"
        );
        assert!(breaks > 0 && acknowledged > 0);
        format!(
            "acknowledged {acknowledged} <= final {count} <= attempted {attempted}, broken {breaks} times"
        )
    })
}

async fn break_again_and_again(proxy: Arc<Proxy>, is_over: Arc<AtomicBool>) -> usize {
    let mut breaks = 0;
    while !is_over.load(Ordering::Relaxed) {
        let (bytes, pause) = {
            let mut dice = Dice::new();
            (dice.roll(BYTES), dice.roll(20))
        };
        proxy.set(match breaks % 2 {
            0 => Fault::ResetRequest(bytes),
            _ => Fault::ResetResponse(bytes),
        });
        breaks += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
        proxy.set(Fault::None);
        let pause = u64::try_from(pause).expect("a small number");
        tokio::time::sleep(Duration::from_millis(10 + pause)).await;
    }
    breaks
}
