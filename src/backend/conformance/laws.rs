//! [`LAWS`]: the list of all laws.

use std::pin::Pin;
use std::sync::Arc;

use super::super::{Backend, Owners};
use super::{KeySpace, changes, logins, moves, owners, records, scans};

/// A law, or a part of one.
#[derive(Clone, Copy, Debug)]
pub struct Law {
    /// The law's number in the list of the [module](super::super).
    pub number: u8,
    /// The law's name, as a test's.
    pub name: &'static str,
    /// The operations that a backend needs for the law.
    pub needs: Needs,
    /// The test. Panics if the backend breaks the law, or lacks the operations it needs.
    pub run: fn(Arc<dyn Backend>, KeySpace) -> Running,
}

impl Law {
    /// Returns whether the backend has the operations that the law is about.
    #[must_use]
    pub fn applies_to(&self, backend: &dyn Backend) -> bool {
        match self.needs {
            Needs::Nothing => true,
            Needs::Owners => backend.owners().is_some(),
            Needs::Lists => backend.owners().is_some_and(Owners::can_list),
            Needs::Moves => backend.moves().is_some(),
            Needs::Scan => backend.scan().is_some(),
            Needs::Changes => backend.changes().is_some(),
            Needs::OwnersAndChanges => backend.owners().is_some() && backend.changes().is_some(),
        }
    }
}

/// Operations that a law is about and that a backend may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needs {
    /// The law is about operations that all backends have.
    Nothing,
    /// [`Backend::owners`].
    Owners,
    /// [`Backend::owners`] that [can list](Owners::can_list).
    Lists,
    /// [`Backend::moves`].
    Moves,
    /// [`Backend::scan`].
    Scan,
    /// [`Backend::changes`].
    Changes,
    /// [`Backend::owners`] and [`Backend::changes`].
    OwnersAndChanges,
}

/// A law that is running.
pub type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! laws {
    ($($number:literal $needs:ident $group:ident::$name:ident;)+) => {
        /// All laws, in the order of the [module](super::super)'s list.
        pub const LAWS: &[Law] = &[$(Law {
            number: $number,
            name: stringify!($name),
            needs: Needs::$needs,
            run: |backend, keys| Box::pin($group::$name(backend, keys)),
        }),+];
    };
}

laws! {
    1 Nothing records::a_missing_record_loads_as_none;
    2 Nothing records::an_expired_record_counts_as_missing;
    2 Nothing records::a_record_expires_by_itself;
    3 Nothing records::create_has_one_winner;
    4 Nothing records::a_stale_revision_is_a_conflict;
    4 Nothing records::swap_has_one_winner;
    4 Nothing records::no_update_is_lost;
    4 Nothing records::no_revision_is_reused;
    5 Nothing records::update_after_remove_is_gone;
    5 Nothing records::a_second_remove_is_gone;
    5 Nothing records::remove_and_swap_have_one_winner;
    6 Nothing records::touch_changes_the_expiry_only;
    7 Nothing records::all_bytes_are_kept;
    7 Nothing records::keys_are_opaque;
    8 Nothing records::far_expiries_are_right;
    9 Scan scans::purge_removes_expired_records_only;
    9 Scan scans::a_scan_returns_the_live_records;
    10 Owners owners::a_revoked_owner_has_no_records;
    10 Owners owners::names_are_opaque_up_to_their_bound;
    10 Owners owners::a_kept_login_survives_a_revocation;
    10 Owners owners::a_revoked_login_cannot_be_kept;
    10 Owners owners::a_login_of_another_owner_cannot_be_kept;
    10 Owners owners::an_expired_login_cannot_be_kept;
    10 Owners owners::a_record_needs_its_owners_record;
    10 Owners owners::an_owners_expiry_is_never_shortened;
    10 Owners owners::an_owners_expiry_can_be_extended;
    10 Owners owners::an_expired_owner_begins_a_new_generation;
    10 Lists owners::a_record_is_listed_with_its_owner_only;
    10 Lists owners::a_record_that_moves_is_always_listed;
    10 Owners owners::a_concurrent_write_does_not_survive_a_revocation;
    10 Lists owners::two_thousand_records_of_an_owner_end_together;
    10 Owners logins::concurrent_logins_have_distinct_numbers;
    10 Owners logins::a_later_login_has_a_greater_number;
    10 Lists logins::a_login_is_listed_at_once;
    11 Moves moves::a_move_is_atomic;
    11 Moves moves::a_move_needs_the_current_revision;
    11 Moves moves::a_move_to_a_key_in_use_is_refused;
    11 Moves moves::moves_and_swaps_have_one_winner;
    12 Nothing records::a_ping_is_answered;
    13 Nothing records::many_loads_are_loads;
    13 Owners owners::many_loads_follow_the_owners;
    14 Changes changes::a_changed_record_is_reported;
    14 Changes changes::a_dropped_wait_loses_no_report;
    14 Changes changes::two_thousand_changes_can_be_wanted;
    14 OwnersAndChanges changes::a_revocation_is_reported;
}
