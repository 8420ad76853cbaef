//! [`SessionMiddleware`]: sessions for actix-web, with [`Session`] and [`Sessions`] as
//! extractors.

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{
    Payload, RequestHead, Service, ServiceRequest, ServiceResponse, Transform, forward_ready,
};
use actix_web::http::StatusCode;
use actix_web::http::uri::Authority;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError};

use crate::session::{Error, ResponseFields, Session, Sessions, Stores, Typed, TypedValue};

use super::cross_origin::{CrossOriginGuard, RefusalPage};
use super::fields::Head;
use super::guard::access::{Access, RequestAccess, access_setters};
use super::{ErrorMark, TEXT, fields, page_for_developers};

type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A middleware that gives each request its [`Sessions`], and saves them before the response's
/// head is sent.
///
/// ```
/// use actix_web::{App, web};
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::{CookieStore, Error, Session};
/// use silverback::web::actix::SessionMiddleware;
///
/// async fn visit(session: Session) -> Result<String, Error> {
///     let visits = session.update("visits", |visits: &mut u64| *visits += 1)?;
///     Ok(format!("visit {visits}"))
/// }
///
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = CookieStore::new(Codecs::from_pairs(KeyPairs::generate(1)?)?)?;
/// let app = App::new().wrap(SessionMiddleware::new(store)).route("/", web::get().to(visit));
/// # let app = actix_web::test::init_service(app).await;
/// # let request = actix_web::test::TestRequest::get().to_request();
/// # let response = actix_web::test::call_service(&app, request).await;
/// # assert!(response.headers().contains_key("set-cookie"));
/// # assert_eq!(actix_web::test::read_body(response).await, "visit 1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SessionMiddleware {
    stores: Stores,
    on_error: Option<OnError>,
    access: Access,
    refuse: Option<Refuse>,
}

/// Returns the response to a request of another origin, or `None` for one that may pass.
type Refuse = Arc<dyn Fn(&RequestHead) -> Option<HttpResponse> + Send + Sync>;

/// A function from a session error and the request's head to a response.
type OnError = Arc<dyn Fn(&Error, &RequestHead) -> HttpResponse + Send + Sync>;

impl SessionMiddleware {
    /// Makes a middleware for the sessions of `stores`: one store, such as a
    /// [`CookieStore`](crate::session::CookieStore), or [several](Stores::and).
    pub fn new(stores: impl Into<Stores>) -> Self {
        SessionMiddleware {
            stores: stores.into(),
            on_error: None,
            access: Access::default(),
            refuse: None,
        }
    }

    access_setters!();

    /// Refuses requests that another origin sends in the name of a user, before they reach a session
    /// or a handler. The page of [`cross_origin`](crate::web::cross_origin) has the rules. Default: no
    /// guard.
    ///
    /// ```
    /// use silverback::web::actix::SessionMiddleware;
    /// use silverback::web::cross_origin::CrossOriginGuard;
    /// # use silverback::{codec::KeyPairs, session::CookieStore};
    ///
    /// # let store = CookieStore::new(KeyPairs::generate(1)?)?;
    /// let middleware = SessionMiddleware::new(store).cross_origin(CrossOriginGuard::new());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cross_origin<P>(mut self, guard: CrossOriginGuard<P>) -> Self
    where
        P: RefusalPage<RequestHead, HttpResponse> + Send + Sync + 'static,
    {
        self.refuse = Some(Arc::new(move |request| guard.refuse_in_actix(request)));
        self
    }

    /// Sets the response to a session error, which otherwise is empty and has [the error's
    /// status](Error::status). `respond` gets the head of the request as it reached the
    /// middleware, so it can answer in JSON or in HTML.
    ///
    /// The middleware sets `Cache-Control: no-store`. If the store [is
    /// overloaded](Error::is_overloaded) and the response has no `Retry-After`, the middleware
    /// adds `Retry-After: 1`. The error's text is for the developer: do not send it to the
    /// client.
    ///
    /// ```
    /// use actix_web::{HttpResponse, dev::RequestHead, http::StatusCode};
    /// use silverback::web::actix::SessionMiddleware;
    /// # use silverback::codec::{Codecs, KeyPairs};
    /// # use silverback::session::{CookieStore, Error};
    ///
    /// # let store = CookieStore::new(Codecs::from_pairs(KeyPairs::generate(1)?)?)?;
    /// let middleware = SessionMiddleware::new(store).on_error(|error: &Error, request: &RequestHead| {
    ///     let mut response = HttpResponse::build(StatusCode::from_u16(error.status()).unwrap_or_default());
    ///     match request.uri.path().starts_with("/api/") {
    ///         true => response.json("session"),
    ///         false => response.body("Please try again later."),
    ///     }
    /// });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn on_error(
        mut self,
        respond: impl Fn(&Error, &RequestHead) -> HttpResponse + Send + Sync + 'static,
    ) -> Self {
        self.on_error = Some(Arc::new(respond));
        self
    }
}

/// The response to a session error of one request, not yet made.
struct ErrorPage {
    custom: Option<(OnError, RequestHead)>,
    sessions: Sessions,
}

impl ErrorPage {
    /// Prepares the response. Copies the request's head only if a custom page needs it. (The
    /// request itself must not be held: actix-web panics if it routes a request that has a
    /// second owner.)
    fn new(on_error: Option<&OnError>, request: &RequestHead, sessions: Sessions) -> Self {
        ErrorPage {
            custom: on_error.map(|respond| (respond.clone(), request.clone())),
            sessions,
        }
    }

    fn respond(&self, error: &Error) -> HttpResponse {
        let fields = self.sessions.abandon();
        let mut response = match &self.custom {
            Some((respond, request)) => respond(error, request),
            None => error.error_response(),
        };
        fields::add_to_error(error, fields, &mut response);
        response
    }
}

async fn finish_response<B>(
    sessions: &Sessions,
    error_page: &ErrorPage,
    response: ServiceResponse<B>,
) -> ServiceResponse<EitherBody<B>> {
    let (request, mut response) = response.into_parts();
    if let Some(FailedExtraction(error)) = failure_of(&request) {
        error.log();
        let response = error_page.respond(&error).map_into_right_body();
        return ServiceResponse::new(request, response);
    }
    if is_answered(&response) {
        if let Some(fields) = sessions.abandon() {
            fields::add(fields, &mut response);
        }
        return ServiceResponse::new(request, response.map_into_left_body());
    }
    let finished = finish(sessions, session_error(&response)).await;
    let response = match finished {
        Ok(fields) => {
            if let Some(fields) = fields {
                fields::add(fields, &mut response);
            }
            response.map_into_left_body()
        }
        Err(error) => {
            error.log();
            error_page.respond(&error).map_into_right_body()
        }
    };
    ServiceResponse::new(request, response)
}

/// Saves the sessions if an inner middleware returned an error, which will become a response.
async fn finish_error(
    sessions: &Sessions,
    error_page: ErrorPage,
    error: actix_web::Error,
) -> actix_web::Error {
    let response = error.error_response();
    let finished = match is_answered(&response) {
        true => Ok(sessions.abandon()),
        false => finish(sessions, session_error(&response)).await,
    };
    match finished {
        Ok(None) => error,
        Ok(Some(fields)) => MiddlewareError::Inner(error, fields).into(),
        Err(error) => {
            error.log();
            MiddlewareError::Session(error, error_page).into()
        }
    }
}

/// Saves the sessions that were asked for. If the request failed with a session error, saves
/// nothing and returns that error.
async fn finish(
    sessions: &Sessions,
    failed: Option<Error>,
) -> Result<Option<ResponseFields>, Error> {
    match failed {
        None => sessions.finish().await,
        Some(error) => {
            sessions.abandon();
            Err(error)
        }
    }
}

/// The error that leaves the middleware. It becomes a response each time actix-web asks for one.
enum MiddlewareError {
    /// The inner error, and the fields of the saved sessions.
    Inner(actix_web::Error, ResponseFields),
    /// A session error.
    Session(Error, ErrorPage),
}

impl MiddlewareError {
    fn error(&self) -> &dyn ResponseError {
        match self {
            MiddlewareError::Inner(error, _) => error.as_response_error(),
            MiddlewareError::Session(error, _) => error,
        }
    }
}

impl fmt::Debug for MiddlewareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.error(), f)
    }
}

impl fmt::Display for MiddlewareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.error(), f)
    }
}

impl ResponseError for MiddlewareError {
    fn status_code(&self) -> StatusCode {
        self.error().status_code()
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            MiddlewareError::Inner(error, fields) => {
                let mut response = error.error_response();
                fields::add(fields.clone(), &mut response);
                response
            }
            MiddlewareError::Session(error, error_page) => error_page.respond(error),
        }
    }
}

/// Returns whether an inner layer has already made the response to a session error.
fn is_answered<B>(response: &HttpResponse<B>) -> bool {
    let extensions = response.extensions();
    extensions
        .get()
        .is_some_and(|mark: &ErrorMark| mark.is_answered)
}

fn failure_of(request: &HttpRequest) -> Option<FailedExtraction> {
    request.extensions_mut().remove()
}

/// Returns the session error from which a response was made, if any.
fn session_error<B>(response: &HttpResponse<B>) -> Option<Error> {
    let marked = response
        .extensions()
        .get::<ErrorMark>()
        .map(|mark| mark.error.clone());
    let caught = || response.error()?.as_error::<Error>().cloned();
    marked.or_else(caught)
}

impl fmt::Debug for SessionMiddleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_tuple("SessionMiddleware");
        shown.field(&self.stores).finish()
    }
}

impl<S, B> Transform<S, ServiceRequest> for SessionMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = SessionService<S>;
    type InitError = ();
    type Future = std::future::Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        std::future::ready(Ok(SessionService {
            service,
            middleware: Rc::new(self.clone()),
        }))
    }
}

/// The service that [`SessionMiddleware`] puts around another.
#[derive(Debug)]
pub struct SessionService<S> {
    service: S,
    middleware: Rc<SessionMiddleware>,
}

impl<S, B> Service<ServiceRequest> for SessionService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = LocalFuture<Result<Self::Response, Self::Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let SessionMiddleware {
            stores,
            on_error,
            access,
            refuse,
        } = &*self.middleware;
        let refusal = refuse.as_ref().and_then(|refuse| refuse(request.head()));
        if let Some(refusal) = refusal {
            let response = request.into_response(refusal).map_into_right_body();
            return Box::pin(std::future::ready(Ok(response)));
        }
        let outer = request.extensions().get::<Sessions>().cloned();
        let sessions = match outer {
            Some(outer) => outer.within(stores),
            None => sessions_of(stores, request.head()),
        };
        let error_page = ErrorPage::new(on_error.as_ref(), request.head(), sessions.clone());
        request.extensions_mut().insert(sessions.clone());
        if access.is_set() {
            let outer = request.extensions().get::<RequestAccess>().cloned();
            let access = RequestAccess::within(outer.as_ref(), access.clone());
            request.extensions_mut().insert(access);
        }
        let response = self.service.call(request);
        Box::pin(async move {
            match response.await {
                Ok(response) => Ok(finish_response(&sessions, &error_page, response).await),
                Err(error) => Err(finish_error(&sessions, error_page, error).await),
            }
        })
    }
}

fn sessions_of(stores: &Stores, request: &RequestHead) -> Sessions {
    let authority = request.uri.authority().map(Authority::as_str);
    fields::sessions_of(stores, authority, request.uri.path(), &request.headers)
}

/// Extracts all sessions of the request, without loading any.
impl FromRequest for Sessions {
    type Error = Error;
    type Future = std::future::Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let sessions = request.extensions().get::<Sessions>().cloned();
        let missing = || {
            let error = Error::usage("there is no SessionMiddleware around this handler");
            // There is no middleware to log it.
            error.log();
            error
        };
        std::future::ready(sessions.ok_or_else(missing))
    }
}

/// A session error of an extractor, in the request's extensions. actix-web turns each error of an
/// argument `Option<T>` into `None`, so that the handler would take an outage for a missing session.
#[derive(Clone)]
struct FailedExtraction(Error);

/// Keeps the error of an extractor for the middleware, and returns it.
pub(super) fn keep_failure(request: &HttpRequest, error: Error) -> Error {
    let failed = FailedExtraction(error.clone());
    request.extensions_mut().insert(failed);
    error
}

/// Extracts the session of the first store. If the client's cookie was refused, the
/// [`Refusal`](crate::session::Refusal) is put into the request's extensions.
///
/// `Option<Session>` is `None` if there is no middleware around the handler. If the session cannot
/// be loaded, for example because a server is unavailable, the response is the session error's, also
/// if the handler's argument is an `Option` or a `Result`. To answer such a request yourself, take
/// [`Sessions`], and load the session in the handler.
impl FromRequest for Session {
    type Error = Error;
    type Future = LocalFuture<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let sessions = Sessions::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let session = sessions.await?.session().await;
            let session = session.map_err(|error| keep_failure(&request, error))?;
            if let Some(refusal) = session.refusal() {
                request.extensions_mut().insert(refusal);
            }
            Ok(session)
        })
    }
}

/// Extracts the value of a type in the session of the first store.
impl<T: TypedValue> FromRequest for Typed<T> {
    type Error = Error;
    type Future = LocalFuture<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let session = Session::from_request(request, payload);
        Box::pin(async move { Ok(session.await?.typed()) })
    }
}

/// Makes a response with [the error's status](Error::status) and no body. The middleware
/// replaces it by the page of [`on_error`](SessionMiddleware::on_error), if one is set. In debug
/// builds, the page of a [usage](Error::is_usage) error shows its text, which names the remedy.
impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.status_code());
        let mut response = match page_for_developers(self.is_usage(), self) {
            Some(page) => response.content_type(TEXT).body(page),
            None => response.finish(),
        };
        response.mark_failed(self.clone(), false);
        response
    }
}
