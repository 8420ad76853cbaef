//! [`SessionLayer`]: sessions for any tower service, and the base of axum's extractors.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::request::Parts;
use http::uri::Authority;
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::session::{Error, ResponseFields, Sessions, Stores};

use super::cross_origin::{CrossOriginFuture, CrossOriginGuard, RefusalPage};
use super::fields::Head;
use super::guard::access::{Access, RequestAccess, access_setters};
use super::target::uri_of;
use super::{ErrorMark, fields};

/// A layer that puts each request's [`Sessions`] into its extensions, and saves them before the
/// response's head is sent.
///
/// ```
/// use std::convert::Infallible;
/// use http::{Request, Response};
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::{CookieStore, Error, Sessions};
/// use silverback::web::tower::{SessionLayer, failed};
/// use tower_layer::Layer;
/// use tower_service::Service;
///
/// /// Any service will do.
/// #[derive(Clone)]
/// struct Visits;
///
/// impl Service<Request<()>> for Visits {
///     type Response = Response<String>;
///     type Error = Infallible;
///     type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>>>>;
/// #   fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
/// #       std::task::Poll::Ready(Ok(()))
/// #   }
///     // ..
///     fn call(&mut self, request: Request<()>) -> Self::Future {
///         Box::pin(async move {
///             let sessions: &Sessions = request.extensions().get().expect("the layer is there");
///             Ok(visit(sessions).await.unwrap_or_else(failed))
///         })
///     }
/// }
///
/// async fn visit(sessions: &Sessions) -> Result<Response<String>, Error> {
///     let session = sessions.session().await?;
///     let visits = session.update("visits", |visits: &mut u64| *visits += 1)?;
///     Ok(Response::new(format!("visit {visits}")))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = CookieStore::new(Codecs::from_pairs(KeyPairs::generate(1)?)?)?;
/// let mut service = SessionLayer::new(store).layer(Visits);
/// let response = service.call(Request::new(())).await?;
/// assert_eq!(response.body(), "visit 1");
/// assert!(response.headers().contains_key("set-cookie"));
/// # Ok(())
/// # }
/// ```
pub struct SessionLayer<B> {
    stores: Stores,
    on_error: OnError<B>,
    access: Access,
    refuse: Option<Arc<Refuse<B>>>,
}

/// Returns the response to a request of another origin, or `None` for one that may pass.
type Refuse<B> = dyn Fn(&Parts) -> Option<Response<B>> + Send + Sync;

/// The function that makes the response to a session error.
enum OnError<B> {
    /// [`failed`], which needs no request.
    Default(fn(&Error) -> Response<B>),
    Custom(Arc<CustomPage<B>>),
}

/// A function from a session error and the request's parts to a response.
type CustomPage<B> = dyn Fn(&Error, &Parts) -> Response<B> + Send + Sync;

impl<B> SessionLayer<B> {
    /// Makes a layer for the sessions of `stores`: one store, such as a
    /// [`CookieStore`](crate::session::CookieStore), or [several](Stores::and).
    pub fn new(stores: impl Into<Stores>) -> Self
    where
        B: Default + 'static,
    {
        SessionLayer {
            stores: stores.into(),
            on_error: OnError::Default(|error| failed(error.clone())),
            access: Access::default(),
            refuse: None,
        }
    }

    /// Makes a layer with [`on_error`](SessionLayer::on_error) set, for a response body that has
    /// no `Default`.
    pub fn with_on_error(
        stores: impl Into<Stores>,
        respond: impl Fn(&Error, &Parts) -> Response<B> + Send + Sync + 'static,
    ) -> Self {
        SessionLayer {
            stores: stores.into(),
            on_error: OnError::Custom(Arc::new(respond)),
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
    /// use silverback::web::cross_origin::CrossOriginGuard;
    /// use silverback::web::tower::SessionLayer;
    /// # use silverback::{codec::KeyPairs, session::CookieStore};
    ///
    /// # let store = CookieStore::new(KeyPairs::generate(1)?)?;
    /// let layer = SessionLayer::new(store).cross_origin(CrossOriginGuard::new());
    /// # let _: SessionLayer<String> = layer;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cross_origin<P>(mut self, guard: CrossOriginGuard<P>) -> Self
    where
        P: RefusalPage<Parts, Response<B>> + Send + Sync + 'static,
    {
        self.refuse = Some(Arc::new(move |request| guard.refuse(request)));
        self
    }

    /// Sets the response to a session error, which otherwise is empty and has [the error's
    /// status](Error::status). `respond` gets the parts of the request as they reached the
    /// layer, so it can answer in JSON or in HTML.
    ///
    /// The layer sets `Cache-Control: no-store`. If the store [is
    /// overloaded](Error::is_overloaded) and the response has no `Retry-After`, the layer adds
    /// `Retry-After: 1`. The error's text is for the developer: do not send it to the client.
    ///
    /// ```
    /// use axum::response::{Html, IntoResponse};
    /// use http::StatusCode;
    /// use silverback::web::tower::SessionLayer;
    /// # use silverback::codec::{Codecs, KeyPairs};
    /// # use silverback::session::{CookieStore, Error};
    ///
    /// # let store = CookieStore::new(Codecs::from_pairs(KeyPairs::generate(1)?)?)?;
    /// let layer = SessionLayer::new(store).on_error(|error: &Error, request: &http::request::Parts| {
    ///     let status = StatusCode::from_u16(error.status()).unwrap_or_default();
    ///     match request.uri.path().starts_with("/api/") {
    ///         true => (status, r#"{"error": "session"}"#).into_response(),
    ///         false => (status, Html("<p>Please try again later.")).into_response(),
    ///     }
    /// });
    /// let app: axum::Router = axum::Router::new().layer(layer);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn on_error(
        mut self,
        respond: impl Fn(&Error, &Parts) -> Response<B> + Send + Sync + 'static,
    ) -> Self {
        self.on_error = OnError::Custom(Arc::new(respond));
        self
    }
}

/// Returns the response to a session error, with [its status](Error::status) and no body. The
/// layer replaces it by the page of [`SessionLayer::on_error`], if one is set, and saves no
/// session.
///
/// In axum, a handler can return the error instead, with the same effect. With the feature
/// `axum`, in debug builds, the page of a [usage](Error::is_usage) error shows its text, which
/// names the remedy.
pub fn failed<B: Default + 'static>(error: Error) -> Response<B> {
    let status = StatusCode::from_u16(error.status());
    let mut response = Response::new(B::default());
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    #[cfg(feature = "axum")]
    super::axum_parts::explain(&error, &mut response);
    response.mark_failed(error, false);
    response
}

impl<B> Clone for OnError<B> {
    fn clone(&self) -> Self {
        match self {
            OnError::Default(respond) => OnError::Default(*respond),
            OnError::Custom(respond) => OnError::Custom(respond.clone()),
        }
    }
}

impl<B> Clone for SessionLayer<B> {
    fn clone(&self) -> Self {
        SessionLayer {
            stores: self.stores.clone(),
            on_error: self.on_error.clone(),
            access: self.access.clone(),
            refuse: self.refuse.clone(),
        }
    }
}

impl<B> fmt::Debug for SessionLayer<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionLayer").field(&self.stores).finish()
    }
}

impl<S, B> Layer<S> for SessionLayer<B> {
    type Service = SessionService<S, B>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service that [`SessionLayer`] puts around another.
#[derive(Debug)]
pub struct SessionService<S, B> {
    inner: S,
    layer: SessionLayer<B>,
}

impl<S: Clone, B> Clone for SessionService<S, B> {
    fn clone(&self) -> Self {
        SessionService {
            inner: self.inner.clone(),
            layer: self.layer.clone(),
        }
    }
}

impl<S, Body, B> Service<Request<Body>> for SessionService<S, B>
where
    S: Service<Request<Body>, Response = Response<B>>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let stores = &self.layer.stores;
        let (mut parts, body) = request.into_parts();
        let refusal = self.layer.refuse.as_ref();
        let refusal = refusal.and_then(|refuse| refuse(&parts));
        let sessions = match parts.extensions.get::<Sessions>() {
            Some(outer) => outer.within(stores),
            None => sessions_of(stores, &parts),
        };
        let error_page = ErrorPage::new(&self.layer.on_error, &parts);
        parts.extensions.insert(sessions.clone());
        if self.layer.access.is_set() {
            let outer = parts.extensions.get::<RequestAccess>();
            let access = RequestAccess::within(outer, self.layer.access.clone());
            parts.extensions.insert(access);
        }
        ResponseFuture {
            response: CrossOriginFuture::new(refusal, || {
                self.inner.call(Request::from_parts(parts, body))
            }),
            sessions,
            error_page,
            finish: None,
        }
    }
}

fn sessions_of(stores: &Stores, request: &Parts) -> Sessions {
    let uri = uri_of(request);
    let authority = uri.authority().map(Authority::as_str);
    fields::sessions_of(stores, authority, uri.path(), &request.headers)
}

/// The response to a session error of one request, not yet made.
enum ErrorPage<B> {
    Default(fn(&Error) -> Response<B>),
    Custom(Arc<CustomPage<B>>, Box<Parts>),
}

impl<B> ErrorPage<B> {
    /// Prepares the response. Copies the request's parts only if a custom page needs them.
    fn new(on_error: &OnError<B>, request: &Parts) -> Self {
        match on_error {
            OnError::Default(respond) => ErrorPage::Default(*respond),
            OnError::Custom(respond) => {
                ErrorPage::Custom(respond.clone(), Box::new(request.clone()))
            }
        }
    }

    fn respond(&self, sessions: &Sessions, error: &Error) -> Response<B> {
        let fields = sessions.abandon();
        error.log();
        let mut response = match self {
            ErrorPage::Default(respond) => respond(error),
            ErrorPage::Custom(respond, request) => respond(error, request),
        };
        fields::add_to_error(error, fields, &mut response);
        response
    }
}

pin_project! {
    /// The future of a response, which completes when the sessions are saved.
    pub struct ResponseFuture<F, B> {
        #[pin]
        response: CrossOriginFuture<F, B>,
        sessions: Sessions,
        error_page: ErrorPage<B>,
        finish: Option<(Response<B>, Finish)>,
    }
}

type Finish = Pin<Box<dyn Future<Output = Result<Option<ResponseFields>, Error>> + Send>>;

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (sessions, error_page) = (&*this.sessions, &*this.error_page);
        if this.finish.is_none() {
            let response = ready!(this.response.poll(context));
            let response = response.inspect_err(|_| {
                sessions.abandon();
            })?;
            if let Some(mark) = response.extensions().get::<ErrorMark>() {
                return Poll::Ready(Ok(match mark.is_answered {
                    true => with_abandoned_fields(sessions, response),
                    false => error_page.respond(sessions, &mark.error),
                }));
            }
            if !sessions.were_asked_for() {
                sessions.abandon();
                return Poll::Ready(Ok(response));
            }
            let sessions = sessions.clone();
            *this.finish = Some((response, Box::pin(async move { sessions.finish().await })));
        }
        let Some((_, finish)) = this.finish else {
            return Poll::Pending;
        };
        let finished = ready!(finish.as_mut().poll(context));
        let Some((mut response, _)) = this.finish.take() else {
            return Poll::Pending;
        };
        Poll::Ready(Ok(match finished {
            Ok(fields) => {
                if let Some(fields) = fields {
                    fields::add(fields, &mut response);
                }
                response
            }
            Err(error) => error_page.respond(sessions, &error),
        }))
    }
}

impl<F, B> fmt::Debug for ResponseFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// Returns the response that an inner layer made from a session error, with the removals of
/// planted cookies. Saves nothing.
fn with_abandoned_fields<B>(sessions: &Sessions, mut response: Response<B>) -> Response<B> {
    if let Some(fields) = sessions.abandon() {
        fields::add(fields, &mut response);
    }
    response
}
