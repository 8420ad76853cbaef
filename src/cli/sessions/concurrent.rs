//! [`run_all`]: work on single records, several at the same time.

use silverback::backend::Key;
use tokio::task::JoinSet;

use super::super::failure::Failure;

/// The number of records that are requested at once.
pub(super) const PAGE: usize = 1_000;

/// The number of records that are worked on at the same time.
const CONCURRENT: usize = 16;

/// Runs a task for each record, and passes each result to `note`.
pub(super) async fn run_all<T, Task>(
    keys: impl Iterator<Item = Key>,
    task: impl Fn(Key) -> Task,
    mut note: impl FnMut(T) -> Result<(), Failure>,
) -> Result<(), Failure>
where
    T: Send + 'static,
    Task: Future<Output = T> + Send + 'static,
{
    let mut running = JoinSet::new();
    for key in keys {
        if running.len() >= CONCURRENT
            && let Some(result) = running.join_next().await
        {
            note(result.map_err(Failure::usage)?)?;
        }
        running.spawn(task(key));
    }
    while let Some(result) = running.join_next().await {
        note(result.map_err(Failure::usage)?)?;
    }
    Ok(())
}
