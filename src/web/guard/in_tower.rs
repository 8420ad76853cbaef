//! [`LoginGuard`] as a layer for tower services, and so for axum.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{ACCEPT, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Extensions, Method, Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use crate::session::{Error, Sessions};

use super::super::target::uri_of;
use super::super::tower::failed;
use super::access::RequestAccess;
use super::current_user::CurrentUser;
use super::denied::{Denied, RequestLine, accepts_html};
use super::login_guard::LoginGuard;

impl<S> Layer<S> for LoginGuard {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService {
            inner,
            guard: self.clone(),
        }
    }
}

/// The service that [`LoginGuard`] puts around another.
#[derive(Clone, Debug)]
pub struct GuardService<S> {
    inner: S,
    guard: LoginGuard,
}

impl<S, Body, B> Service<Request<Body>> for GuardService<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    Body: Send + 'static,
    B: Default + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The service that is ready serves this request. The clone serves the next one.
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        let guard = self.guard.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let sessions = parts.extensions.get::<Sessions>();
            let access = access_of(&parts);
            match guard.check(sessions, &access, &request_line(&parts)).await {
                Ok(Ok(())) => inner.call(Request::from_parts(parts, body)).await,
                Ok(Err(denied)) => Ok(denied.response()),
                Err(error) => Ok(failed(error)),
            }
        })
    }
}

impl<U: Send + Sync + 'static> CurrentUser<U> {
    /// Returns the user of a request below a [`SessionLayer`](crate::web::tower::SessionLayer), or
    /// `None` without a login: for tower services that are no handlers of axum.
    ///
    /// ```
    /// use silverback::session::Error;
    /// use silverback::web::guard::CurrentUser;
    ///
    /// struct User { name: String }
    ///
    /// async fn greeting(request: http::Request<()>) -> Result<String, Error> {
    ///     let user = CurrentUser::<User>::of_request(request.extensions()).await?;
    ///     Ok(user.map_or("Hello, stranger.".to_owned(), |user| format!("Hello, {}.", user.name)))
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # assert!(greeting(http::Request::new(())).await.unwrap_err().is_usage()); // no layer
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`Sessions::session`], an unavailable error if the
    /// [`Users`](super::Users) do not answer, and a usage error if there is no layer, or if it has no
    /// users of this type.
    pub fn of_request(
        extensions: &Extensions,
    ) -> impl Future<Output = Result<Option<Self>, Error>> + Send + use<U> {
        let sessions = extensions.get::<Sessions>().cloned();
        let access = extensions.get::<RequestAccess>().cloned();
        async move {
            let sessions = sessions.ok_or_else(|| {
                Error::usage("the request has no sessions: add a SessionLayer around the service")
            })?;
            let session = sessions.session().await?;
            let user = access.unwrap_or_default().user::<U>(&session).await?;
            Ok(user.map(CurrentUser))
        }
    }
}

/// Returns the layer's settings and the user of a request.
pub(super) fn access_of(request: &Parts) -> RequestAccess {
    let access = request.extensions.get::<RequestAccess>();
    access.cloned().unwrap_or_default()
}

pub(super) fn request_line(request: &Parts) -> RequestLine<'_> {
    let accept = request.headers.get_all(ACCEPT).iter();
    let target = uri_of(request).path_and_query();
    RequestLine {
        is_safe: matches!(request.method, Method::GET | Method::HEAD),
        accepts_html: accepts_html(accept.filter_map(|field| field.to_str().ok())),
        target: target.map_or("/", |target| target.as_str()),
    }
}

impl Denied {
    pub(super) fn response<B: Default>(&self) -> Response<B> {
        let mut response = Response::new(B::default());
        let status = StatusCode::from_u16(self.status());
        *response.status_mut() = status.unwrap_or(StatusCode::UNAUTHORIZED);
        for (name, value) in self.fields() {
            if let Ok(value) = HeaderValue::from_str(value) {
                let name = HeaderName::from_static(name);
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}
