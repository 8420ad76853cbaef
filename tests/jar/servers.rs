//! The ways to hold sealed cookies in a web framework, each served on a free port of loopback.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use silverback::codec::{Codec, Codecs, KeyPair, UnixTime};

use super::client::{Browser, Response};
use super::handlers;

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());

/// The keys of the servers, and of a stranger.
pub(crate) struct Keys {
    pub(crate) current: KeyPair,
    pub(crate) old: KeyPair,
    pub(crate) strange: KeyPair,
}

pub(crate) static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    current: KeyPair::generate().unwrap(),
    old: KeyPair::generate().unwrap(),
    strange: KeyPair::generate().unwrap(),
});

/// Returns the codec of the servers.
pub(crate) fn codecs() -> Codecs {
    Codecs::from_pairs([KEYS.current.clone(), KEYS.old.clone()]).unwrap()
}

/// Returns a cookie's text, sealed with `keys` so long ago.
pub(crate) fn sealed(keys: &KeyPair, name: &str, value: &str, age: Duration) -> String {
    let codecs = Codecs::from_pairs([keys.clone()]).unwrap();
    let date = UnixTime::from_secs(UnixTime::now().as_secs() - age.as_secs());
    codecs.encode_at(name, value, date).unwrap()
}

/// A way to hold sealed cookies, in the order of the table's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// axum-extra's `CookieJar`.
    AxumExtra,
    /// axum's extractor `SealedCookies`.
    AxumSealed,
    /// actix-web's `HttpRequest::cookie` and `HttpResponseBuilder::cookie`.
    Actix,
    /// actix-web's extractor `SealedCookies`.
    ActixSealed,
}

pub(crate) const WAYS: [Way; 4] = [
    Way::AxumExtra,
    Way::AxumSealed,
    Way::Actix,
    Way::ActixSealed,
];

impl Way {
    /// Returns the prefix of the paths of its handlers.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Way::AxumExtra | Way::Actix => "/own",
            Way::AxumSealed | Way::ActixSealed => "/sealed",
        }
    }

    /// Requests an action on the cookie of that name, with exactly these Cookie fields.
    pub(crate) fn ask(self, action: &str, name: &str, value: &str, cookies: &[String]) -> Response {
        static AXUM: LazyLock<SocketAddr> = LazyLock::new(serve_with_axum);
        static ACTIX: LazyLock<SocketAddr> = LazyLock::new(serve_with_actix);
        let address = match self {
            Way::AxumExtra | Way::AxumSealed => *AXUM,
            Way::Actix | Way::ActixSealed => *ACTIX,
        };
        let [name, value] =
            [name, value].map(|text| base16ct::lower::encode_string(text.as_bytes()));
        let arguments = [("x-name", name.as_str()), ("x-value", value.as_str())];
        let cookies = cookies.iter().map(|cookie| ("cookie", cookie.as_str()));
        let path = format!("{}/{action}", self.prefix());
        Browser::new(&address.to_string()).get_with(&path, arguments.into_iter().chain(cookies))
    }

    /// Returns what the server says of the cookie.
    pub(crate) fn get(self, name: &str, cookies: &[String]) -> String {
        let response = self.ask("get", name, "", cookies);
        assert_eq!(response.status, 200);
        response.body
    }
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn serve_with_axum() -> SocketAddr {
    let (listener, address) = listen();
    listener.set_nonblocking(true).unwrap();
    RUNTIME.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let app = handlers::axum_routes().with_state(codecs());
        axum::serve(listener, app).await.unwrap();
    });
    address
}

fn serve_with_actix() -> SocketAddr {
    let (listener, address) = listen();
    let codecs = Arc::new(codecs());
    let app = move || {
        let codecs = actix_web::web::Data::from(codecs.clone());
        actix_web::App::new()
            .app_data(codecs)
            .configure(handlers::actix_routes)
    };
    std::thread::spawn(move || {
        let server = actix_web::HttpServer::new(app).workers(1).disable_signals();
        let server = server.listen(listener).unwrap().run();
        actix_web::rt::System::new().block_on(server).unwrap();
    });
    address
}
