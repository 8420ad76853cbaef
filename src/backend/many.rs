//! Loading many records from a server that has no request for that.

use tokio::task::JoinSet;

use super::error::of_one;
use super::{Backend, Error, Key, Stored};

/// The number of records that are loaded at the same time.
const AT_ONCE: usize = 64;

/// Loads several records at the same time, over a connection that sends them together.
pub(super) async fn concurrently<B: Backend + Clone>(
    backend: &B,
    keys: &[Key],
) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
    let mut tasks = JoinSet::new();
    let size = keys.len().div_ceil(AT_ONCE).max(1);
    for (number, part) in keys.chunks(size).enumerate() {
        let (backend, part) = (backend.clone(), part.to_vec());
        tasks.spawn(async move {
            let mut loaded = Vec::with_capacity(part.len());
            for key in &part {
                loaded.push(of_one(backend.load(key).await)?);
            }
            Ok((number, loaded))
        });
    }
    let mut parts = Vec::with_capacity(tasks.len());
    while let Some(done) = tasks.join_next().await {
        let cut_off = |error| Error::unavailable("a load was cut off").with_source(error);
        parts.push(done.map_err(cut_off)??);
    }
    parts.sort_unstable_by_key(|(number, _)| *number);
    Ok(parts.into_iter().flat_map(|(_, part)| part).collect())
}
