//! Header fields between a framework and [`Sessions`], once for both kinds of header maps:
//! that of the `http` crate (tower, axum), and actix-web's.

use crate::session::{Error, ResponseFields, Sessions, Stores, client_host};

/// The header fields of a request or a response.
pub(super) trait Fields {
    /// The values of a field, in their order.
    fn values(&self, name: &'static str) -> impl Iterator<Item = &[u8]>;

    /// Puts one value in place of all there are.
    fn set(&mut self, name: &'static str, value: &'static str);

    /// Adds a value to those there are.
    fn append(&mut self, name: &'static str, value: &'static str);

    /// Adds a value that is neither logged nor kept in compression tables.
    fn append_secret(&mut self, name: &'static str, value: &str);

    /// Removes all fields whose name, in lower case, is one of those.
    fn remove(&mut self, is_one: impl Fn(&str) -> bool);
}

const CACHE_CONTROL: &str = "cache-control";
const RETRY_AFTER: &str = "retry-after"; // in seconds
const VARY: &str = "vary";

/// The sessions of a request: its target's authority, if it has one, is the host. The path is
/// that of the target.
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

/// Moves the sessions' fields to a response, which the application may have declared public.
pub(super) fn add(fields: ResponseFields, is_public: bool, headers: &mut impl Fields) {
    let fields = match is_public {
        true => fields.of_public_response(),
        false => fields,
    };
    for set_cookie in fields.set_cookies() {
        headers.append_secret("set-cookie", set_cookie);
    }
    if let Some(cache_control) = fields.cache_control(texts(headers, CACHE_CONTROL)) {
        headers.set(CACHE_CONTROL, cache_control);
    }
    if fields.wants_vary(texts(headers, VARY)) {
        headers.append(VARY, "Cookie");
    }
    headers.remove(|name| fields.removes(name));
}

/// Adds what the response to a session error carries: the fields of the abandoned sessions; no
/// cache keeps it, and where too many saves were in flight, the client is asked to retry.
pub(super) fn add_to_error(
    error: &Error,
    fields: Option<ResponseFields>,
    headers: &mut impl Fields,
) {
    if let Some(fields) = fields {
        add(fields, false, headers);
    }
    headers.set(CACHE_CONTROL, "no-store");
    headers.remove(ResponseFields::is_targeted);
    if error.is_overloaded() && headers.values(RETRY_AFTER).next().is_none() {
        headers.set(RETRY_AFTER, "1");
    }
}

/// The values of a field that are text.
fn texts<'h>(headers: &'h impl Fields, name: &'static str) -> impl Iterator<Item = &'h str> {
    let values = headers.values(name);
    values.filter_map(|value| std::str::from_utf8(value).ok())
}

/// Both header maps have the same methods under the same names, with types of their own.
macro_rules! fields_of {
    ($map:ty, $name:ty, $value:ty) => {
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
fields_of!(http::HeaderMap, http::HeaderName, http::HeaderValue);
#[cfg(feature = "actix")]
fields_of!(
    actix_web::http::header::HeaderMap,
    actix_web::http::header::HeaderName,
    actix_web::http::header::HeaderValue
);
