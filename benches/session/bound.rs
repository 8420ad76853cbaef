//! A session that is bound to a device, compared with the same session unbound: the cost of the bound
//! cookie for each request.

use std::convert::Infallible;

use http::header::COOKIE;
use http::{HeaderValue, Request, Response};
use silverback::session::binding::{Binding, BindingOptions, EndpointRequest};
use silverback::session::testing::Jar;
use silverback::session::{CookieStore, Sessions, Stores};
use silverback::web::tower::SessionLayer;
use tower_layer::Layer;
use tower_service::Service;

use crate::device::{Device, quoted};
use crate::support::{OURS, Operation, Workload};
use crate::with_tower::{Answer, Handler, answer};
use crate::{BARE, PEER, at_once, store};

fn bound_store() -> CookieStore {
    let binding = BindingOptions::new("/session").unwrap();
    store().binding(binding).unwrap()
}

/// Logs in, and returns the cookies, with those of a registration if `is_bound` is true.
fn cookies(store: &CookieStore, is_bound: bool) -> String {
    let mut jar = Jar::new();
    let sessions = jar.sessions(store.clone());
    assert!(sessions.binding_endpoint().is_none());
    at_once(sessions.session()).unwrap().login("ape").unwrap();
    let fields = at_once(sessions.finish()).unwrap().unwrap();
    jar.receive_all(fields.set_cookies());
    if is_bound {
        let challenge = quoted(&fields.others()[0].1, "challenge");
        let proof = Device::new(1).registration(&challenge);
        let stores = Stores::from(store.clone());
        let cookie = jar.cookie();
        let path = "/session/registration";
        let sessions = Sessions::of_request(&stores, [cookie.as_bytes()], None, path);
        let request = EndpointRequest::new("POST", |name| match name {
            "secure-session-response" => Some(proof.as_str()),
            _ => None,
        });
        let answered = at_once(sessions.binding_endpoint().unwrap().answer(&request)).unwrap();
        let fields = at_once(sessions.finish()).unwrap().unwrap();
        jar.receive_all(fields.set_cookies());
        let set = answered
            .fields()
            .iter()
            .filter(|(name, _)| *name == "set-cookie");
        jar.receive_all(set.map(|(_, value)| value));
    }
    jar.cookie()
}

fn read(request: Request<()>) -> Answer {
    Box::pin(async move {
        let sessions: &Sessions = request.extensions().get().unwrap();
        let session = sessions.session().await.unwrap();
        assert!(matches!(
            session.binding(),
            Binding::Bound | Binding::Unbound
        ));
        Ok(Response::new(session.owner().unwrap()))
    })
}

fn operation<S>(mut service: S, cookie: &str) -> Operation
where
    S: Service<Request<()>, Response = Response<String>, Error = Infallible> + 'static,
{
    let cookie = HeaderValue::from_str(cookie).unwrap();
    Box::new(move || {
        let mut request = Request::new(());
        request.headers_mut().insert(COOKIE, cookie.clone());
        at_once(service.call(request)).unwrap().headers().len()
    })
}

pub(crate) fn workloads() -> Vec<Workload> {
    let store = bound_store();
    let layer = SessionLayer::new(store.clone());
    let [bound, unbound] = [true, false].map(|is_bound| cookies(&store, is_bound));
    vec![Workload {
        name: "tower, a bound session is read (peer: the same session, unbound)".to_owned(),
        contenders: vec![
            (BARE, operation(Handler(answer), &bound)),
            (OURS, operation(layer.layer(Handler(read)), &bound)),
            (PEER, operation(layer.layer(Handler(read)), &unbound)),
        ],
    }]
}
