//! [`safe_cookie`]: a cookie with safe attributes.

use cookie::{Cookie, CookieBuilder, SameSite};

/// Returns the cookie with `Path=/; HttpOnly; Secure; SameSite=Lax`. The builder's methods change
/// these attributes and add others.
///
/// Without a `Max-Age`, the browser drops the cookie when it closes. The codec's `max_age` holds in
/// both cases.
///
/// ```
/// use cookie::time::Duration;
/// use silverback::jar::safe_cookie;
///
/// let cookie = safe_cookie(("theme", "dark")).max_age(Duration::days(30)).build();
/// let attributes = "HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2592000";
/// assert_eq!(cookie.to_string(), format!("theme=dark; {attributes}"));
/// ```
///
/// Browsers keep a cookie whose name begins with `__Host-` only with these attributes and without a
/// domain. No other host can set such a cookie.
#[must_use]
pub fn safe_cookie(cookie: impl Into<Cookie<'static>>) -> CookieBuilder<'static> {
    CookieBuilder::from(cookie.into())
        .path("/")
        .http_only(true)
        .secure(true)
        .same_site(SameSite::Lax)
}
