//! Moves header fields between a framework and [`Sessions`], for both kinds of responses: those of
//! the `http` crate (tower, axum), and those of actix-web.

use crate::session::{Error, ResponseFields, Sessions, Stores, client_host};

use super::{ErrorMark, Public};

/// The head of a response: its header fields, and the marks that layers and handlers leave.
pub(super) trait Head {
    fn fields(&mut self) -> &mut impl Fields;

    /// Returns whether the application declared the response public.
    fn is_public(&self) -> bool;

    /// Marks a response that was made from a session error.
    fn mark_failed(&mut self, error: Error, is_answered: bool);
}

/// The header fields of a request or a response.
pub(super) trait Fields {
    /// Returns the values of a field, in order.
    fn values(&self, name: &'static str) -> impl Iterator<Item = &[u8]>;

    /// Replaces all values of a field by one.
    fn set(&mut self, name: &'static str, value: &'static str);

    /// Adds a value, and keeps the others.
    fn append(&mut self, name: &'static str, value: &'static str);

    /// Adds a value that must be neither logged nor kept in compression tables.
    fn append_secret(&mut self, name: &'static str, value: &str);

    /// Removes each field if `is_one` returns true for its name in lower case.
    fn remove(&mut self, is_one: impl Fn(&str) -> bool);
}

const CACHE_CONTROL: &str = "cache-control";
const RETRY_AFTER: &str = "retry-after"; // in seconds
const VARY: &str = "vary";

/// Returns the sessions of a request to `path`, the path of its target. The host is `authority`,
/// if the target has one, or the field Host.
pub(super) fn sessions_of(
    stores: &Stores,
    authority: Option<&str>,
    path: &str,
    headers: &impl Fields,
) -> Sessions {
    let host = match authority {
        Some(authority) => Some(authority.as_bytes()),
        None => headers.values("host").next(),
    };
    let host = client_host(
        host,
        headers.values("x-forwarded-host"),
        headers.values("forwarded"),
    );
    Sessions::of_request(stores, headers.values("cookie"), host, path)
}

/// Adds the sessions' fields to a response.
pub(super) fn add(fields: ResponseFields, response: &mut impl Head) {
    let fields = match response.is_public() {
        true => fields.of_public_response(),
        false => fields,
    };
    add_to(response.fields(), &fields);
}

/// Adds the fields of the abandoned sessions to the response to a session error, and marks the
/// response as answered. No cache may keep it. If too many saves were in flight, the client is
/// asked to retry.
pub(super) fn add_to_error(
    error: &Error,
    fields: Option<ResponseFields>,
    response: &mut impl Head,
) {
    let headers = response.fields();
    if let Some(fields) = fields {
        add_to(headers, &fields);
    }
    headers.set(CACHE_CONTROL, "no-store");
    headers.remove(ResponseFields::is_targeted);
    if error.is_overloaded() && headers.values(RETRY_AFTER).next().is_none() {
        headers.set(RETRY_AFTER, "1");
    }
    response.mark_failed(error.clone(), true);
}

/// Adds the fields to those of a response.
pub(super) fn add_to(headers: &mut impl Fields, fields: &ResponseFields) {
    for set_cookie in fields.set_cookies() {
        headers.append_secret("set-cookie", set_cookie);
    }
    for (name, value) in fields.others() {
        headers.append_secret(name, value);
    }
    if let Some(cache_control) = fields.cache_control(texts(headers, CACHE_CONTROL)) {
        headers.set(CACHE_CONTROL, cache_control);
    }
    if fields.wants_vary(texts(headers, VARY)) {
        headers.append(VARY, "Cookie");
    }
    headers.remove(|name| fields.removes(name));
}

/// Returns the values of a field that are text.
fn texts<'h>(headers: &'h impl Fields, name: &'static str) -> impl Iterator<Item = &'h str> {
    let values = headers.values(name);
    values.filter_map(|value| std::str::from_utf8(value).ok())
}

/// Implements [`Head`] for a response, and [`Fields`] for its header map. The two frameworks have
/// methods of the same names, with types of their own.
macro_rules! head_of {
    ($response:ty, $map:ty, $name:ty, $value:ty) => {
        impl<B> Head for $response {
            fn fields(&mut self) -> &mut impl Fields {
                self.headers_mut()
            }

            fn is_public(&self) -> bool {
                self.extensions().get::<Public>().is_some()
            }

            fn mark_failed(&mut self, error: Error, is_answered: bool) {
                let mark = ErrorMark { error, is_answered };
                self.extensions_mut().insert(mark);
            }
        }

        impl Fields for $map {
            fn values(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
                self.get_all(name).into_iter().map(|value| value.as_bytes())
            }

            fn set(&mut self, name: &'static str, value: &'static str) {
                let value = <$value>::from_static(value);
                self.insert(<$name>::from_static(name), value);
            }

            fn append(&mut self, name: &'static str, value: &'static str) {
                let value = <$value>::from_static(value);
                self.append(<$name>::from_static(name), value);
            }

            fn append_secret(&mut self, name: &'static str, value: &str) {
                if let Ok(mut value) = <$value>::try_from(value) {
                    value.set_sensitive(true);
                    self.append(<$name>::from_static(name), value);
                }
            }

            fn remove(&mut self, is_one: impl Fn(&str) -> bool) {
                let names = self.keys().filter(|name| is_one(name.as_str()));
                let names: Vec<$name> = names.cloned().collect();
                for name in names {
                    self.remove(name);
                }
            }
        }
    };
}

#[cfg(feature = "tower")]
head_of!(
    http::Response<B>,
    http::HeaderMap,
    http::HeaderName,
    http::HeaderValue
);
#[cfg(feature = "actix")]
head_of!(
    actix_web::HttpResponse<B>,
    actix_web::http::header::HeaderMap,
    actix_web::http::header::HeaderName,
    actix_web::http::header::HeaderValue
);
