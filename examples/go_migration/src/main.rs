//! A shop whose routes move from Go to Rust, one at a time: a Go program with gorilla/sessions or
//! scs, a Rust program with Silverback, and a proxy in front of both. They share the sessions. See
//! `README.md`.
//!
//! `cargo go-migration`, then <http://127.0.0.1:3000>
//!
//! | file | contents |
//! |---|---|
//! | `main.rs`, `arguments.rs` | the command line |
//! | `run.rs` | starts the two programs and the proxy |
//! | `app.rs`, `page.rs` | the Rust program: its handlers and its page |
//! | `storage.rs` | the stores that it shares with the Go program |
//! | `go_program.rs` | builds and starts the Go program in the folder `go` |
//! | `proxy.rs`, `routes.rs` | the proxy, and the file that says which program answers a path |
//! | `keys.rs` | the file with the keys, and the three steps of a rotation |
//! | `watched.rs` | a file that is read at each use |

mod app;
mod arguments;
mod go_program;
mod keys;
#[path = "../../demo/src/listen.rs"]
#[allow(clippy::duplicate_mod)] // the browser tests include both examples
mod listen;
mod page;
mod proxy;
mod routes;
mod run;
#[cfg(feature = "postgres")]
#[path = "../../../tests/support/servers/mod.rs"]
pub(crate) mod servers;
mod storage;
mod watched;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use arguments::{Command, HELP};
pub(crate) use keys::Step;
pub(crate) use routes::Plan;
pub(crate) use run::{Running, Settings};
pub(crate) use storage::StoreName;

/// The Go program's source code.
const GO_SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/go");

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(command) = arguments::parse(std::env::args().skip(1)) else {
        eprintln!("{HELP}");
        return ExitCode::from(2);
    };
    match carry_out(command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn carry_out(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Help => println!("{HELP}"),
        Command::Keys(folder, step) => println!("{}", rotate(&folder, step)?),
        Command::Routes(folder, plan) => println!("{}", route(&folder, plan)?),
        Command::Serve(settings) => serve(settings).await?,
    }
    Ok(())
}

/// Takes a step of a rotation, and returns its effect.
pub(crate) fn rotate(folder: &Path, step: Step) -> Result<&'static str, Box<dyn Error>> {
    keys::take(&folder.join(keys::FILE), step)
}

/// Replaces the routes of the proxy, and returns the effect.
pub(crate) fn route(folder: &Path, plan: Plan) -> Result<&'static str, Box<dyn Error>> {
    routes::write(&folder.join(routes::FILE), plan)
}

async fn serve(settings: Settings) -> Result<(), Box<dyn Error>> {
    // The log shows why a session failed or a cookie was refused.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let folder = settings.folder.clone();
    let running = Running::start(settings, Path::new(GO_SOURCE)).await?;
    println!("keys and routes are in the folder {}", folder.display());
    println!("open http://{} (Ctrl-C ends it)", running.address());
    tokio::signal::ctrl_c().await?;
    running.stop().await;
    println!("all programs have ended");
    Ok(())
}
