//! The code that differs between the frameworks: the conversion of a route into a handler.

use std::sync::Arc;

use silverback::session::{Error, Refusal, Session, Sessions};

use super::site::{Reply, Site};

/// A guard before a handler: it writes and rejects every request, or it requires a fresh login,
/// which no session has.
fn guard(session: &Session, path: &str) -> Result<(), Error> {
    match path {
        "/guarded" => session.insert("guarded", true),
        _ => session.require_fresh(std::time::Duration::from_secs(60)),
    }
}

/// Returns the body of `/extracted`: whether the session is new, and the refusal in the request's
/// extensions.
fn extracted(session: &Session, refusal: Option<Refusal>) -> String {
    assert_eq!(session.refusal(), refusal);
    format!("{} {refusal:?}", session.is_new())
}

pub(crate) fn axum_routes(site: Arc<Site>) -> axum::Router {
    use axum::extract::{FromRequestParts, Request};
    use axum::http::Uri;
    use axum::response::{IntoResponse, Response};

    async fn extract(request: Request) -> Result<String, Error> {
        let (mut parts, _) = request.into_parts();
        let session = Session::from_request_parts(&mut parts, &()).await?;
        Ok(extracted(&session, parts.extensions.get().copied()))
    }

    async fn guarded(session: Session, request: Request) -> Result<Response, Error> {
        guard(&session, request.uri().path())?;
        Ok(axum::http::StatusCode::UNAUTHORIZED.into_response())
    }

    fn response(reply: Reply) -> Response {
        let mut response = reply.body.into_response();
        *response.status_mut() = reply.status.try_into().unwrap();
        for (name, value) in reply.fields {
            response
                .headers_mut()
                .append(name, value.try_into().unwrap());
        }
        if reply.is_public {
            response.extensions_mut().insert(silverback::web::Public);
        }
        response
    }

    let fallback = async move |uri: Uri, sessions: Sessions| {
        let route = site.route(uri.path()).expect("the test has such a route");
        Ok::<_, Error>(response(route(sessions).await?))
    };
    axum::Router::new()
        .route("/extracted", axum::routing::get(extract))
        .route("/guarded", axum::routing::get(guarded))
        .route("/guarded-fresh", axum::routing::get(guarded))
        .merge(super::long_responses::axum_routes())
        .fallback(fallback)
}

pub(crate) fn actix_routes(config: &mut actix_web::web::ServiceConfig, site: Arc<Site>) {
    use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};

    async fn extract(request: HttpRequest, session: Session) -> String {
        extracted(&session, request.extensions().get().copied())
    }

    async fn guarded(
        session: Session,
        request: actix_web::dev::ServiceRequest,
        _: actix_web::middleware::Next<actix_web::body::BoxBody>,
    ) -> Result<actix_web::dev::ServiceResponse, actix_web::Error> {
        guard(&session, request.path())?;
        Err(actix_web::error::ErrorUnauthorized(""))
    }

    fn response(reply: Reply) -> HttpResponse {
        let mut response = HttpResponse::build(reply.status.try_into().unwrap());
        for field in reply.fields {
            response.append_header(field);
        }
        let mut response = response.body(reply.body);
        if reply.is_public {
            response.extensions_mut().insert(silverback::web::Public);
        }
        response
    }

    let fallback = move |request: HttpRequest, sessions: Sessions| {
        let route = site
            .route(request.path())
            .expect("the test has such a route");
        async move { Ok::<_, Error>(response(route(sessions).await?)) }
    };
    let guard_of = |path| {
        let guarded = actix_web::middleware::from_fn(guarded);
        web::resource(path).wrap(guarded).to(HttpResponse::Ok)
    };
    config
        .service(guard_of("/guarded"))
        .service(guard_of("/guarded-fresh"))
        .route("/extracted", web::get().to(extract))
        .configure(super::long_responses::actix_routes)
        .default_service(web::to(fallback));
}
