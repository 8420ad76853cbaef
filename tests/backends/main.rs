//! The laws of a backend, tried on each backend: a named test per backend and law.

#[cfg(feature = "files")]
mod files;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use silverback::backend::conformance::{KeySpace, LAWS, Law};
use silverback::backend::{Backend, Memory};

/// A backend's name, and how to have one. All laws of a server's run on one server, each in
/// its own key space.
type Contestant = (&'static str, fn() -> Arc<dyn Backend>);

const BACKENDS: &[Contestant] = &[
    ("memory", || Arc::new(Memory::new())),
    #[cfg(feature = "files")]
    ("files", || Arc::new(files::fresh())),
];

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let runtime = Arc::new(runtime);
    let mut trials = Vec::new();
    for (name, make) in BACKENDS.iter().copied() {
        let backend = make();
        for law in LAWS {
            let (runtime, backend) = (runtime.clone(), backend.clone());
            let run = move || runtime.block_on(hold(law, backend));
            trials.push(Trial::test(format!("{name}::{}", law.name), run));
        }
    }
    assert!(trials.len() >= 20, "there is nothing to try");
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

async fn hold(law: &Law, backend: Arc<dyn Backend>) -> Result<(), Failed> {
    (law.run)(backend, KeySpace::new()?).await;
    Ok(())
}
