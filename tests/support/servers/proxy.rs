//! A proxy to a server that fails on request.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The behaviour of the proxy from now on, for new and for existing connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// No program listens, and all connections are reset.
    Refuse,
    /// All input is read, and no output is sent.
    BlackHole,
    /// The same for existing connections, as with a firewall that has forgotten them; new
    /// connections work.
    Forget,
    /// All data is delayed.
    Delay(Duration),
    /// The data is sent byte by byte with a pause.
    Trickle(Duration),
    /// A connection is reset after that many more bytes to the server.
    ResetRequest(usize),
    /// A connection is reset after that many more bytes from the server.
    ResetResponse(usize),
}

pub(crate) struct Proxy {
    port: u16,
    fault: watch::Sender<Fault>,
}

impl Proxy {
    /// Starts a proxy to that port of this machine.
    pub(crate) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (fault, faults) = watch::channel(Fault::None);
        tokio::spawn(listen(listener, server, faults));
        Proxy { port, fault }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

async fn listen(mut listener: TcpListener, server: u16, mut faults: watch::Receiver<Fault>) {
    let address = listener.local_addr().expect("an address");
    loop {
        if *faults.borrow_and_update() == Fault::Refuse {
            drop(listener);
            if faults
                .wait_for(|fault| *fault != Fault::Refuse)
                .await
                .is_err()
            {
                return;
            }
            listener = TcpListener::bind(address).await.expect("the same port");
        }
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                let faults = faults.clone();
                tokio::spawn(async move {
                    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await;
                    if let Ok(server) = server {
                        pump(client, server, faults).await;
                    }
                });
            }
            changed = faults.changed() => if changed.is_err() { return },
        }
    }
}

/// Transfers bytes in both directions until one side ends, or a fault ends both.
async fn pump(mut client: TcpStream, mut server: TcpStream, mut faults: watch::Receiver<Fault>) {
    let (mut request, mut response) = ([0; 16 * 1024], [0; 16 * 1024]);
    let begun = *faults.borrow_and_update();
    let to_this_one = |fault| match fault {
        Fault::Forget if begun == Fault::Forget => Fault::None,
        fault => fault,
    };
    let mut fault = to_this_one(begun);
    let (mut asked, mut answered) = (0, 0);
    while fault != Fault::Refuse {
        let carried = tokio::select! {
            changed = faults.changed() => changed.is_ok(),
            read = client.read(&mut request) => {
                let limit = match fault {
                    Fault::ResetRequest(limit) => Some(limit),
                    _ => None,
                };
                carry(read.map(|length| &request[..length]), &mut server, fault, limit, &mut asked).await
            }
            read = server.read(&mut response) => {
                let limit = match fault {
                    Fault::ResetResponse(limit) => Some(limit),
                    _ => None,
                };
                carry(read.map(|length| &response[..length]), &mut client, fault, limit, &mut answered).await
            }
        };
        if !carried {
            break;
        }
        let now = to_this_one(*faults.borrow_and_update());
        if now != fault {
            (fault, asked, answered) = (now, 0, 0);
        }
    }
    for side in [&client, &server] {
        let _ = side.set_zero_linger(); // a reset instead of an end
    }
}

/// Returns whether the connection continues.
async fn carry(
    read: std::io::Result<&[u8]>,
    to: &mut TcpStream,
    fault: Fault,
    limit: Option<usize>,
    count: &mut usize,
) -> bool {
    let Ok(bytes) = read else { return false };
    if bytes.is_empty() {
        return false;
    }
    match fault {
        Fault::BlackHole | Fault::Forget => return true,
        Fault::Delay(time) => tokio::time::sleep(time).await,
        Fault::Trickle(time) => {
            for byte in bytes {
                tokio::time::sleep(time).await;
                if to.write_all(&[*byte]).await.is_err() {
                    return false;
                }
            }
            return true;
        }
        _ => {}
    }
    let left = limit.map_or(usize::MAX, |limit| limit - *count);
    let passed = &bytes[..bytes.len().min(left)];
    *count += passed.len();
    to.write_all(passed).await.is_ok() && (left > bytes.len() || limit.is_none())
}
