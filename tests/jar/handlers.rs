//! The handlers of each way: they get, add and remove the cookie that the request names.

use std::fmt::Display;

use silverback::codec::{Codec, Codecs, Opened, UnixTime};
use silverback::jar::{CookieCodec, Error, SealedCookies, safe_cookie};

/// Returns the text of an opened cookie, or why there is none.
fn shown<E: Display>(opened: Result<Option<Opened<String>>, E>) -> String {
    match opened {
        Ok(None) => "absent".to_owned(),
        Ok(Some(opened)) if opened.is_stale() => format!("stale {}", opened.value()),
        Ok(Some(opened)) => format!("valid {}", opened.value()),
        Err(refusal) => format!("refused: {refusal}"),
    }
}

fn text(hex: &[u8]) -> String {
    String::from_utf8(base16ct::lower::decode_vec(hex).unwrap()).unwrap()
}

pub(crate) fn axum_routes() -> axum::Router<Codecs> {
    use axum::extract::State;
    use axum::http::{HeaderMap, StatusCode};
    use axum::response::{IntoResponse, Response};
    use axum::routing::get;
    use axum_extra::extract::CookieJar;

    fn argument(headers: &HeaderMap, name: &str) -> String {
        text(headers[name].as_bytes())
    }

    async fn get_own(State(codecs): State<Codecs>, headers: HeaderMap, jar: CookieJar) -> String {
        let cookie = jar.get(&argument(&headers, "x-name"));
        shown(cookie.map(|cookie| codecs.open_cookie(cookie)).transpose())
    }

    async fn add_own(State(codecs): State<Codecs>, headers: HeaderMap, jar: CookieJar) -> Response {
        let cookie = ["x-name", "x-value"].map(|name| argument(&headers, name));
        match codecs.seal_cookie(safe_cookie(<(String, String)>::from(cookie))) {
            Ok(sealed) => jar.add(sealed).into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }

    async fn remove_own(headers: HeaderMap, jar: CookieJar) -> CookieJar {
        jar.remove(safe_cookie(argument(&headers, "x-name")))
    }

    async fn get_sealed(cookies: SealedCookies, headers: HeaderMap) -> impl IntoResponse {
        let opened = shown(cookies.get(&argument(&headers, "x-name")));
        (cookies, opened)
    }

    async fn add_sealed(
        cookies: SealedCookies,
        headers: HeaderMap,
    ) -> Result<SealedCookies, Error> {
        let cookie = ["x-name", "x-value"].map(|name| argument(&headers, name));
        cookies.add(safe_cookie(<(String, String)>::from(cookie)))
    }

    async fn remove_sealed(cookies: SealedCookies, headers: HeaderMap) -> SealedCookies {
        cookies.remove(safe_cookie(argument(&headers, "x-name")))
    }

    axum::Router::new()
        .route("/own/get", get(get_own))
        .route("/own/add", get(add_own))
        .route("/own/remove", get(remove_own))
        .route("/sealed/get", get(get_sealed))
        .route("/sealed/add", get(add_sealed))
        .route("/sealed/remove", get(remove_sealed))
}

pub(crate) fn actix_routes(config: &mut actix_web::web::ServiceConfig) {
    use actix_web::cookie::{Cookie, SameSite};
    use actix_web::web::{Data, get};
    use actix_web::{HttpRequest, HttpResponse};

    fn argument(request: &HttpRequest, name: &str) -> String {
        text(request.headers().get(name).unwrap().as_bytes())
    }

    fn cookie(name: String, value: String) -> Cookie<'static> {
        let cookie = Cookie::build(name, value)
            .path("/")
            .secure(true)
            .http_only(true);
        cookie.same_site(SameSite::Lax).finish()
    }

    async fn get_own(request: HttpRequest, codecs: Data<Codecs>) -> String {
        let name = argument(&request, "x-name");
        let now = UnixTime::now();
        let open = |cookie: Cookie<'_>| codecs.decode_at(&name, cookie.value(), now);
        shown(request.cookie(&name).map(open).transpose())
    }

    async fn add_own(request: HttpRequest, codecs: Data<Codecs>) -> HttpResponse {
        let [name, value] = ["x-name", "x-value"].map(|name| argument(&request, name));
        match codecs.encode(&name, &value) {
            Ok(sealed) => HttpResponse::Ok().cookie(cookie(name, sealed)).finish(),
            Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
        }
    }

    async fn remove_own(request: HttpRequest) -> HttpResponse {
        let mut removal = cookie(argument(&request, "x-name"), String::new());
        removal.make_removal();
        HttpResponse::Ok().cookie(removal).finish()
    }

    async fn get_sealed(
        cookies: SealedCookies,
        request: HttpRequest,
    ) -> Result<HttpResponse, Error> {
        let opened = shown(cookies.get(&argument(&request, "x-name")));
        cookies.add_to(HttpResponse::Ok().body(opened))
    }

    async fn add_sealed(
        cookies: SealedCookies,
        request: HttpRequest,
    ) -> Result<HttpResponse, Error> {
        let cookie = ["x-name", "x-value"].map(|name| argument(&request, name));
        let cookies = cookies.add(safe_cookie(<(String, String)>::from(cookie)))?;
        cookies.add_to(HttpResponse::Ok().finish())
    }

    async fn remove_sealed(
        cookies: SealedCookies,
        request: HttpRequest,
    ) -> Result<HttpResponse, Error> {
        let cookies = cookies.remove(safe_cookie(argument(&request, "x-name")));
        cookies.add_to(HttpResponse::Ok().finish())
    }

    config
        .route("/own/get", get().to(get_own))
        .route("/own/add", get().to(add_own))
        .route("/own/remove", get().to(remove_own))
        .route("/sealed/get", get().to(get_sealed))
        .route("/sealed/add", get().to(add_sealed))
        .route("/sealed/remove", get().to(remove_sealed));
}
