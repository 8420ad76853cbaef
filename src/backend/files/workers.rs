//! [`Workers`]: the threads that wait for a backend's disk, so that no other thread does.
//!
//! The runtime's own blocking threads belong to the application. A disk that hangs would take all
//! of them, and then reads from a working disk would wait, too.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use super::super::Error;

/// The time after which an idle thread ends.
const LONGEST_IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// A bounded number of threads, which are started when they are needed.
pub(super) struct Workers {
    /// One place for each thread. Work without a place has not begun, and never begins if its
    /// caller stops waiting.
    places: Arc<Semaphore>,
    max_threads: usize,
    shared: Arc<WorkQueue>,
}

#[derive(Default)]
struct WorkQueue {
    queue: Mutex<Queue>,
    is_filled: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    idle_threads: usize,
}

impl Workers {
    pub(super) fn new(max_threads: usize) -> Self {
        Workers {
            places: Arc::new(Semaphore::new(max_threads.min(Semaphore::MAX_PERMITS))),
            max_threads,
            shared: Arc::default(),
        }
    }

    /// Waits for a place and runs `work` in a thread. Work that has begun runs to its end and keeps
    /// its place until then, even if the caller stops waiting.
    ///
    /// # Errors
    /// Returns an unavailable error if the system starts no thread, and an outcome unknown error if
    /// the work panics.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let closed =
            |error| Error::unavailable("the backend's threads have ended").with_source(error);
        let place = self.places.clone().acquire_owned().await.map_err(closed)?;
        let (answer, answered) = oneshot::channel();
        let started = self.start(Box::new(move || {
            let done = work();
            drop(place);
            // A caller that has stopped waiting needs no answer.
            let _ = answer.send(done);
        }));
        started.map_err(|error| {
            Error::unavailable("the operating system cannot start a thread").with_source(error)
        })?;
        let lost = |error| Error::outcome_unknown("the operation panicked").with_source(error);
        answered.await.map_err(lost)
    }

    /// Gives the job to an idle thread, or to a new one. If all threads exist, one of them has just
    /// ended its work; otherwise the job would have no place.
    fn start(&self, job: Job) -> io::Result<()> {
        let mut queue = self.shared.queue();
        queue.jobs.push_back(job);
        if queue.idle_threads >= queue.jobs.len() {
            self.shared.is_filled.notify_one();
            return Ok(());
        }
        if queue.threads == self.max_threads {
            return Ok(());
        }
        let shared = self.shared.clone();
        let thread = thread::Builder::new().name("silverback-files".to_owned());
        let started = thread.spawn(move || shared.work());
        match started {
            Ok(_) => queue.threads += 1,
            Err(_) => drop(queue.jobs.pop_back()),
        }
        started.map(drop)
    }
}

impl WorkQueue {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs jobs until the queue has been empty for a while.
    fn work(&self) {
        while let Some(job) = self.next() {
            // A panic drops the sender of the answer, so the caller gets an error.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = self.queue();
        if queue.jobs.is_empty() {
            queue.idle_threads += 1;
            let is_empty = |queue: &mut Queue| queue.jobs.is_empty();
            let filled = self
                .is_filled
                .wait_timeout_while(queue, LONGEST_IDLE, is_empty);
            queue = filled.unwrap_or_else(PoisonError::into_inner).0;
            queue.idle_threads -= 1;
        }
        let job = queue.jobs.pop_front();
        queue.threads -= usize::from(job.is_none());
        job
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn queued_work_is_dropped_if_its_caller_stops_waiting() {
        let workers = Arc::new(Workers::new(2));
        let (begun, begins) = channel();
        let gates: Vec<_> = (0..3)
            .map(|number| {
                let (open, gate) = channel::<()>();
                let (workers, begun) = (workers.clone(), begun.clone());
                let task = tokio::spawn(async move {
                    let work = move || {
                        begun.send(number).unwrap();
                        let _ = gate.recv();
                        number
                    };
                    workers.run(work).await
                });
                (open, task)
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut first: Vec<i32> = begins.try_iter().collect();
        first.sort();
        assert_eq!(first, [0, 1]);
        let [(open, one), (_also, two), (_third, three)] = gates.try_into().unwrap();
        three.abort();
        drop(open);
        assert_eq!(one.await.unwrap().unwrap(), 0);
        two.abort(); // its work keeps its place until its gate opens
        assert_eq!(workers.run(|| 7).await.unwrap(), 7);
        assert_eq!(begins.try_iter().count(), 0);
        assert_eq!(workers.places.available_permits(), 1);
    }

    #[tokio::test]
    async fn work_that_panics_frees_its_place() {
        let workers = Workers::new(1);
        let lost = workers.run(|| panic!("for the test")).await.unwrap_err();
        assert!(lost.is_outcome_unknown());
        assert_eq!(workers.run(|| 7).await.unwrap(), 7);
    }
}
