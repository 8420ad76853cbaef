//! [`Factor`]: a means by which a user proves an identity. [`Factors`]: the factors of a login, each
//! with the time of its last use.

use std::fmt;
use std::time::Duration;

use crate::codec::UnixTime;

/// A means by which a user proves an identity: a password, a code, a key.
///
/// [`Session::authenticate`](super::Session::authenticate) records the factors of a login. The
/// [level](super::Session::level) of a login counts their [kinds](FactorKind). The names in
/// [`amr`](Factor::amr) are those of RFC 8176, which OpenID Connect's claim `amr` uses.
///
/// ```
/// use silverback::session::{Factor, FactorKind};
///
/// assert_eq!(Factor::Otp.kind(), FactorKind::Possession);
/// assert_eq!(Factor::from_amr("pwd"), Some(Factor::Password));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Factor {
    /// A password.
    Password,
    /// A PIN that the server checks.
    Pin,
    /// A one-time code of an app or a device (RFC 6238, RFC 4226), or a recovery code.
    Otp,
    /// A one-time code in a text message.
    Sms,
    /// A key that a device protects, such as a security key or a passkey bound to a device.
    HardwareKey,
    /// A key in software, such as a passkey that is synchronized between devices.
    SoftwareKey,
    /// The check of a fingerprint.
    Fingerprint,
    /// The check of a face.
    Face,
    /// The device has verified its user by a PIN or by biometrics, as the flag `UV` of WebAuthn
    /// reports.
    UserVerified,
}

/// The three kinds of factors (NIST SP 800-63B): two passwords are not two factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FactorKind {
    /// A secret that the user knows.
    Knowledge,
    /// A device or a key that the user has.
    Possession,
    /// A property of the user, or a check by the user's device.
    Inherence,
}

impl Factor {
    const ALL: [Factor; 9] = [
        Factor::Password,
        Factor::Pin,
        Factor::Otp,
        Factor::Sms,
        Factor::HardwareKey,
        Factor::SoftwareKey,
        Factor::Fingerprint,
        Factor::Face,
        Factor::UserVerified,
    ];

    /// Returns the kind of the factor.
    #[must_use]
    pub fn kind(self) -> FactorKind {
        match self {
            Factor::Password | Factor::Pin => FactorKind::Knowledge,
            Factor::Otp | Factor::Sms | Factor::HardwareKey | Factor::SoftwareKey => {
                FactorKind::Possession
            }
            Factor::Fingerprint | Factor::Face | Factor::UserVerified => FactorKind::Inherence,
        }
    }

    /// Returns the factor's name in RFC 8176, section 2. [`UserVerified`](Factor::UserVerified) has
    /// none there, and is called `uv`.
    #[must_use]
    pub fn amr(self) -> &'static str {
        match self {
            Factor::Password => "pwd",
            Factor::Pin => "pin",
            Factor::Otp => "otp",
            Factor::Sms => "sms",
            Factor::HardwareKey => "hwk",
            Factor::SoftwareKey => "swk",
            Factor::Fingerprint => "fpt",
            Factor::Face => "face",
            Factor::UserVerified => "uv",
        }
    }

    /// Returns the factor with that name in RFC 8176, or `None` if it is not listed here.
    #[must_use]
    pub fn from_amr(name: &str) -> Option<Self> {
        Factor::ALL.into_iter().find(|factor| factor.amr() == name)
    }
}

/// The factors of a login, each with the time of its last use, in the order of [`Factor`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Factors(Vec<(Factor, UnixTime)>);

impl Factors {
    /// Notes the use of a factor.
    pub(super) fn note(&mut self, factor: Factor, at: UnixTime) {
        match self.0.binary_search_by_key(&factor, |(of, _)| *of) {
            Ok(place) => {
                if let Some((_, noted)) = self.0.get_mut(place) {
                    *noted = at.max(*noted);
                }
            }
            Err(place) => self.0.insert(place, (factor, at)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Factor, UnixTime)> {
        self.0.iter().copied()
    }

    /// Returns the time of the last use of any factor.
    pub(super) fn latest(&self) -> Option<UnixTime> {
        self.iter().map(|(_, at)| at).max()
    }

    /// Returns how many kinds of factors were used in the time `age` before `now`. Without an age,
    /// all of them count.
    pub(super) fn kinds(&self, age: Option<Duration>, now: UnixTime) -> u8 {
        let is_fresh = |at| age.is_none_or(|age| now.saturating_duration_since(at) <= age);
        let has = |kind| {
            let mut fresh = self.iter().filter(|(_, at)| is_fresh(*at));
            fresh.any(|(factor, _)| factor.kind() == kind)
        };
        [
            FactorKind::Knowledge,
            FactorKind::Possession,
            FactorKind::Inherence,
        ]
        .into_iter()
        .map(|kind| u8::from(has(kind)))
        .sum()
    }

    /// Parses the text, in which every factor stands once and in order.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let factors = text.split(',').map(|part| {
            let (name, at) = part.split_once('@')?;
            let at = at.parse().ok().map(UnixTime::from_secs)?;
            Some((Factor::from_amr(name)?, at))
        });
        let factors: Vec<_> = factors.collect::<Option<_>>()?;
        let is_sorted = factors.is_sorted_by(|(one, _), (next, _)| one < next);
        is_sorted.then_some(Factors(factors))
    }
}

/// Writes the text: `pwd@1700000000,otp@1700000007`.
impl fmt::Display for Factors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (factor, at)) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{}@{}", factor.amr(), at.as_secs())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_secs(seconds)
    }

    #[test]
    fn factors_come_back_from_their_text() {
        let mut factors = Factors::default();
        for (second, factor) in Factor::ALL.into_iter().rev().enumerate() {
            factors.note(factor, at(second as u64));
            assert_eq!(Factor::from_amr(factor.amr()), Some(factor));
            assert_eq!(Factors::parse(&factors.to_string()), Some(factors.clone()));
        }
        assert_eq!(factors.iter().count(), Factor::ALL.len());
        for wrong in [
            "",
            "pwd",
            "pwd@",
            "pwd@x",
            "abc@1",
            "pwd@1,",
            ",pwd@1",
            "pwd@1,pwd@2",
            "otp@1,pwd@1",
        ] {
            assert_eq!(Factors::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_level_counts_kinds_and_not_factors() {
        let mut factors = Factors::default();
        let level = |factors: &Factors, age: Option<u64>| {
            factors.kinds(age.map(Duration::from_secs), at(1_000))
        };
        assert_eq!(level(&factors, None), 0);
        factors.note(Factor::Password, at(100));
        factors.note(Factor::Pin, at(900));
        assert_eq!((level(&factors, None), level(&factors, Some(10))), (1, 0));
        factors.note(Factor::HardwareKey, at(990));
        assert_eq!((level(&factors, None), level(&factors, Some(10))), (2, 1));
        assert_eq!(level(&factors, Some(100)), 2);
        factors.note(Factor::Face, at(1_000));
        assert_eq!(level(&factors, None), 3);
        // A request with an older clock does not make a factor older.
        factors.note(Factor::Face, at(5));
        assert_eq!(level(&factors, Some(0)), 1);
    }
}
