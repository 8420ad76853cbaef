//! Responses that stream, upgrade, or send a 1xx status first: the session is saved with the head,
//! and does not wait for the body.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use silverback::session::{Error, Session};

use super::site::{Framework, RUNTIME, Site};
use super::support::store;

for_each_framework!(
    the_head_is_sent_before_the_stream_ends,
    an_upgrade_carries_the_session,
    a_100_continue_comes_without_cookies,
);

/// Continues the stream of `/stream` after the client has received its first half.
static GO_ON: Mutex<Vec<std::sync::mpsc::Sender<()>>> = Mutex::new(Vec::new());

/// Collects the errors of changes that were attempted while the body was sent.
static LATE: Mutex<Vec<Error>> = Mutex::new(Vec::new());

/// Returns the second half of the stream when the client has the first one.
fn second_half(session: Session) -> impl Future<Output = &'static str> + Send {
    let (sender, receiver) = std::sync::mpsc::channel();
    GO_ON.lock().unwrap().push(sender);
    async move {
        let waited = tokio::task::spawn_blocking(move || receiver.recv_timeout(WATCHDOG));
        waited
            .await
            .unwrap()
            .expect("the client received the first half");
        LATE.lock()
            .unwrap()
            .push(session.insert("late", 1).unwrap_err());
        "second half"
    }
}

const WATCHDOG: Duration = Duration::from_secs(60);

fn write(session: &Session) -> Result<(), Error> {
    session
        .update("visits", |visits: &mut u64| *visits += 1)
        .map(drop)
}

pub(crate) fn axum_routes() -> axum::Router {
    use axum::body::{Body, Bytes};
    use axum::response::Response;
    use axum::routing::{get, post};

    async fn stream(session: Session) -> Result<Response, Error> {
        write(&session)?;
        let (sender, receiver) = tokio::sync::mpsc::channel::<&'static str>(1);
        let second = second_half(session);
        tokio::spawn(async move {
            sender.send("first half, ").await.unwrap();
            sender.send(second.await).await.unwrap();
        });
        Ok(Response::new(Body::new(Parts(receiver))))
    }

    /// A body of the parts that come through a channel.
    struct Parts(tokio::sync::mpsc::Receiver<&'static str>);

    impl hyper::body::Body for Parts {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            let part = self.0.poll_recv(context);
            part.map(|part| part.map(|part| Ok(hyper::body::Frame::data(Bytes::from(part)))))
        }
    }

    async fn upgrade(session: Session, request: axum::extract::Request) -> Result<Response, Error> {
        write(&session)?;
        let upgrade = hyper::upgrade::on(request);
        tokio::spawn(async move {
            let mut connection = hyper_util::rt::TokioIo::new(upgrade.await.unwrap());
            tokio::io::AsyncWriteExt::write_all(&mut connection, b"upgraded")
                .await
                .unwrap();
        });
        let response = Response::builder()
            .status(101)
            .header("Connection", "upgrade");
        Ok(response
            .header("Upgrade", "test")
            .body(Body::empty())
            .unwrap())
    }

    async fn echo(session: Session, body: String) -> Result<String, Error> {
        write(&session)?;
        Ok(body)
    }

    axum::Router::new()
        .route("/stream", get(stream))
        .route("/upgrade", get(upgrade))
        .route("/echo", post(echo))
}

pub(crate) fn actix_routes(config: &mut actix_web::web::ServiceConfig) {
    use actix_web::body::{BodySize, MessageBody};
    use actix_web::web::{Bytes, get, post};
    use actix_web::{HttpResponse, http::StatusCode};

    /// A body of the parts that come through a channel.
    struct Parts(tokio::sync::mpsc::Receiver<&'static str>);

    impl MessageBody for Parts {
        type Error = std::convert::Infallible;

        fn size(&self) -> BodySize {
            BodySize::Stream
        }

        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Bytes, Self::Error>>> {
            let part = self.0.poll_recv(context);
            part.map(|part| part.map(|part| Ok(Bytes::from(part))))
        }
    }

    fn parts(session: Session) -> Parts {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let second = second_half(session);
        RUNTIME.spawn(async move {
            sender.send("first half, ").await.unwrap();
            sender.send(second.await).await.unwrap();
        });
        Parts(receiver)
    }

    async fn stream(session: Session) -> Result<HttpResponse, Error> {
        write(&session)?;
        Ok(HttpResponse::Ok().body(parts(session)))
    }

    async fn upgrade(session: Session) -> Result<HttpResponse, Error> {
        write(&session)?;
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        sender.try_send("upgraded").unwrap();
        let mut response = HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS);
        Ok(response.upgrade("test").body(Parts(receiver)))
    }

    async fn echo(session: Session, body: String) -> Result<String, Error> {
        write(&session)?;
        Ok(body)
    }

    config
        .route("/stream", get().to(stream))
        .route("/upgrade", get().to(upgrade))
        .route("/echo", post().to(echo));
}

/// A connection to the server.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn send(address: SocketAddr, text: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(WATCHDOG)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        Connection(BufReader::new(stream))
    }

    /// Returns the status line and fields of a response.
    fn head(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            match line.trim_end() {
                "" => return lines,
                line => lines.push(line.to_ascii_lowercase()),
            }
        }
    }
}

impl Connection {
    /// Reads up to `word`; the framing depends on the framework.
    fn read_until(&mut self, word: &str) {
        let mut text = String::new();
        while !text.contains(word) {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            text.push(char::from(byte[0]));
        }
    }
}

fn set_cookies(head: &[String]) -> usize {
    head.iter()
        .filter(|line| line.starts_with("set-cookie: __host-id="))
        .count()
}

fn the_head_is_sent_before_the_stream_ends(framework: Framework) {
    let address = Site::new(store()).serve(framework);
    let request = "GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut connection = Connection::send(address, request);
    let head = connection.head();
    assert!(head[0].contains("200"), "{head:?}");
    assert_eq!(set_cookies(&head), 1);
    assert!(head.contains(&"cache-control: no-store".to_owned()));
    connection.read_until("first half");
    for sender in GO_ON.lock().unwrap().drain(..) {
        let _ = sender.send(());
    }
    let mut rest = String::new();
    connection.0.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("second half"), "{rest}");
    let late = LATE.lock().unwrap();
    assert!(!late.is_empty() && late.iter().all(Error::is_closed));
}

fn an_upgrade_carries_the_session(framework: Framework) {
    let address = Site::new(store()).serve(framework);
    let request = "GET /upgrade HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\n\
                   Upgrade: test\r\n\r\n";
    let mut connection = Connection::send(address, request);
    let head = connection.head();
    assert!(head[0].contains("101"), "{head:?}");
    assert_eq!(set_cookies(&head), 1);
    connection.read_until("upgraded");
}

fn a_100_continue_comes_without_cookies(framework: Framework) {
    let address = Site::new(store()).serve(framework);
    let request = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\
                   Expect: 100-continue\r\n\r\n";
    let mut connection = Connection::send(address, request);
    let interim = connection.head();
    assert!(interim[0].contains("100"), "{interim:?}");
    assert_eq!(set_cookies(&interim), 0);
    connection.0.get_mut().write_all(b"body").unwrap();
    let head = connection.head();
    assert!(head[0].contains("200"), "{head:?}");
    assert_eq!(set_cookies(&head), 1);
}
