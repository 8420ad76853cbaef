//! [`Jar::send`]: sends a request of a test to a tower service, with the cookies of a jar.

use http::header::{COOKIE, HOST, HeaderValue, SET_COOKIE};
use http::{Request, Response};
use tower_service::Service;

use crate::session::testing::Jar;

impl Jar {
    /// Sends a request to an application, with the cookies of the jar, and stores the cookies that
    /// the response sets. `app` is a tower service, such as an axum `Router`.
    ///
    /// A request without Host goes to `localhost`, so that cookies for [loopback
    /// hosts](crate::session::CookieOptions::insecure_http) are set, too.
    ///
    /// ```
    /// # #[cfg(not(feature = "axum"))] fn main() {}
    /// # #[cfg(feature = "axum")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use axum::{Router, body::Body, http::Request, routing::get};
    /// # use silverback::codec::{Codecs, KeyPairs};
    /// # use silverback::session::{CookieStore, Error, Session, testing::Jar};
    /// # use silverback::web::tower::SessionLayer;
    /// # async fn home(session: Session) -> String { session.owner().unwrap_or_default() }
    /// # let store = CookieStore::new(Codecs::from_pairs(KeyPairs::generate(1)?)?)?;
    /// # let app: Router = Router::new().route("/", get(home)).layer(SessionLayer::new(store.clone()));
    /// let mut jar = Jar::with(store, |session| session.login("ape")).await?;
    /// let response = jar.send(&app, Request::get("/").body(Body::empty())?).await?;
    /// assert_eq!(axum::body::to_bytes(response.into_body(), 100).await?, "ape");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// In actix-web, with its own test client:
    ///
    /// ```
    /// # #[cfg(not(feature = "actix"))] fn main() {}
    /// # #[cfg(feature = "actix")]
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use actix_web::{App, test, web};
    /// # use silverback::codec::KeyPairs;
    /// # use silverback::session::{CookieStore, Error, Session, testing::Jar};
    /// # use silverback::web::actix::SessionMiddleware;
    /// # async fn visit(session: Session) -> Result<String, Error> {
    /// #     Ok(session.update("visits", |visits: &mut u64| *visits += 1)?.to_string())
    /// # }
    /// # let store = CookieStore::new(KeyPairs::generate(1)?)?;
    /// # let app = App::new().wrap(SessionMiddleware::new(store)).route("/", web::get().to(visit));
    /// # let app = test::init_service(app).await;
    /// let mut jar = Jar::new();
    /// for expected in ["1", "2"] {
    ///     let request = test::TestRequest::get().insert_header(("cookie", jar.cookie()));
    ///     let response = test::call_service(&app, request.to_request()).await;
    ///     jar.receive_all(response.headers().get_all("set-cookie"));
    ///     assert_eq!(test::read_body(response).await, expected);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the errors of the service.
    pub async fn send<S, Body, B>(
        &mut self,
        app: &S,
        mut request: Request<Body>,
    ) -> Result<Response<B>, S::Error>
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone,
    {
        let headers = request.headers_mut();
        if let Ok(cookies) = HeaderValue::from_str(&self.cookie())
            && !cookies.is_empty()
        {
            headers.append(COOKIE, cookies);
        }
        let host = headers.entry(HOST);
        host.or_insert(HeaderValue::from_static("localhost"));
        let mut app = app.clone();
        std::future::poll_fn(|context| app.poll_ready(context)).await?;
        let response = app.call(request).await?;
        self.receive_all(response.headers().get_all(SET_COOKIE));
        Ok(response)
    }
}
