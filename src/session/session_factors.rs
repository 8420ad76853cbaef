//! How and when the user of a [`Session`] proved who they are: factors, levels, and a recent proof.

use std::time::Duration;

use crate::codec::UnixTime;

use super::factors::Factor;
use super::{Error, Session};

/// Factors and step-up.
///
/// A login begins with [`login`](Session::login). [`authenticate`](Session::authenticate) records
/// the factors with which the user proved their identity, at the login and whenever the application
/// asks for one again. Handlers then require a recent proof, or several kinds of factors (OWASP ASVS
/// 5.0, 7.5.1 and 7.5.3):
///
/// ```
/// use std::time::Duration;
/// use silverback::session::{Error, Factor, Session};
///
/// fn log_in(session: &Session) -> Result<(), Error> {
///     // .. after the password was checked ..
///     session.login("ape")?;
///     session.authenticate([Factor::Password])
/// }
///
/// fn confirm(session: &Session) -> Result<(), Error> {
///     // .. after the code was checked ..
///     session.authenticate([Factor::Otp])
/// }
///
/// fn send_money(session: &Session) -> Result<(), Error> {
///     session.require_level(2)?;
///     session.require_fresh(Duration::from_secs(600))?;
///     Ok(())
/// }
/// # use silverback::{codec::KeyPairs, session::{CookieStore, testing::Jar}};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = CookieStore::new(KeyPairs::generate(1)?)?;
/// # let jar = Jar::with(store.clone(), log_in).await?;
/// # let session = jar.session(store).await?;
/// # assert!(send_money(&session).unwrap_err().is_level_too_low());
/// # confirm(&session)?;
/// # send_money(&session)?;
/// # Ok(())
/// # }
/// ```
///
/// The guards [`require_fresh`](crate::web::guard::require_fresh) and
/// [`require_level`](crate::web::guard::require_level) check the same for whole routes.
impl Session {
    /// Records that the user has just proved their identity by these factors: right after
    /// [`login`](Session::login), or later, on a page that asks for a password or a code once more.
    /// The application checks the proofs. The session gets a [new ID](Session::renew), since its
    /// rights grow.
    ///
    /// The values, the limits and [`bind_credentials`](Session::bind_credentials) stay. A login
    /// removes all factors.
    ///
    /// Versions of this crate before this method existed cannot read such sessions: update all
    /// instances of a service before the first call.
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error, and a usage error if there is no login or no
    /// factor.
    #[doc(alias = "step-up")]
    #[doc(alias = "mfa")]
    pub fn authenticate(&self, factors: impl IntoIterator<Item = Factor>) -> Result<(), Error> {
        let factors: Vec<Factor> = factors.into_iter().collect();
        if factors.is_empty() {
            return Err(Error::usage(
                "authenticate has no factor to record: name at least one",
            ));
        }
        let owner = self
            .owner()
            .ok_or_else(|| Error::usage("no user is logged in: call login before authenticate"))?;
        let now = self.setup().now();
        self.state().change(move |data| {
            // If another request has logged another user in, the factors are not that user's.
            let current = data.metadata.owner();
            if current.is_some_and(|current| current.as_str() == owner) {
                for factor in &factors {
                    data.metadata.factors.note(*factor, now);
                }
            }
            Ok(())
        })?;
        self.state().renew(None)
    }

    /// Returns when the user last proved their identity: the time of the login, or of the last
    /// [`authenticate`](Session::authenticate). Returns `None` without a login.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<UnixTime> {
        self.state().data.metadata.authenticated_at()
    }

    /// Returns the factors that were [recorded](Session::authenticate) since the login, each with
    /// the time of its last use.
    #[must_use]
    #[doc(alias = "amr")]
    pub fn factors(&self) -> Vec<(Factor, UnixTime)> {
        self.state().data.metadata.factors.iter().collect()
    }

    /// Returns the level of the login: how many [kinds](Factor::kind) of factors the user has given
    /// since the login. A login without recorded factors has level 1. Without a login, the level is
    /// 0.
    #[must_use]
    #[doc(alias = "acr")]
    #[doc(alias = "aal")]
    pub fn level(&self) -> u8 {
        let now = self.setup().now();
        self.state().data.metadata.level(None, now)
    }

    /// Requires a proof of identity that is not older than `age`: a login, or one by any factor.
    /// Use it before a password is changed, or money is sent.
    ///
    /// # Errors
    /// Returns a [not fresh](Error::is_not_fresh) error if the proof is older, or if there is no
    /// login.
    pub fn require_fresh(&self, age: Duration) -> Result<(), Error> {
        let now = self.setup().now();
        match self.authenticated_at() {
            Some(at) if now.saturating_duration_since(at) <= age => Ok(()),
            _ => Err(Error::not_fresh()),
        }
    }

    /// Requires a login of that [level](Session::level).
    ///
    /// # Errors
    /// Returns a [level too low](Error::is_level_too_low) error otherwise.
    pub fn require_level(&self, level: u8) -> Result<(), Error> {
        self.check_level(level, None)
    }

    /// Requires a login of that [level](Session::level), and counts only the factors that were used
    /// at most `age` ago.
    ///
    /// # Errors
    /// Returns a [level too low](Error::is_level_too_low) error otherwise.
    pub fn require_fresh_level(&self, level: u8, age: Duration) -> Result<(), Error> {
        self.check_level(level, Some(age))
    }

    fn check_level(&self, level: u8, age: Option<Duration>) -> Result<(), Error> {
        let now = self.setup().now();
        match self.state().data.metadata.level(age, now) >= level {
            true => Ok(()),
            false => Err(Error::level_too_low()),
        }
    }
}
