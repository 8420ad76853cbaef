//! The port that the application listens on, on 127.0.0.1.

use std::io::{Error, ErrorKind};

use tokio::net::TcpListener;

/// The first port to try, unless the command line names one.
pub(crate) const USUAL_PORT: u16 = 3000;

/// The number of ports to try.
const TRIES: u16 = 20;

/// Listens on `first` or, if other programs have it, on the next port that is free. Prints each
/// port that is taken.
pub(crate) async fn bind(first: u16) -> Result<TcpListener, Error> {
    let last = first.saturating_add(TRIES - 1);
    for port in first..=last {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                println!("port {port} is taken by another program: trying the next one");
            }
            Err(error) => {
                return Err(Error::new(
                    error.kind(),
                    format!("port {port} cannot be used: {error}"),
                ));
            }
            listener => return listener,
        }
    }
    let remedy = format!(
        "ports {first} to {last} are taken: choose another one, as in `cargo demo -- 8080` or `cargo go-migration -- 8080`"
    );
    Err(Error::new(ErrorKind::AddrInUse, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_passed_over() {
        let taken = bind(0).await.unwrap();
        let first = taken.local_addr().unwrap().port();
        let next = bind(first).await.unwrap().local_addr().unwrap().port();
        assert!(next > first && next < first.saturating_add(TRIES));
    }
}
