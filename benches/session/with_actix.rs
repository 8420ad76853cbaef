//! An actix-web application: bare, with Silverback's middleware, and with actix-session's.

use actix_session::SessionMiddleware as TheirMiddleware;
use actix_session::storage::CookieSessionStore;
use actix_web::body::MessageBody;
use actix_web::cookie::Key;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::{App, Error, HttpResponse, test, web};
use silverback::session::Session;
use silverback::web::actix::SessionMiddleware;

use crate::support::{OURS, Operation, Workload};
use crate::{BARE, PEER, Use, VALUES, at_once, store};

async fn answer() -> HttpResponse {
    HttpResponse::new(actix_web::http::StatusCode::OK)
}

async fn our_first(session: Session) -> HttpResponse {
    session.insert("visits", 7).unwrap();
    for (key, value) in VALUES {
        session.insert(key, value).unwrap();
    }
    answer().await
}

async fn our_read(session: Session) -> HttpResponse {
    assert_eq!(session.get::<u64>("visits").unwrap(), Some(7));
    answer().await
}

async fn our_write(session: Session) -> HttpResponse {
    session
        .update("visits", |visits: &mut u64| *visits += 1)
        .unwrap();
    answer().await
}

async fn their_first(session: actix_session::Session) -> HttpResponse {
    session.insert("visits", 7).unwrap();
    for (key, value) in VALUES {
        session.insert(key, value).unwrap();
    }
    answer().await
}

async fn their_read(session: actix_session::Session) -> HttpResponse {
    assert_eq!(session.get::<u64>("visits").unwrap(), Some(7));
    answer().await
}

async fn their_write(session: actix_session::Session) -> HttpResponse {
    let visits: u64 = session.get("visits").unwrap().unwrap();
    session.insert("visits", visits + 1).unwrap();
    answer().await
}

/// Returns a request to the route of `how`, with the cookie of the route `/first` if there is one.
fn operation<S, B>(app: S, how: Use) -> Operation
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody,
{
    let path = match how {
        Use::Untouched => "/untouched",
        Use::Read => "/read",
        Use::Write => "/write",
    };
    let first = test::TestRequest::with_uri("/first").to_request();
    let first = at_once(app.call(first)).unwrap();
    let cookie = first.headers().get("set-cookie").map(|set_cookie| {
        let pair = set_cookie.to_str().unwrap().split(';').next();
        pair.unwrap().to_owned()
    });
    let cookie = cookie.unwrap_or_else(|| format!("id={}", "x".repeat(300)));
    Box::new(move || {
        let request = test::TestRequest::with_uri(path).insert_header(("cookie", cookie.as_str()));
        at_once(app.call(request.to_request()))
            .unwrap()
            .headers()
            .len()
    })
}

pub(crate) fn workloads() -> Vec<Workload> {
    let workload = |how| {
        let bare = App::new()
            .route("/first", web::get().to(answer))
            .route("/untouched", web::get().to(answer))
            .route("/read", web::get().to(answer))
            .route("/write", web::get().to(answer));
        let ours = App::new()
            .wrap(SessionMiddleware::new(store()))
            .route("/first", web::get().to(our_first))
            .route("/untouched", web::get().to(answer))
            .route("/read", web::get().to(our_read))
            .route("/write", web::get().to(our_write));
        let peer = TheirMiddleware::new(CookieSessionStore::default(), Key::from(&[7; 64]));
        let theirs = App::new()
            .wrap(peer)
            .route("/first", web::get().to(their_first))
            .route("/untouched", web::get().to(answer))
            .route("/read", web::get().to(their_read))
            .route("/write", web::get().to(their_write));
        Workload {
            name: format!("actix, {how:?} (peer: actix-session)"),
            contenders: vec![
                (BARE, operation(at_once(test::init_service(bare)), how)),
                (OURS, operation(at_once(test::init_service(ours)), how)),
                (PEER, operation(at_once(test::init_service(theirs)), how)),
            ],
        }
    };
    Use::ALL.map(workload).into()
}
