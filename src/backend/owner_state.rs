//! [`OwnerState`]: the rules of an owner's record, for backends whose server does not apply them.

use super::{Expiry, Generation, Login};

/// The record of an owner, without the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OwnerState {
    pub(super) generation: Generation,
    /// The number of logins that have begun.
    pub(super) logins: u64,
    /// The login that the last revocation kept.
    pub(super) kept: Option<Login>,
    /// The time from which the record is missing.
    pub(super) expiry: Expiry,
}

/// A change to an owner's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnerChange {
    /// Only keeps the record longer, as all changes do.
    Extend,
    /// Counts a login.
    Begin,
    /// Sets another generation, and keeps a login if its records are live.
    Revoke { keep: Option<Login> },
}

impl OwnerState {
    /// Returns the record after `change`, kept to `until` at least. If there is no live record
    /// `before`, a new one takes its place.
    ///
    /// `fresh` is a random generation, which a revocation sets and a new record gets.
    pub(super) fn after(
        change: OwnerChange,
        before: Option<&Self>,
        until: Expiry,
        fresh: Generation,
        now: Expiry,
    ) -> Self {
        let mut state = match before {
            Some(live) if live.is_live(now) => live.clone(),
            _ => OwnerState::new(fresh, until),
        };
        state.expiry = state.expiry.max(until);
        match change {
            OwnerChange::Extend => {}
            OwnerChange::Begin => state.logins += 1,
            OwnerChange::Revoke { keep } => {
                state.kept = keep.filter(|login| state.lets_live(login));
                state.generation = fresh;
            }
        }
        state
    }

    fn new(generation: Generation, expiry: Expiry) -> Self {
        OwnerState {
            generation,
            logins: 0,
            kept: None,
            expiry,
        }
    }

    /// Returns whether the record is live. An expired record counts as missing.
    pub(super) fn is_live(&self, now: Expiry) -> bool {
        self.expiry > now
    }

    /// Returns whether the records of that login are live, as long as this record is.
    pub(super) fn lets_live(&self, login: &Login) -> bool {
        self.generation == login.generation || self.kept.as_ref() == Some(login)
    }

    /// Returns the login that began last.
    pub(super) fn last_login(&self) -> Login {
        Login {
            generation: self.generation,
            number: self.logins,
        }
    }
}

/// Implements [`Generations`](super::Generations) and [`Owners`](super::Owners) for a backend with
/// the methods `live_owner`, which reads an owner, and `change_owner`, which applies a change. The
/// block has the methods of `Owners` that list records.
#[cfg(any(
    feature = "files",
    feature = "redis",
    feature = "memcached",
    feature = "etcd"
))]
macro_rules! owners_by_state {
    ($backend:ident { $($lists:tt)* }) => {
        #[async_trait]
        impl Generations for $backend {
            async fn generation(&self, owner: &OwnerName) -> Result<Option<Generation>, Error> {
                let live = self.live_owner(owner).await?;
                Ok(live.map(|state| state.generation))
            }

            async fn extend(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
                let extended = self.change_owner(owner, until, OwnerChange::Extend).await?;
                Ok(extended.generation)
            }

            async fn revoke(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
                let revoke = OwnerChange::Revoke { keep: None };
                Ok(self.change_owner(owner, until, revoke).await?.generation)
            }
        }

        #[async_trait]
        impl Owners for $backend {
            /// The write that creates the login's record also lists it.
            async fn begin(
                &self,
                owner: &OwnerName,
                until: Expiry,
                _: &Key,
            ) -> Result<Login, Error> {
                let begun = self.change_owner(owner, until, OwnerChange::Begin).await?;
                Ok(begun.last_login())
            }

            async fn revoke_except(
                &self,
                owner: &OwnerName,
                until: Expiry,
                keep: &Login,
            ) -> Result<Generation, Error> {
                let revoke = OwnerChange::Revoke { keep: Some(*keep) };
                Ok(self.change_owner(owner, until, revoke).await?.generation)
            }

            $($lists)*
        }
    };
}
#[cfg(any(
    feature = "files",
    feature = "redis",
    feature = "memcached",
    feature = "etcd"
))]
pub(super) use owners_by_state;

#[cfg(test)]
mod tests {
    use super::OwnerChange::{Begin, Extend, Revoke};
    use super::*;

    const NOW: Expiry = Expiry::from_millis(1_000);
    const SOON: Expiry = Expiry::from_millis(2_000);

    fn at(millis: i64) -> Expiry {
        Expiry::from_millis(millis)
    }

    /// Applies a change, with the generation of that number.
    fn after(before: &OwnerState, change: OwnerChange, fresh: u128) -> OwnerState {
        OwnerState::after(change, Some(before), SOON, fresh.into(), NOW)
    }

    fn revoked(before: &OwnerState, keep: Login, fresh: u128) -> OwnerState {
        after(before, Revoke { keep: Some(keep) }, fresh)
    }

    fn first(change: OwnerChange) -> OwnerState {
        OwnerState::after(change, None, SOON, 1.into(), NOW)
    }

    #[test]
    fn a_missing_record_is_created() {
        let stranger = Login {
            generation: 7.into(),
            number: 1,
        };
        let keep = Some(stranger);
        for (change, logins) in [(Extend, 0), (Begin, 1), (Revoke { keep }, 0)] {
            let created = first(change);
            let expected = OwnerState {
                logins,
                ..OwnerState::new(1.into(), SOON)
            };
            assert_eq!(created, expected);
            assert!(created.is_live(NOW) && !created.is_live(SOON));
            // An expired record counts as missing, from its expiry on.
            let again = OwnerState::after(change, Some(&created), at(9_000), 2.into(), SOON);
            let expected = OwnerState {
                logins,
                ..OwnerState::new(2.into(), at(9_000))
            };
            assert_eq!(again, expected);
        }
    }

    #[test]
    fn a_change_never_shortens_an_expiry() {
        for change in [Extend, Begin, Revoke { keep: None }] {
            let before = first(Extend);
            for (until, expiry) in [(at(0), SOON), (at(3_000), at(3_000))] {
                let state = OwnerState::after(change, Some(&before), until, 2.into(), NOW);
                assert_eq!(state.expiry, expiry);
            }
        }
    }

    #[test]
    fn logins_are_counted_across_generations() {
        let one = first(Begin);
        let two = after(&one, Begin, 2);
        assert_eq!([one.last_login().number, two.last_login().number], [1, 2]);
        assert_eq!(two.generation, one.generation);
        assert_eq!(after(&two, Extend, 2), two);
        let revoked = after(&two, Revoke { keep: None }, 2);
        assert_eq!((revoked.generation, revoked.logins), (2.into(), 2));
        let three = after(&revoked, Begin, 3).last_login();
        assert_eq!((three.generation, three.number), (2.into(), 3));
    }

    #[test]
    fn a_revocation_keeps_only_the_named_live_login() {
        let state = after(&first(Begin), Begin, 2);
        let [one, two] = [1, 2].map(|number| Login {
            number,
            ..state.last_login()
        });
        assert!(state.lets_live(&one) && state.lets_live(&two));
        let kept = revoked(&state, one, 2);
        assert!(kept.lets_live(&one) && !kept.lets_live(&two));
        // A login that was kept can be kept again. A login that was revoked cannot.
        let again = revoked(&kept, one, 3);
        assert!(again.lets_live(&one) && !again.lets_live(&two));
        let other = revoked(&kept, two, 3);
        assert!(!other.lets_live(&one) && !other.lets_live(&two));
        let none = after(&kept, Revoke { keep: None }, 3);
        assert!(!none.lets_live(&one));
        // A login of another generation cannot be kept either.
        let foreign = Login {
            generation: 9.into(),
            ..one
        };
        assert_eq!(revoked(&state, foreign, 2).kept, None);
    }
}
