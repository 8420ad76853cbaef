//! A web site for a test: routes are closures over the request's sessions, and axum or actix-web
//! serves them on a free port of loopback.

use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use actix_web::middleware::Condition;
use axum::body::Body;
use silverback::session::{Error, Sessions, Stores};
use silverback::web::actix::SessionMiddleware;
#[cfg(feature = "dbsc")]
use silverback::web::binding::BindingEndpoints;
use silverback::web::tower::SessionLayer;

use super::client::Browser;
use super::frameworks;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Framework {
    Axum,
    Actix,
}

/// The answer of a route: a body, and perhaps fields and another status.
#[derive(Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(&'static str, &'static str)>,
    pub(crate) body: String,
    pub(crate) is_public: bool,
}

impl<S: ToString> From<S> for Reply {
    fn from(body: S) -> Self {
        Reply {
            status: 200,
            body: body.to_string(),
            fields: Vec::new(),
            is_public: false,
        }
    }
}

impl Reply {
    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.fields.push((name, value));
        self
    }

    /// Returns the same reply, declared public.
    pub(crate) fn public(mut self) -> Self {
        self.is_public = true;
        self
    }
}

pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;
pub(crate) type Route = Arc<dyn Fn(Sessions) -> Answer + Send + Sync>;

/// A site that is not served yet.
pub(crate) struct Site {
    pub(crate) stores: Stores,
    pub(crate) routes: Vec<(&'static str, Route)>,
    /// The body of the page for a session error, if it is not the default page. `{path}` stands for
    /// the path of the request.
    pub(crate) error_page: Option<&'static str>,
    /// The stores of the inner layers, two at most, the outer one first.
    pub(crate) within: Vec<Stores>,
}

impl Site {
    pub(crate) fn new(stores: impl Into<Stores>) -> Self {
        Site {
            stores: stores.into(),
            routes: Vec::new(),
            error_page: None,
            within: Vec::new(),
        }
    }

    pub(crate) fn on<F, A, R>(mut self, path: &'static str, answer: F) -> Self
    where
        F: Fn(Sessions) -> A + Send + Sync + 'static,
        A: Future<Output = Result<R, Error>> + Send + 'static,
        R: Into<Reply>,
    {
        let route = move |sessions| {
            let answer = answer(sessions);
            Box::pin(async move { Ok(answer.await?.into()) }) as Answer
        };
        self.routes.push((path, Arc::new(route)));
        self
    }

    pub(crate) fn error_page(mut self, body: &'static str) -> Self {
        self.error_page = Some(body);
        self
    }

    pub(crate) fn with_layer_within(mut self, stores: impl Into<Stores>) -> Self {
        self.within.push(stores.into());
        self
    }

    /// Serves the site until the tests end, and returns a browser for it.
    pub(crate) fn browse(self, framework: Framework) -> Browser {
        Browser::new(&self.serve(framework).to_string())
    }

    pub(crate) fn serve(self, framework: Framework) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let site = Arc::new(self);
        match framework {
            Framework::Axum => serve_with_axum(listener, site),
            Framework::Actix => serve_with_actix(listener, site),
        }
        address
    }

    pub(crate) fn route(&self, path: &str) -> Option<Route> {
        let found = self.routes.iter().find(|(of, _)| *of == path);
        found.map(|(_, route)| route.clone())
    }
}

pub(crate) static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());

fn axum_layer(stores: Stores, error_page: Option<&'static str>) -> SessionLayer<Body> {
    let layer = SessionLayer::new(stores);
    let Some(page) = error_page else {
        return layer;
    };
    layer.on_error(move |error, request| {
        assert!(request.headers.contains_key("host"));
        let page = page.replace("{path}", request.uri.path());
        let mut response = axum::response::Response::new(Body::from(page));
        *response.status_mut() = error.status().try_into().unwrap();
        let kept = "max-age=600".try_into().unwrap();
        response.headers_mut().insert("cdn-cache-control", kept);
        response
    })
}

fn serve_with_axum(listener: TcpListener, site: Arc<Site>) {
    let mut app = frameworks::axum_routes(site.clone());
    for stores in site.within.iter().rev() {
        app = app.layer(axum_layer(stores.clone(), site.error_page));
    }
    #[cfg(feature = "dbsc")]
    let app = app.layer(BindingEndpoints);
    let app = app.layer(axum_layer(site.stores.clone(), site.error_page));
    listener.set_nonblocking(true).unwrap();
    RUNTIME.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        axum::serve(listener, app).await.unwrap();
    });
}

fn actix_middleware(stores: Stores, error_page: Option<&'static str>) -> SessionMiddleware {
    let middleware = SessionMiddleware::new(stores);
    let Some(page) = error_page else {
        return middleware;
    };
    middleware.on_error(move |error, request| {
        assert!(request.headers.contains_key("host"));
        let page = page.replace("{path}", request.uri.path());
        let status = error.status().try_into().unwrap();
        actix_web::HttpResponse::build(status)
            .insert_header(("cdn-cache-control", "max-age=600"))
            .body(page)
    })
}

fn serve_with_actix(listener: TcpListener, site: Arc<Site>) {
    let app = move || {
        let of = |stores: &Stores| actix_middleware(stores.clone(), site.error_page);
        let within = |place: usize| match site.within.get(place) {
            Some(stores) => Condition::new(true, of(stores)),
            None => Condition::new(false, of(&site.stores)),
        };
        let app = actix_web::App::new().wrap(within(1)).wrap(within(0));
        #[cfg(feature = "dbsc")]
        let app = app.wrap(BindingEndpoints);
        let app = app.wrap(of(&site.stores));
        app.configure(|config| frameworks::actix_routes(config, site.clone()))
    };
    std::thread::spawn(move || {
        let server = actix_web::HttpServer::new(app).workers(2).disable_signals();
        let server = server.listen(listener).unwrap().run();
        actix_web::rt::System::new().block_on(server).unwrap();
    });
}
