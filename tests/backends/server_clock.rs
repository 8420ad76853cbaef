//! The exact moment at which a row expires, with a server's clock that the test sets.

use libtest_mimic::Failed;
use silverback::backend::{
    Backend, Created, Expiry, Key, Outcome, Owner, OwnerName, Owners, Record, Scan,
};

use super::Tried;

/// The expiry of all expiring rows, in microseconds.
pub(crate) const AT: i64 = 1_900_000_000_000_000;

/// A database with a clock that the test sets.
pub(crate) trait ServerClock {
    /// Runs a statement.
    async fn run(&self, statement: &str) -> Tried;

    /// Returns the number that a query selects.
    async fn count(&self, query: &str) -> Result<i64, Failed>;

    /// Sets the time to this many microseconds before the expiry.
    async fn is_before(&self, microseconds: i64) -> Tried;
}

/// Runs each operation on a row that expires after `last` microseconds, and on one that has
/// expired. The row is made first and then gets the expiry.
pub(crate) async fn check_rows(
    backend: &(impl Backend + Scan),
    clock: &impl ServerClock,
    (table, expiry): (&str, &str),
    last: i64,
) -> Tried {
    let expire = format!("UPDATE {table} SET {expiry}");
    let (key, record) = (Key::new("ABC234")?, Record::new("v", Expiry::NEVER));
    for operation in 0..6 {
        for (before, is_live) in [(last, true), (0, false)] {
            clock.is_before(last).await?;
            let created = backend.create(&key, &record).await?;
            assert!(matches!(created, Created::Saved(_)), "{operation}");
            clock.run(&expire).await?;
            let seen = backend
                .load(&key)
                .await?
                .expect("the row is still live")
                .revision;
            clock.is_before(before).await?;
            let which = format!("{operation}, {before} before");
            match operation {
                0 => assert_eq!(backend.load(&key).await?.is_some(), is_live, "{which}"),
                1 => {
                    let outcome = backend.swap(&key, &seen, &record).await?;
                    assert_eq!(matches!(outcome, Outcome::Done(_)), is_live, "{which}");
                }
                2 => {
                    let outcome = backend.touch(&key, &seen, Expiry::NEVER).await?;
                    assert_eq!(matches!(outcome, Outcome::Done(_)), is_live, "{which}");
                }
                3 => {
                    let outcome = backend.remove(&key, &seen).await?;
                    assert_eq!(outcome == Outcome::Done(()), is_live, "{which}");
                }
                4 => {
                    let created = backend.create(&key, &record).await?;
                    assert_eq!(created == Created::Exists, is_live, "{which}");
                }
                _ => {
                    assert_eq!(
                        backend.page(None, 9).await?.entries.len(),
                        usize::from(is_live)
                    );
                    let removed = backend.purge(9).await?.removed;
                    assert_eq!(removed, usize::from(!is_live), "{which}");
                }
            }
            clock.run(&format!("DELETE FROM {table}")).await?;
        }
    }
    Ok(())
}

/// Checks the same of this crate's own tables, and that a row expires with its owner.
pub(crate) async fn check_native_rows(
    backend: &(impl Backend + Scan + Owners),
    clock: &impl ServerClock,
) -> Tried {
    const MILLISECOND: i64 = 1_000;
    let expiry = format!("expiry = {}", AT / MILLISECOND);
    let sessions = ("silverback_sessions", &*expiry);
    check_rows(backend, clock, sessions, MILLISECOND).await?;
    // The row also expires with its owner.
    let (key, ape) = (Key::new("ABC234")?, OwnerName::new("ape")?);
    for (before, is_live) in [(MILLISECOND, true), (0, false)] {
        clock.is_before(MILLISECOND).await?;
        clock.run("DELETE FROM silverback_sessions").await?;
        clock.run("DELETE FROM silverback_owners").await?;
        let login = backend.begin(&ape, Expiry::NEVER, &key).await?;
        let name = ape.clone();
        let owned = Record::new("v", Expiry::NEVER).owned_by(Owner { name, login });
        backend
            .create(&key, &owned)
            .await?
            .saved()
            .expect("the key is new");
        clock
            .run(&format!(
                "UPDATE silverback_owners SET expiry = {}",
                AT / MILLISECOND
            ))
            .await?;
        clock.is_before(before).await?;
        assert_eq!(backend.generation(&ape).await?.is_some(), is_live);
        assert_eq!(backend.load(&key).await?.is_some(), is_live);
        assert_eq!(backend.keys(&ape).await?.len(), usize::from(is_live));
        // A row of an expired owner has expired when it is written, and a purge finds it.
        let other = Key::new("DEF567")?;
        let Created::Saved(seen) = backend
            .create(&other, &Record::new("v", Expiry::NEVER))
            .await?
        else {
            panic!("the key is new");
        };
        backend
            .swap(&other, &seen, &owned)
            .await?
            .done()
            .expect("the record exists");
        backend
            .create(&Key::new("GHI222")?, &owned)
            .await?
            .saved()
            .expect("the key is new");
        let dead = "SELECT count(*) FROM silverback_sessions WHERE expiry = 0";
        let dead = clock.count(dead).await?;
        assert_eq!(dead, if is_live { 0 } else { 2 });
        // A kept login does not outlive an expired owner.
        let revoked = backend.revoke_except(&ape, Expiry::NEVER, &login).await?;
        assert_eq!(backend.load(&key).await?.is_some(), is_live);
        clock
            .run(&format!(
                "UPDATE silverback_owners SET expiry = {}",
                AT / MILLISECOND
            ))
            .await?;
        let begun = backend.begin(&ape, Expiry::NEVER, &key).await?;
        assert_eq!(backend.load(&key).await?.is_some(), is_live);
        assert_eq!(
            begun.generation == revoked,
            is_live,
            "an expired owner is not restored"
        );
        assert_eq!(begun.number, if is_live { 2 } else { 1 });
        clock
            .run(&format!(
                "UPDATE silverback_owners SET expiry = {}",
                AT / MILLISECOND
            ))
            .await?;
        backend.purge(9).await?;
        let left = clock
            .count("SELECT count(*) FROM silverback_owners")
            .await?;
        assert_eq!(left, i64::from(is_live));
    }
    Ok(())
}
