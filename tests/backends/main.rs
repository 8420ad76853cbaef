//! The laws of a backend, tested on each backend: there is a named test for each backend and law.
//! For backends that keep records on a disk, there are also tests of killed processes and of syncs.
//!
//! A test that cannot run is ignored, with the reason. If `SILVERBACK_REQUIRE` names the backend,
//! it fails instead.

mod candidates;
#[cfg(any(feature = "etcd", feature = "redis"))]
mod counter;
#[cfg(any(
    feature = "etcd",
    feature = "postgres",
    feature = "mysql",
    feature = "redis"
))]
mod crash;
#[cfg(unix)]
mod disk;
#[cfg(feature = "aws")]
mod dynamodb;
#[cfg(any(
    feature = "aws",
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "sqlite",
    feature = "redis",
    feature = "memcached",
    feature = "etcd"
))]
mod encoded;
#[cfg(feature = "etcd")]
mod etcd;
mod exact_expiry;
#[cfg(any(
    feature = "aws",
    feature = "etcd",
    feature = "postgres",
    feature = "mysql",
    feature = "redis",
    feature = "memcached"
))]
mod faults;
#[cfg(feature = "memcached")]
mod memcached;
#[cfg(feature = "mssql")]
mod mssql;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(any(feature = "etcd", feature = "postgres", feature = "mysql"))]
mod operations;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[path = "../support/required.rs"]
mod required;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod server_clock;
#[cfg(any(
    feature = "aws",
    feature = "etcd",
    feature = "postgres",
    feature = "mysql",
    feature = "redis",
    feature = "memcached"
))]
#[path = "../support/servers/mod.rs"]
mod servers;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use silverback::backend::conformance::{KeySpace, Law};
use tokio::runtime::Runtime;

use candidates::Candidate;

fn main() -> ExitCode {
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    #[cfg(unix)]
    if disk::is_writer(&runtime) {
        return ExitCode::SUCCESS;
    }
    let mut trials = Vec::new();
    let candidates: Vec<_> = candidates::all().into_iter().map(Arc::new).collect();
    for candidate in &candidates {
        for law in candidate.laws() {
            let (runtime, candidate) = (runtime.clone(), candidate.clone());
            let name = format!("{}::{}", candidate.name, law.name);
            let run = move || runtime.block_on(check_law(law, &candidate));
            trials.push(Trial::ignorable_test(name, run));
        }
    }
    assert!(trials.len() >= 20, "there are too few trials");
    trials.extend(exact_expiry::trials(&runtime, &candidates));
    #[cfg(unix)]
    trials.extend(disk::trials(&runtime));
    #[cfg(feature = "mysql")]
    trials.extend(mysql::trials(&runtime));
    #[cfg(feature = "postgres")]
    trials.extend(postgres::trials(&runtime));
    #[cfg(feature = "memcached")]
    trials.extend(memcached::trials(&runtime));
    #[cfg(feature = "redis")]
    trials.extend(redis::trials(&runtime));
    #[cfg(feature = "aws")]
    trials.extend(dynamodb::trials(&runtime));
    #[cfg(feature = "etcd")]
    trials.extend(etcd::trials(&runtime));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

async fn check_law(law: &Law, candidate: &Candidate) -> Result<Completion, Failed> {
    let name = candidate.name;
    let backend = match candidate.backend().await {
        Ok(backend) => backend,
        Err(why) => return missing_server(candidate.requirement, why),
    };
    if !law.applies_to(&*backend) {
        let why = format!(
            "{name} does not support what the law needs: {:?}",
            law.needs
        );
        return Ok(Completion::ignored_with(why));
    }
    if let Some(why) = candidate.exception(law.name) {
        return Ok(Completion::ignored_with(why));
    }
    (law.run)(backend, KeySpace::new()?).await;
    Ok(Completion::Completed)
}

/// The result of a trial on a server.
#[cfg(any(
    feature = "aws",
    feature = "etcd",
    feature = "postgres",
    feature = "mysql",
    feature = "redis",
    feature = "memcached"
))]
type Tried = Result<(), Failed>;

/// Returns the result of a trial without its server.
fn missing_server(server: &str, why: String) -> Result<Completion, Failed> {
    match required::is_required(server) {
        true => Err(format!("{server} is required: {why}").into()),
        false => Ok(Completion::ignored_with(why)),
    }
}
