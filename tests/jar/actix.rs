//! `SealedCookies` in actix-web, where it differs from axum: its keys, a public response, and errors.

use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::{Data, get};
use actix_web::{App, HttpResponse};
use silverback::codec::{Codec, Codecs, Opened};
use silverback::jar::{Error, SealedCookies, safe_cookie};
use silverback::web::Public;

use super::servers::codecs;

async fn read(cookies: SealedCookies) -> Result<String, Error> {
    let opened = cookies.get("sid")?;
    Ok(opened.map_or_else(String::new, Opened::into_value))
}

async fn wrong(cookies: SealedCookies) -> Result<HttpResponse, Error> {
    let cookies = cookies.add(safe_cookie(("sid", "ape")).path("/;"))?;
    cookies.add_to(HttpResponse::Ok().finish())
}

async fn public(cookies: SealedCookies) -> Result<HttpResponse, Error> {
    let page = ("cache-control", "public, max-age=600");
    let mut response = HttpResponse::Ok().insert_header(page).finish();
    response.extensions_mut().insert(Public);
    cookies.add_to(response)
}

fn app(
    data: Option<Codecs>,
) -> App<
    impl actix_web::dev::ServiceFactory<
        actix_web::dev::ServiceRequest,
        Config = (),
        Response = actix_web::dev::ServiceResponse,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let app = App::new()
        .route("/read", get().to(read))
        .route("/wrong", get().to(wrong))
        .route("/public", get().to(public));
    match data {
        Some(codecs) => app.app_data(Data::new(codecs)),
        None => app,
    }
}

/// Requests a page, and returns its status, its Cache-Control and its body.
async fn ask(data: Option<Codecs>, path: &str, cookie: &str) -> (u16, Option<String>, String) {
    let app = init_service(app(data)).await;
    let request = TestRequest::get()
        .uri(path)
        .insert_header(("cookie", cookie));
    let response = call_service(&app, request.to_request()).await;
    let cache_control = response.headers().get("cache-control");
    let cache_control = cache_control.map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body = read_body(response).await.to_vec();
    (status, cache_control, String::from_utf8(body).unwrap())
}

#[actix_web::test]
async fn an_error_becomes_a_response_with_its_status() {
    let sealed = format!("sid={}", codecs().encode("sid", "ape").unwrap());
    let (status, _, body) = ask(Some(codecs()), "/read", &sealed).await;
    assert_eq!((status, &*body), (200, "ape"));
    let (status, _, body) = ask(Some(codecs()), "/read", "sid=forged").await;
    assert_eq!(
        (status, &*body),
        (400, ""),
        "a client learns nothing of a refusal"
    );
    let (status, _, body) = ask(Some(codecs()), "/wrong", "").await;
    assert!(
        status == 500 && body.contains("semicolon"),
        "{status} {body}"
    );
}

#[actix_web::test]
async fn an_application_without_keys_is_an_error_that_names_the_remedy() {
    let (status, _, body) = ask(None, "/read", "").await;
    assert!(
        status == 500 && body.contains("app_data"),
        "{status} {body}"
    );
}

#[actix_web::test]
async fn a_public_response_stays_public() {
    let (status, cache_control, _) = ask(Some(codecs()), "/public", "").await;
    assert_eq!(
        (status, cache_control.as_deref()),
        (200, Some("public, max-age=600"))
    );
}
