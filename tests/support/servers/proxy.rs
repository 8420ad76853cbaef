//! A way to a server that breaks as it is told to.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the way does from now on, to new connections and to those that stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Nobody listens, and all connections are reset.
    Refuse,
    /// Everything is taken, and nothing comes out.
    BlackHole,
    /// As a black hole for connections that stand, as a firewall is that forgot them; not for
    /// new ones.
    Forget,
    /// Everything comes so much later.
    Delay(Duration),
    /// A byte comes out at a time, so long after the one before.
    Trickle(Duration),
    /// A connection is reset when so many bytes more have gone to the server.
    ResetRequest(usize),
    /// A connection is reset when so many bytes more have come from the server.
    ResetResponse(usize),
}

pub(crate) struct Proxy {
    port: u16,
    fault: watch::Sender<Fault>,
}

impl Proxy {
    /// A way to that port of this machine.
    pub(crate) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (fault, told) = watch::channel(Fault::None);
        tokio::spawn(listen(listener, server, told));
        Proxy { port, fault }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

async fn listen(mut listener: TcpListener, server: u16, mut told: watch::Receiver<Fault>) {
    let address = listener.local_addr().expect("an address");
    loop {
        if *told.borrow_and_update() == Fault::Refuse {
            drop(listener);
            if told
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
                let told = told.clone();
                tokio::spawn(async move {
                    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await;
                    if let Ok(server) = server {
                        pump(client, server, told).await;
                    }
                });
            }
            changed = told.changed() => if changed.is_err() { return },
        }
    }
}

/// Carries bytes both ways until one side ends, or a fault ends both.
async fn pump(mut client: TcpStream, mut server: TcpStream, mut told: watch::Receiver<Fault>) {
    let (mut request, mut response) = ([0; 16 * 1024], [0; 16 * 1024]);
    let begun = *told.borrow_and_update();
    let to_this_one = |fault| match fault {
        Fault::Forget if begun == Fault::Forget => Fault::None,
        fault => fault,
    };
    let mut fault = to_this_one(begun);
    let (mut asked, mut answered) = (0, 0);
    while fault != Fault::Refuse {
        let carried = tokio::select! {
            changed = told.changed() => changed.is_ok(),
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
        let now = to_this_one(*told.borrow_and_update());
        if now != fault {
            (fault, asked, answered) = (now, 0, 0);
        }
    }
    for side in [&client, &server] {
        let _ = side.set_zero_linger(); // a reset, and no end
    }
}

/// Whether the connection goes on.
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
