//! A tower service: bare, with Silverback's layer, and with that of tower-sessions.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Request, Response};
use silverback::session::Sessions;
use silverback::web::tower::SessionLayer;
use tower_layer::Layer;
use tower_service::Service;
use tower_sessions::{MemoryStore, SessionManagerLayer};

use crate::support::{OURS, Operation, Workload};
use crate::{BARE, PEER, Use, VALUES, at_once, store};

pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>> + Send>>;

/// A service that uses a session of one library, or no session.
#[derive(Clone)]
pub(crate) struct Handler(pub(crate) fn(Request<()>) -> Answer);

impl Service<Request<()>> for Handler {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Answer {
        self.0(request)
    }
}

pub(crate) fn answer(_: Request<()>) -> Answer {
    Box::pin(async { Ok(Response::new(String::new())) })
}

fn ours(how: Use) -> Handler {
    Handler(match how {
        Use::Untouched => answer,
        Use::Read => |request| {
            Box::pin(async move {
                let sessions: &Sessions = request.extensions().get().unwrap();
                let session = sessions.session().await.unwrap();
                assert_eq!(session.get::<u64>("visits").unwrap(), Some(7));
                Ok(Response::new(String::new()))
            })
        },
        Use::Write => |request| {
            Box::pin(async move {
                let sessions: &Sessions = request.extensions().get().unwrap();
                let session = sessions.session().await.unwrap();
                session
                    .update("visits", |visits: &mut u64| *visits += 1)
                    .unwrap();
                Ok(Response::new(String::new()))
            })
        },
    })
}

fn theirs(how: Use) -> Handler {
    Handler(match how {
        Use::Untouched => answer,
        Use::Read => |request| {
            Box::pin(async move {
                let session: &tower_sessions::Session = request.extensions().get().unwrap();
                // The memory store is shared, so the value of the writer is also found.
                assert!(session.get::<u64>("visits").await.unwrap() >= Some(7));
                Ok(Response::new(String::new()))
            })
        },
        Use::Write => |request| {
            Box::pin(async move {
                let session: &tower_sessions::Session = request.extensions().get().unwrap();
                let visits: Option<u64> = session.get("visits").await.unwrap();
                let visits = visits.unwrap() + 1;
                session.insert("visits", visits).await.unwrap();
                Ok(Response::new(String::new()))
            })
        },
    })
}

fn our_first(request: Request<()>) -> Answer {
    Box::pin(async move {
        let sessions: &Sessions = request.extensions().get().unwrap();
        let session = sessions.session().await.unwrap();
        session.insert("visits", 7).unwrap();
        for (key, value) in VALUES {
            session.insert(key, value).unwrap();
        }
        Ok(Response::new(String::new()))
    })
}

fn their_first(request: Request<()>) -> Answer {
    Box::pin(async move {
        let session: &tower_sessions::Session = request.extensions().get().unwrap();
        session.insert("visits", 7).await.unwrap();
        for (key, value) in VALUES {
            session.insert(key, value).await.unwrap();
        }
        Ok(Response::new(String::new()))
    })
}

fn request(cookie: Option<&HeaderValue>) -> Request<()> {
    let mut request = Request::new(());
    if let Some(cookie) = cookie {
        request.headers_mut().insert(COOKIE, cookie.clone());
    }
    request
}

/// Returns the cookie that the first response sets.
fn cookie(mut first: impl Service<Request<()>, Response = Response<String>>) -> HeaderValue {
    let response = at_once(first.call(request(None))).ok().unwrap();
    let set_cookie = response.headers()[SET_COOKIE].to_str().unwrap();
    HeaderValue::from_str(set_cookie.split(';').next().unwrap()).unwrap()
}

fn operation<S>(mut service: S, cookie: HeaderValue) -> Operation
where
    S: Service<Request<()>, Response = Response<String>, Error: std::fmt::Debug> + 'static,
{
    Box::new(move || {
        at_once(service.call(request(Some(&cookie))))
            .unwrap()
            .headers()
            .len()
    })
}

pub(crate) fn workloads() -> Vec<Workload> {
    let workload = |how| {
        let (layer, peer) = (
            SessionLayer::new(store()),
            SessionManagerLayer::new(MemoryStore::default()),
        );
        let ours_cookie = cookie(layer.layer(Handler(our_first)));
        let peers_cookie = cookie(peer.layer(Handler(their_first)));
        Workload {
            name: format!("tower, {how:?} (peer: tower-sessions)"),
            contenders: vec![
                (BARE, operation(Handler(answer), ours_cookie.clone())),
                (OURS, operation(layer.layer(ours(how)), ours_cookie)),
                (PEER, operation(peer.layer(theirs(how)), peers_cookie)),
            ],
        }
    };
    Use::ALL.map(workload).into()
}
