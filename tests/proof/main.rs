//! The hard laws of sessions in a server, proved by numbers: whatever two requests do to one
//! session at the same time, whatever breaks meanwhile, on every backend.
//!
//! A named trial per backend and law. `SILVERBACK_ROUNDS` says how often each is tried, 100
//! times unless said; `scripts/proof` runs the full counts.

mod cancelled;
mod dice;
mod increments;
mod lost_replies;
mod pairs;
mod perturbed;
mod requests;
#[path = "../support/scratch.rs"]
mod scratch;

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use libtest_mimic::{Arguments, Failed, Trial};
use silverback::backend::{Backend, connect};

use scratch::Scratch;

/// How often each pair is tried.
static ROUNDS: LazyLock<usize> = LazyLock::new(|| {
    let rounds = std::env::var("SILVERBACK_ROUNDS").unwrap_or_else(|_| "100".to_owned());
    rounds.parse().expect("SILVERBACK_ROUNDS is a number")
});

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().expect("a runtime"));

/// A backend's URL, if it is in this folder.
type Url = fn(&Path) -> String;

const BACKENDS: &[(&str, Url)] = &[
    ("memory", |_| "memory:".to_owned()),
    ("files", |folder| format!("files:{}", folder.display())),
    ("sqlite", |folder| {
        format!("sqlite:{}/proof.db", folder.display())
    }),
];

/// A fresh backend.
fn backend(url: Url, folder: &Path) -> Arc<dyn Backend> {
    let connected = RUNTIME.block_on(connect(&url(folder)));
    connected.expect("a backend in a folder of its own")
}

/// What is proved of a backend, and what it says at its end.
type Proof = fn(Arc<dyn Backend>) -> String;

fn trial(
    (kind, url): (&str, Url),
    name: &str,
    proof: impl Fn(Arc<dyn Backend>) -> String + Send + 'static,
) -> Trial {
    let name = format!("{kind}::{name}");
    let told = name.clone();
    Trial::test(name, move || {
        let folder = Scratch::new("SILVERBACK_PROOF_FOLDER");
        let prove = std::panic::AssertUnwindSafe(|| proof(backend(url, folder.path())));
        let said = std::panic::catch_unwind(prove);
        match said {
            Ok(said) => {
                eprintln!("{told}: {said}");
                Ok(())
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                Err(Failed::from(text.unwrap_or_default()))
            }
        }
    })
}

fn main() -> ExitCode {
    const PROOFS: &[(&str, Proof)] = &[
        ("no_increment_is_lost", increments::none_is_lost),
        (
            "a_lost_reply_does_nothing_twice",
            lost_replies::nothing_is_done_twice,
        ),
        (
            "a_cancelled_request_saves_all_or_nothing",
            cancelled::all_or_nothing,
        ),
    ];
    let mut trials = Vec::new();
    for backend in BACKENDS.iter().copied() {
        for (name, proof) in PROOFS {
            trials.push(trial(backend, name, proof));
        }
        for pair in pairs::all() {
            let name = format!("{}_against_{}", pair.0.name(), pair.1.name());
            trials.push(trial(backend, &name, move |backend| {
                pairs::through_the_store(backend, pair)
            }));
            let name = format!("{name}_through_http");
            trials.push(trial(backend, &name, move |backend| {
                pairs::through_http(backend, pair)
            }));
        }
        for pair in pairs::cut_off() {
            let name = format!("{}_cut_off_against_{}", pair.0.name(), pair.1.name());
            trials.push(trial(backend, &name, move |backend| {
                pairs::with_one_cut_off(backend, pair)
            }));
        }
    }
    assert!(trials.len() > 100, "there is nothing to prove");
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
