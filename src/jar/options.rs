//! Converts [`CookieOptions`] to cookies of the crate `cookie`, and back. What one side cannot
//! express is an error: it is never dropped.

use cookie::{Cookie, CookieBuilder};

use crate::session::{CookieOptions, Error, InsecureHttp, SameSite};

/// Converts a session's name and attributes to those of a cookie without a value.
///
/// ```
/// use cookie::CookieBuilder;
/// use silverback::session::CookieOptions;
///
/// let options = CookieOptions::new().name("__Secure-cart")?.domain("example.com")?;
/// let cart = CookieBuilder::try_from(&options)?.build();
/// let attributes = "HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.com";
/// assert_eq!(cart.to_string(), format!("__Secure-cart=; {attributes}"));
/// # Ok::<(), silverback::session::Error>(())
/// ```
///
/// # Errors
/// Returns a usage error if the options do not fit together, or if a cookie cannot express them:
/// `insecure_http` (for loopback hosts only), `former_scope`, `remove_not_valid`, and
/// `persistent(true)`, whose Max-Age comes from the store's `Lifetime`.
impl TryFrom<&CookieOptions> for CookieBuilder<'static> {
    type Error = Error;

    fn try_from(options: &CookieOptions) -> Result<Self, Error> {
        options.check()?;
        refuse_settings_of_sessions(options)?;
        let cookie = Cookie::build(options.name.clone())
            .path(options.scope.path.clone())
            .http_only(options.http_only)
            .secure(options.secure)
            .same_site(to_cookie(options.same_site));
        let cookie = match &options.scope.domain {
            Some(domain) => cookie.domain(domain.clone()),
            None => cookie,
        };
        Ok(match options.partitioned {
            true => cookie.partitioned(true),
            false => cookie,
        })
    }
}

fn refuse_settings_of_sessions(options: &CookieOptions) -> Result<(), Error> {
    let settings = [
        (
            options.insecure_http == InsecureHttp::OnLoopback,
            "insecure_http() applies to loopback hosts only, which a cookie cannot express: leave it \
             out, or use insecure_http_everywhere()",
        ),
        (
            !options.former_scopes.is_empty(),
            "a cookie has one path and one domain: leave out former_scope, and remove the cookie \
             from that scope yourself",
        ),
        (
            options.removes_not_valid,
            "a cookie cannot remove refused cookies: leave out remove_not_valid",
        ),
        (
            options.is_persistent(false),
            "the Max-Age of a persistent session comes from the store's Lifetime: leave out \
             persistent(true), and set the Max-Age of the cookie",
        ),
    ];
    match settings.into_iter().find(|(is_set, _)| *is_set) {
        Some((_, remedy)) => Err(Error::usage(remedy)),
        None => Ok(()),
    }
}

fn to_cookie(same_site: SameSite) -> cookie::SameSite {
    match same_site {
        SameSite::Strict => cookie::SameSite::Strict,
        SameSite::Lax => cookie::SameSite::Lax,
        SameSite::None => cookie::SameSite::None,
    }
}

/// Converts a cookie without a value to the options of a session.
///
/// ```
/// use cookie::{Cookie, SameSite};
/// use silverback::session::CookieOptions;
///
/// let cookie = Cookie::build("__Host-shop").path("/").secure(true).http_only(true);
/// let options = CookieOptions::try_from(&cookie.same_site(SameSite::Strict).build())?;
/// # let expected = CookieOptions::new().name("__Host-shop")?;
/// # assert_eq!(options, expected.same_site(silverback::session::SameSite::Strict));
/// # Ok::<(), silverback::session::Error>(())
/// ```
///
/// A cookie without Secure becomes
/// [`insecure_http_everywhere`](CookieOptions::insecure_http_everywhere), and a cookie without
/// HttpOnly [`readable_by_scripts`](CookieOptions::readable_by_scripts).
///
/// # Errors
/// Returns the errors of the options' setters, and a usage error
/// - if the options do not fit together;
/// - if the cookie has no Path or no SameSite, which means something else in each browser or on each
///   page;
/// - if it has a value, a Max-Age or an Expires, which the session and its `Lifetime` decide.
impl TryFrom<&Cookie<'_>> for CookieOptions {
    type Error = Error;

    fn try_from(cookie: &Cookie<'_>) -> Result<Self, Error> {
        refuse_attributes_of_cookies(cookie)?;
        let mut options = CookieOptions::new();
        if !is_secure(cookie) {
            options = options.insecure_http_everywhere();
        }
        // Without Secure, the options drop the prefix of the name they have at that time.
        options = options.name(cookie.name())?;
        if cookie.http_only() != Some(true) {
            options = options.readable_by_scripts();
        }
        if cookie.partitioned() == Some(true) {
            options = options.partitioned();
        }
        if let Some(domain) = cookie.domain() {
            options = options.domain(domain)?;
        }
        options = options
            .path(required(cookie.path(), "Path")?)?
            .same_site(of_cookie(required(cookie.same_site(), "SameSite")?));
        options.check()?;
        Ok(options)
    }
}

fn refuse_attributes_of_cookies(cookie: &Cookie<'_>) -> Result<(), Error> {
    if !cookie.value().is_empty() {
        return Err(Error::usage(
            "the cookie has a value, which the session decides: leave it empty",
        ));
    }
    if cookie.max_age().is_some() || cookie.expires_datetime().is_some() {
        return Err(Error::usage(
            "the cookie has a Max-Age or an Expires, which the store's Lifetime decides: leave it \
             out, and use CookieOptions::persistent",
        ));
    }
    Ok(())
}

fn required<T>(attribute: Option<T>, name: &str) -> Result<T, Error> {
    attribute.ok_or_else(|| {
        Error::usage(format!(
            "the cookie has no {name}, so that the browser would choose it: set it"
        ))
    })
}

/// Returns whether the crate `cookie` writes Secure.
fn is_secure(cookie: &Cookie<'_>) -> bool {
    match cookie.secure() {
        _ if cookie.partitioned() == Some(true) => true,
        None => cookie.same_site() == Some(cookie::SameSite::None),
        Some(secure) => secure,
    }
}

fn of_cookie(same_site: cookie::SameSite) -> SameSite {
    match same_site {
        cookie::SameSite::Strict => SameSite::Strict,
        cookie::SameSite::Lax => SameSite::Lax,
        cookie::SameSite::None => SameSite::None,
    }
}
