//! [`Cleanup`]: a task that purges expired records at an interval, for servers that do not remove
//! them by themselves.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Backend, Error, IntoBackend, Purged};

/// The largest number of records that one purge removes. The bound keeps each purge from holding a
/// lock for long.
const BATCH: usize = 1_000;

/// Purges a backend at an interval. Dropping it ends the task after the current batch.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use std::sync::Arc;
/// use std::time::Duration;
/// use silverback::backend::{Cleanup, Memory};
///
/// let backend = Arc::new(Memory::new());
/// let cleanup = Cleanup::every(Duration::from_secs(300), backend, |error| eprintln!("{error}"));
/// // .. serve ..
/// cleanup.stop().await;
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it ends the task"]
pub struct Cleanup {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Cleanup {
    /// Purges `backend` immediately, and again `interval` after each purge finishes.
    ///
    /// If a purge fails, `on_error` gets the error, and the next purge runs as usual. `on_error`
    /// also gets the error of each record that a purge [skips](Purged::skipped); the purge goes on.
    /// The task does nothing for a backend that cannot [scan](Backend::scan) or that [purges
    /// itself](Backend::purges_itself).
    ///
    /// # Panics
    /// Panics outside of a tokio runtime.
    #[doc(alias = "DeleteExpired")]
    #[doc(alias = "RunCleanup")]
    pub fn every(
        interval: Duration,
        backend: impl IntoBackend,
        mut on_error: impl FnMut(&Error) + Send + 'static,
    ) -> Self {
        let backend = backend.into_backend();
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            loop {
                if let Err(error) = purge(backend.as_ref(), &mut on_error, &mut stopped).await {
                    on_error(&error);
                }
                tokio::select! {
                    () = tokio::time::sleep(interval) => {}
                    () = stop_requested(&mut stopped) => return,
                }
            }
        });
        Cleanup { stop, task }
    }

    /// Ends the task and waits until it has ended.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

/// Purges batch by batch until no expired record is left or the task is stopped. After each batch
/// it pauses for as long as the batch took, so that the server is free for requests half of the
/// time.
async fn purge(
    backend: &dyn Backend,
    on_skipped: &mut (impl FnMut(&Error) + Send),
    stopped: &mut watch::Receiver<bool>,
) -> Result<(), Error> {
    let Some(scan) = backend.scan().filter(|_| !backend.purges_itself()) else {
        return Ok(());
    };
    loop {
        let began = Instant::now();
        let Purged { removed, skipped } = scan.purge(BATCH).await?;
        skipped.iter().for_each(&mut *on_skipped);
        if removed < BATCH {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(began.elapsed()) => {}
            () = stop_requested(stopped) => return Ok(()),
        }
    }
}

/// Waits until the task is stopped or its [`Cleanup`] is dropped.
async fn stop_requested(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::super::{
        Created, Expiry, Key, Memory, Outcome, Page, Record, Revision, Scan, Stored,
    };
    use super::*;

    /// Fails every other purge, or always has another batch to purge. All other operations are
    /// those of the inner backend.
    #[derive(Default)]
    struct Failing {
        inner: Memory,
        purges: AtomicUsize,
        /// The time that each batch takes. If it is set, there is always another batch.
        takes: Option<Duration>,
    }

    #[async_trait]
    impl Scan for Failing {
        async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error> {
            self.inner.page(after, limit).await
        }

        async fn purge(&self, limit: usize) -> Result<Purged, Error> {
            let purge = self.purges.fetch_add(1, Ordering::SeqCst);
            if let Some(takes) = self.takes {
                tokio::time::sleep(takes).await;
                return Ok(Purged::removed(limit));
            }
            match purge % 2 {
                0 => Err(Error::unavailable("not now")),
                _ => self.inner.purge(limit).await,
            }
        }
    }

    #[async_trait]
    impl Backend for Failing {
        async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
            self.inner.load(key).await
        }

        async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
            self.inner.create(key, record).await
        }

        async fn swap(
            &self,
            key: &Key,
            seen: &Revision,
            record: &Record,
        ) -> Result<Outcome<Revision>, Error> {
            self.inner.swap(key, seen, record).await
        }

        async fn touch(
            &self,
            key: &Key,
            seen: &Revision,
            until: Expiry,
        ) -> Result<Outcome<Revision>, Error> {
            self.inner.touch(key, seen, until).await
        }

        async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
            self.inner.remove(key, seen).await
        }

        fn scan(&self) -> Option<&dyn Scan> {
            Some(self)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cleanup_continues_after_errors_and_stops_on_request() {
        let backend = Arc::new(Failing::default());
        let expired = Record::new("v", Expiry::from_millis(0));
        for number in 0..10_usize {
            let key = Key::new(number.to_string()).unwrap();
            backend
                .create(&key, &expired)
                .await
                .unwrap()
                .saved()
                .unwrap();
        }
        let errors = Arc::new(AtomicUsize::new(0));
        let counted = errors.clone();
        let interval = Duration::from_secs(60);
        let cleanup = Cleanup::every(interval, backend.clone(), move |error| {
            assert!(error.is_unavailable());
            counted.fetch_add(1, Ordering::SeqCst);
        });
        tokio::time::sleep(10 * interval).await;
        assert!((4..=6).contains(&errors.load(Ordering::SeqCst)));
        assert_eq!(format!("{:?}", backend.inner), "Memory(0 records)");
        cleanup.stop().await;
        let purges = backend.purges.load(Ordering::SeqCst);
        tokio::time::sleep(10 * interval).await;
        assert_eq!(backend.purges.load(Ordering::SeqCst), purges);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_cleanup_ends() {
        let backend = Arc::new(Failing::default());
        let interval = Duration::from_secs(60);
        let cleanup = Cleanup::every(interval, backend.clone(), |_| {});
        tokio::time::sleep(interval / 2).await;
        drop(cleanup);
        tokio::time::sleep(10 * interval).await;
        assert_eq!(backend.purges.load(Ordering::SeqCst), 1);
        assert_eq!(Arc::strong_count(&backend), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cleanup_pauses_as_long_as_its_last_batch_took() {
        let second = Duration::from_secs(1);
        let backend = Arc::new(Failing {
            takes: Some(4 * second),
            ..Failing::default()
        });
        let cleanup = Cleanup::every(second, backend.clone(), |_| {});
        // Batches end 4, 12 and 20 seconds after the beginning.
        tokio::time::sleep(21 * second).await;
        assert_eq!(backend.purges.load(Ordering::SeqCst), 3);
        let start = Instant::now();
        cleanup.stop().await;
        assert!(start.elapsed() < second);
        assert_eq!(backend.purges.load(Ordering::SeqCst), 3);
    }
}
