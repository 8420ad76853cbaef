//! The laws of a backend, tried on each backend: a named test per backend and law. Of the
//! backends that keep records on a disk also what a killed process leaves there, and that
//! acknowledged writes are synced.
//!
//! What cannot be tried is ignored, with the reason; `SILVERBACK_REQUIRE` with the backend's
//! name turns that into failure.

mod contestants;
#[cfg(unix)]
mod disk;
#[cfg(feature = "aws")]
mod dynamodb;
#[cfg(any(feature = "aws", feature = "postgres"))]
mod faults;
mod moments;
#[cfg(any(feature = "aws", feature = "postgres"))]
mod plain;
#[cfg(feature = "postgres")]
mod postgres;
#[path = "../support/required.rs"]
mod required;
#[cfg(any(feature = "aws", feature = "postgres"))]
#[path = "../support/servers/mod.rs"]
mod servers;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use silverback::backend::conformance::{KeySpace, LAWS, Law};
use tokio::runtime::Runtime;

use contestants::Contestant;

fn main() -> ExitCode {
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    #[cfg(unix)]
    if disk::is_writer(&runtime) {
        return ExitCode::SUCCESS;
    }
    let mut trials = Vec::new();
    let contestants: Vec<_> = contestants::all().into_iter().map(Arc::new).collect();
    for contestant in &contestants {
        for law in LAWS {
            let (runtime, contestant) = (runtime.clone(), contestant.clone());
            let name = format!("{}::{}", contestant.name, law.name);
            let run = move || runtime.block_on(hold(law, &contestant));
            trials.push(Trial::ignorable_test(name, run));
        }
    }
    assert!(trials.len() >= 20, "there is nothing to try");
    trials.extend(moments::trials(&runtime, &contestants));
    #[cfg(unix)]
    trials.extend(disk::trials(&runtime));
    #[cfg(feature = "postgres")]
    trials.extend(postgres::trials(&runtime));
    #[cfg(feature = "aws")]
    trials.extend(dynamodb::trials(&runtime));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

async fn hold(law: &Law, contestant: &Contestant) -> Result<Completion, Failed> {
    let name = contestant.name;
    let backend = match contestant.backend().await {
        Ok(backend) => backend,
        Err(why) => return absent(contestant.requirement, why),
    };
    if !law.applies_to(&*backend) {
        let why = format!("{name} does not have what it needs: {:?}", law.needs);
        return Ok(Completion::ignored_with(why));
    }
    (law.run)(backend, KeySpace::new()?).await;
    Ok(Completion::Completed)
}

/// What a trial finds out of a server, or that it failed.
#[cfg(any(feature = "aws", feature = "postgres"))]
type Tried = Result<(), Failed>;

/// What becomes of a trial of a server that is not there.
fn absent(server: &str, why: String) -> Result<Completion, Failed> {
    match required::is_required(server) {
        true => Err(format!("{server} is required: {why}").into()),
        false => Ok(Completion::ignored_with(why)),
    }
}
