//! Law 10: the logins that records belong to.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::{Backend, Login};
use super::{KeySpace, begin_login, concurrently, create, owned, owners_of, soon};

pub(super) async fn concurrent_logins_have_distinct_numbers(
    backend: Arc<dyn Backend>,
    keys: KeySpace,
) {
    const LOGINS: u64 = 32;
    let ape = keys.owner("ape");
    let logins = concurrently(LOGINS as usize, |_| {
        let (backend, keys, ape) = (backend.clone(), keys.clone(), ape.clone());
        async move { begin_login(&*backend, &keys, &ape).await }
    });
    let logins: Vec<Login> = logins.await;
    let numbers: BTreeSet<u64> = logins.iter().map(|login| login.number).collect();
    assert_eq!(numbers, (1..=LOGINS).collect());
    let generation = owners_of(&*backend).generation(&ape).await.unwrap();
    let is_current = |login: &Login| Some(login.generation) == generation;
    assert!(
        logins.iter().all(is_current),
        "the logins have different generations"
    );
}

pub(super) async fn a_later_login_has_a_greater_number(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let (ape, bonobo) = (keys.owner("ape"), keys.owner("bonobo"));
    let one = begin_login(&*backend, &keys, &ape).await;
    let two = begin_login(&*backend, &keys, &ape).await;
    assert_eq!([one.number, two.number], [1, 2]);
    // Another owner's login and an extension are not counted.
    assert_eq!(begin_login(&*backend, &keys, &bonobo).await.number, 1);
    owners.extend(&ape, soon()).await.unwrap();
    // A revocation ends all logins, and the numbers continue.
    for (keep, number) in [(None, 3), (Some(two), 4)] {
        let next = match keep {
            None => owners.revoke(&ape, soon()).await,
            Some(kept) => owners.revoke_except(&ape, soon(), &kept).await,
        };
        let next = next.unwrap();
        let login = begin_login(&*backend, &keys, &ape).await;
        assert_eq!((login.generation, login.number), (next, number));
    }
    // An owner who was only extended or revoked has no logins yet.
    let (extended, revoked) = (keys.owner("extended"), keys.owner("revoked"));
    owners.extend(&extended, soon()).await.unwrap();
    owners.revoke(&revoked, soon()).await.unwrap();
    for owner in [&extended, &revoked] {
        assert_eq!(begin_login(&*backend, &keys, owner).await.number, 1);
    }
}

/// Each login lists the records after its own record exists. Of any two logins, the later list has
/// both records.
pub(super) async fn a_login_is_listed_at_once(backend: Arc<dyn Backend>, keys: KeySpace) {
    const LOGINS: usize = 32;
    let ape = keys.owner("ape");
    let listed = concurrently(LOGINS, |number| {
        let (backend, ape) = (backend.clone(), ape.clone());
        let key = keys.key(&number.to_string());
        async move {
            let owners = owners_of(&*backend);
            let login = owners.begin(&ape, soon(), &key).await.unwrap();
            create(&*backend, &key, &owned(&ape, login)).await;
            let keys: BTreeSet<_> = owners.keys(&ape).await.unwrap().into_iter().collect();
            (key, keys)
        }
    });
    let listed = listed.await;
    for (one, by_one) in &listed {
        for (other, by_other) in &listed {
            let is_seen = by_one.contains(other) || by_other.contains(one);
            assert!(is_seen, "of two concurrent logins, neither saw the other");
        }
    }
}
