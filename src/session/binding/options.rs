//! [`BindingOptions`]: the binding of a store's logins to the devices of its clients.

use std::time::Duration;

use super::super::Error;

/// The options of a store's [device binding](super).
///
/// ```
/// use std::time::Duration;
/// use silverback::session::ServerOptions;
/// use silverback::session::binding::BindingOptions;
///
/// let binding = BindingOptions::new("/session")?
///     .required(["/login"])
///     .cookie_life(Duration::from_secs(300))
///     .exclude("/static")?;
/// let options = ServerOptions::new().binding(binding);
/// # Ok::<(), silverback::session::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct BindingOptions {
    pub(super) path: String,
    /// The paths of logins, if the binding is required.
    pub(super) required: Option<Vec<String>>,
    pub(super) cookie_life: Duration,
    pub(super) excluded: Vec<String>,
}

impl BindingOptions {
    /// Creates the options of a binding that is offered and not required, with a bound cookie of 10
    /// minutes. The endpoints are `PATH/registration` and `PATH/refresh`.
    ///
    /// # Errors
    /// Returns a usage error if the path is not an absolute path of unreserved characters.
    pub fn new(path: impl Into<String>) -> Result<Self, Error> {
        let path = path.into();
        Ok(BindingOptions {
            path: checked_path(path.trim_end_matches('/'))?,
            required: None,
            cookie_life: Duration::from_secs(600),
            excluded: Vec::new(),
        })
    }

    /// Refuses requests of a session that is bound, unless they have its bound cookie: with 403 and
    /// a challenge, before any handler sees the session. Sessions of clients that never registered a
    /// key, such as browsers without this feature, go on as before.
    ///
    /// `logins` are the exact paths by which a user logs in, and of each step of it: the page with
    /// the form, and its target. There, such a request gets a new session with the refusal
    /// [`Unproven`](super::super::Refusal::Unproven), which replaces the other once it is written
    /// to. Without them, a user whose browser has lost the key could not log in until the session
    /// expires.
    ///
    /// A [`CookieStore`](super::super::CookieStore) refuses this option: see
    /// [stores](super#stores).
    ///
    /// Without this option, handlers decide by
    /// [`Session::require_bound`](super::super::Session::require_bound) and
    /// [`Session::binding`](super::super::Session::binding).
    pub fn required<P: Into<String>>(self, logins: impl IntoIterator<Item = P>) -> Self {
        BindingOptions {
            required: Some(logins.into_iter().map(Into::into).collect()),
            ..self
        }
    }

    /// Sets how long a bound cookie is good: the longest time for which copied cookies work on
    /// another device. Default: 10 minutes. The browser refreshes the cookie about as often, with
    /// one request.
    ///
    /// The server accepts the cookie for a tenth of that time longer, for requests on their way.
    pub fn cookie_life(self, life: Duration) -> Self {
        BindingOptions {
            cookie_life: life,
            ..self
        }
    }

    /// Lets requests to paths that begin with `path` go without a refresh of the bound cookie: for
    /// files that need no session.
    ///
    /// # Errors
    /// Returns a usage error if the path is not an absolute path of unreserved characters.
    pub fn exclude(mut self, path: impl Into<String>) -> Result<Self, Error> {
        self.excluded.push(checked_path(&path.into())?);
        Ok(self)
    }

    pub(in super::super) fn is_required(&self) -> bool {
        self.required.is_some()
    }

    /// Returns the path of the endpoint that registers keys.
    pub(super) fn registration_path(&self) -> String {
        format!("{}/registration", self.path)
    }

    /// Returns the path of the endpoint that refreshes the bound cookie.
    pub(super) fn refresh_path(&self) -> String {
        format!("{}/refresh", self.path)
    }

    /// Refuses a life of less than a second or more than a day, and a path that no request has.
    pub(super) fn check(&self) -> Result<(), Error> {
        if !(1..=86_400).contains(&self.cookie_life.as_secs()) {
            return Err(Error::usage(
                "the binding's cookie_life is less than a second or more than a day: set it to minutes",
            ));
        }
        let mut logins = self.required.iter().flatten();
        match logins.find(|login| !login.starts_with('/')) {
            Some(login) => Err(Error::usage(format!(
                "the path {login:?} of a login does not begin with a slash, so no request has it"
            ))),
            None => Ok(()),
        }
    }
}

/// Returns a path that needs no encoding in a field or in JSON (RFC 3986, section 3.3).
fn checked_path(path: &str) -> Result<String, Error> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let is_normal = |segment: &str| !matches!(segment, "" | "." | "..");
    let segments = path.strip_prefix('/').unwrap_or_default();
    match segments.split('/').all(is_normal) && path.bytes().all(is_fine) {
        true => Ok(path.to_owned()),
        false => Err(Error::usage(format!(
            "the path {path:?} of a binding is not usable: begin it with a slash, and use letters, \
             digits and -._~ only"
        ))),
    }
}
