//! [`SessionLayer`]: sessions for any tower service, and what stands behind axum's
//! extractors.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{CACHE_CONTROL, COOKIE, HOST, HeaderMap, HeaderName, SET_COOKIE, VARY};
use http::{HeaderValue, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::session::{Error, ResponseFields, Sessions, Stores};

use super::Failed;

/// Gives each request its [`Sessions`], as an extension, and saves them before the
/// response's head leaves.
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
}

/// Makes a response of a session error.
type OnError<B> = Arc<dyn Fn(&Error) -> Response<B> + Send + Sync>;

impl<B: Default> SessionLayer<B> {
    /// Sessions of these stores: a [`CookieStore`](crate::session::CookieStore), or
    /// [several](Stores::and).
    pub fn new(stores: impl Into<Stores>) -> Self {
        SessionLayer {
            stores: stores.into(),
            on_error: Arc::new(|error| failed(error.clone())),
        }
    }

    /// What a client gets when a session cannot be loaded or saved, instead of an empty
    /// response with [the error's status](Error::status). It is sent with
    /// `Cache-Control: no-store`. What the error says is for you, not for the client.
    #[must_use]
    pub fn on_error(
        mut self,
        respond: impl Fn(&Error) -> Response<B> + Send + Sync + 'static,
    ) -> Self {
        self.on_error = Arc::new(respond);
        self
    }
}

/// The response that stands for a session error: [its status](Error::status) and no body.
/// The layer makes its own of it, as [`SessionLayer::on_error`] says, and saves no session.
///
/// In axum, returning the error does the same.
pub fn failed<B: Default>(error: Error) -> Response<B> {
    let status = StatusCode::from_u16(error.status());
    let mut response = Response::new(B::default());
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.extensions_mut().insert(Failed(error));
    response
}

impl<B> Clone for SessionLayer<B> {
    fn clone(&self) -> Self {
        SessionLayer {
            stores: self.stores.clone(),
            on_error: self.on_error.clone(),
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

/// What [`SessionLayer`] makes of a service.
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

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let outer = request.extensions().get::<Sessions>();
        let sessions = match outer.is_some_and(|outer| outer.cover(&self.layer.stores)) {
            // The layer around this one does it all.
            true => None,
            false => {
                let sessions = sessions_of(&self.layer.stores, &request);
                request.extensions_mut().insert(sessions.clone());
                Some(sessions)
            }
        };
        ResponseFuture {
            response: self.inner.call(request),
            sessions,
            on_error: self.layer.on_error.clone(),
            finish: None,
        }
    }
}

fn sessions_of<Body>(stores: &Stores, request: &Request<Body>) -> Sessions {
    let cookies = request.headers().get_all(COOKIE);
    let cookies = cookies.iter().map(HeaderValue::as_bytes);
    let host = match request.uri().authority() {
        Some(authority) => Some(authority.as_str().as_bytes()),
        None => request.headers().get(HOST).map(HeaderValue::as_bytes),
    };
    Sessions::of_request(stores, cookies, host)
}

pin_project! {
    /// The response, once its sessions are saved.
    pub struct ResponseFuture<F, B> {
        #[pin]
        response: F,
        sessions: Option<Sessions>,
        on_error: OnError<B>,
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
        let Some(sessions) = this.sessions else {
            return this.response.poll(context);
        };
        if this.finish.is_none() {
            let response = ready!(this.response.poll(context));
            let response = response.inspect_err(|_| sessions.abandon())?;
            if let Some(Failed(error)) = response.extensions().get() {
                sessions.abandon();
                return Poll::Ready(Ok(refuse(error, this.on_error)));
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
                    add(&fields, response.headers_mut());
                }
                response
            }
            Err(error) => refuse(&error, this.on_error),
        }))
    }
}

impl<F, B> fmt::Debug for ResponseFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

fn refuse<B>(error: &Error, on_error: &OnError<B>) -> Response<B> {
    error.log();
    let mut response = on_error(error);
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}

/// Moves the sessions' fields to the response.
fn add(fields: &ResponseFields, headers: &mut HeaderMap) {
    for set_cookie in fields.set_cookies() {
        if let Ok(mut value) = HeaderValue::try_from(set_cookie) {
            // Neither logged nor kept in compression tables.
            value.set_sensitive(true);
            headers.append(SET_COOKIE, value);
        }
    }
    if let Some(cache_control) = fields.cache_control(texts(headers, &CACHE_CONTROL)) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
    }
    if fields.wants_vary(texts(headers, &VARY)) {
        headers.append(VARY, HeaderValue::from_static("Cookie"));
    }
}

/// The values of a field that are text.
fn texts<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).into_iter();
    values.filter_map(|value| value.to_str().ok())
}
