//! A web application to open in a browser: log in, look at the cookie, rotate the keys under a
//! living session, tamper with the cookie, log out. The session is kept in the cookie, so there
//! is no server and no database to set up.
//!
//! `cargo demo`, then <http://127.0.0.1:3000>
//!
//! With `cargo demo --features https -- --https` the session is bound to the device, in browsers that
//! can do so.
//!
//! With `cargo demo -- --store files:target/demo` the session is kept in a store and the cookie
//! holds its ID. The application then has a page that lists a user's devices and logs them out.
//!
//! | file | contents |
//! |---|---|
//! | `main.rs` | the command line |
//! | `listen.rs` | the port |
//! | `https.rs` | HTTPS with a certificate of one run |
//! | `app.rs` | the stores, the routes and their handlers |
//! | `devices.rs` | the page of a user's devices |
//! | `keys.rs` | keys that rotate while they are in use |
//! | `cookie.rs` | the cookie of a request and of its response, taken apart |
//! | `view.rs`, `cookie_view.rs`, `style.css` | the pages |

mod app;
mod cookie;
mod cookie_view;
mod devices;
#[cfg(feature = "https")]
mod https;
mod keys;
mod listen;
mod view;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use silverback::backend::{self, Cleanup};

pub(crate) use app::{Transport, app};
pub(crate) use keys::Keys;
use listen::USUAL_PORT;

const HELP: &str = "\
Shows how sessions in cookies work: log in, look at the cookie, rotate its keys, tamper with it.

Usage: cargo demo [--features STORE,https] [-- [PORT] [--store URL] [--https]]

PORT    The port on 127.0.0.1. Without it: 3000, or the next one that is free. 0: any free port.
--store Keeps sessions in a store and only their ID in the cookie:
        files:target/demo         a folder
        sqlite:target/demo.sqlite a file (--features sqlite)
        postgres://..             a server (--features postgres)
        mysql://..                a server (--features mysql)
        redis://..                a server (--features redis)
        etcd://..                 a server (--features etcd)
        dynamodb:TABLE            a server (--features aws)
--https Serves https://localhost with a certificate of this run (--features https). Browsers that
        can bind sessions to a device do so: the program prints how to start one.

The keys are read from the variable SILVERBACK_KEYS. Without it they are new at each start, and
sessions of an earlier run do not open. Keys that the page adds are lost when the program ends.";

/// How often expired sessions are purged from the store.
const CLEANUP: Duration = Duration::from_secs(300);

#[derive(Debug, PartialEq)]
struct Arguments {
    port: u16,
    store: Option<String>,
    transport: Transport,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if given.iter().any(|argument| argument == "--help") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let Some(arguments) = parse(given) else {
        eprintln!("{HELP}");
        return ExitCode::from(2);
    };
    match serve(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns what the arguments say, or `None` if they are not understood.
fn parse(given: Vec<String>) -> Option<Arguments> {
    let (mut port, mut store, mut transport) = (USUAL_PORT, None, Transport::Http);
    let mut given = given.into_iter();
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--store" => store = Some(given.next()?),
            "--https" => transport = Transport::Https,
            number => port = number.parse().ok()?,
        }
    }
    Some(Arguments {
        port,
        store,
        transport,
    })
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    // The log shows why a session failed or a cookie was refused.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let backend = match &arguments.store {
        Some(url) => Some(backend::connect(url).await?),
        None => None,
    };
    let on_error = |error: &backend::Error| eprintln!("expired sessions are not purged: {error}");
    let _cleanup = backend
        .clone()
        .map(|backend| Cleanup::every(CLEANUP, backend, on_error));
    if backend.is_some() && !Keys::are_in_env() {
        println!("the keys are new: sessions of an earlier run do not open");
    }
    let app = app(Keys::from_env()?, backend, arguments.transport)?;
    let listener = listen::bind(arguments.port).await?;
    match arguments.transport {
        Transport::Http => {
            println!("open http://{} (Ctrl-C ends it)", listener.local_addr()?);
            axum::serve(listener, app).await?;
        }
        Transport::Https => serve_https(listener, app).await?,
    }
    Ok(())
}

#[cfg(feature = "https")]
async fn serve_https(
    listener: tokio::net::TcpListener,
    app: axum::Router,
) -> Result<(), Box<dyn Error>> {
    let port = listener.local_addr()?.port();
    let listener = https::HttpsListener::new(listener)?;
    let hash = &listener.key_hash;
    println!(
        "open https://localhost:{port} (Ctrl-C ends it). The certificate is of this run, so the \
         browser warns.\nTo bind sessions to the device, without a TPM and without the warning:\n\
         chromium --user-data-dir=/tmp/demo-profile \
         --ignore-certificate-errors-spki-list={hash} --enable-features=DeviceBoundSessions:\
         RequireOriginTrialTokens/false/RefreshQuota/false,\
         EnableBoundSessionCredentialsSoftwareKeysForManualTesting https://localhost:{port}"
    );
    axum::serve(listener, app).await?;
    Ok(())
}

#[cfg(not(feature = "https"))]
async fn serve_https(_: tokio::net::TcpListener, _: axum::Router) -> Result<(), Box<dyn Error>> {
    Err("this program was built without HTTPS: run `cargo demo --features https -- --https`".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Option<Arguments> {
        parse(line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn port_and_store_come_in_any_order() {
        let port = 8080;
        let store = Some("files:target/demo".to_owned());
        let both = Some(Arguments {
            port,
            store,
            transport: Transport::Http,
        });
        assert_eq!(parsed("8080 --store files:target/demo"), both);
        assert_eq!(parsed("--store files:target/demo 8080"), both);
        let usual = |transport| {
            Some(Arguments {
                port: 3000,
                store: None,
                transport,
            })
        };
        assert_eq!(parsed(""), usual(Transport::Http));
        assert_eq!(parsed("--https"), usual(Transport::Https));
    }

    #[test]
    fn other_arguments_are_not_understood() {
        for line in ["--store", "files:target/demo", "65536", "-1", "--port 80"] {
            assert_eq!(parsed(line), None, "{line}");
        }
    }
}
