//! actix-web: [`SealedCookies`] as an extractor, its changes in a response, and its error as a
//! response.

use std::future::{Ready, ready};

use actix_web::body::BoxBody;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{COOKIE, HeaderValue};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError};

use crate::codec::{self, Codec};
use crate::jar::{Error, SealedCookies};
use crate::session::ResponseFields;

use super::{TEXT, fields, log_cookie_error, page_for_developers};

/// Extracts the sealed cookies of the request. The codec is the application's `web::Data<C>`.
impl<C: Codec + Clone + 'static> FromRequest for SealedCookies<C> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(codec) = request.app_data::<Data<C>>() else {
            let message =
                "the application has no codec: add it with app_data(web::Data::new(codecs))";
            return ready(Err(codec::Error::usage(message).into()));
        };
        let cookies = request.headers().get_all(COOKIE).map(HeaderValue::as_bytes);
        ready(Ok(SealedCookies::of_request(
            codec.get_ref().clone(),
            cookies,
        )))
    }
}

impl<C> SealedCookies<C> {
    /// Adds the changed cookies to a response of actix-web, and the fields that keep it out of
    /// shared caches (features `cookie` and `actix`).
    ///
    /// ```
    /// use actix_web::{App, HttpResponse, web};
    /// use silverback::codec::{Codecs, KeyPairs};
    /// use silverback::jar::{Error, SealedCookies, safe_cookie};
    ///
    /// async fn dark(cookies: SealedCookies) -> Result<HttpResponse, Error> {
    ///     let cookies = cookies.add(safe_cookie(("theme", "dark")))?;
    ///     cookies.add_to(HttpResponse::NoContent().finish())
    /// }
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let codecs = web::Data::new(Codecs::from_pairs(KeyPairs::generate(1)?)?);
    /// let app = App::new().app_data(codecs).route("/dark", web::post().to(dark));
    /// # let app = actix_web::test::init_service(app).await;
    /// # let request = actix_web::test::TestRequest::post().uri("/dark").to_request();
    /// # let response = actix_web::test::call_service(&app, request).await;
    /// # assert_eq!(response.headers().get("cache-control").unwrap(), "no-store");
    /// # assert!(response.headers().contains_key("set-cookie"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`set_cookies`](SealedCookies::set_cookies).
    pub fn add_to<B>(self, mut response: HttpResponse<B>) -> Result<HttpResponse<B>, Error> {
        fields::add(ResponseFields::new(self.set_cookies()?), &mut response);
        Ok(response)
    }
}

/// Makes a response with [the error's status](Error::status) and no body. In debug builds, the page
/// of a usage error shows its text, which names the remedy.
impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        log_cookie_error(self);
        let mut response = HttpResponse::build(self.status_code());
        match page_for_developers(self.is_usage(), self) {
            Some(page) => response.content_type(TEXT).body(page),
            None => response.finish(),
        }
    }
}
