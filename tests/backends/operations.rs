//! All operations of a backend in SQL, each once.

use std::time::Duration;

use silverback::backend::{
    Backend, Created, Expiry, Generation, Key, Moves, Outcome, Record, Scan,
};

use super::Tried;

/// Returns a time after the end of any test.
pub(crate) fn soon() -> Expiry {
    Expiry::after(Duration::from_secs(600))
}

/// Runs each operation once, by name, on an owned record and on its owner.
macro_rules! every_operation {
    ($backend:ident, $counted:ident) => {{
        let (key, ape) = (
            silverback::backend::Key::new("a key")?,
            silverback::backend::OwnerName::new("ape")?,
        );
        let login = $counted!(
            "begin",
            $backend
                .begin(&ape, $crate::operations::soon(), &key)
                .await?
        );
        let owner = silverback::backend::Owner {
            name: ape.clone(),
            login,
        };
        let record = silverback::backend::Record::new(vec![7; 700], $crate::operations::soon())
            .owned_by(owner);
        let silverback::backend::Created::Saved(seen) =
            $counted!("create", $backend.create(&key, &record).await?)
        else {
            panic!("the key is new");
        };
        let loaded = $counted!("load", $backend.load(&key).await?);
        assert!(loaded.is_some());
        let loaded = $counted!(
            "load_many",
            $backend.load_many(std::slice::from_ref(&key)).await?
        );
        assert!(matches!(&loaded[..], [Ok(Some(_))]));
        let silverback::backend::Outcome::Done(seen) =
            $counted!("swap", $backend.swap(&key, &seen, &record).await?)
        else {
            panic!("there is no concurrent write");
        };
        let silverback::backend::Outcome::Done(seen) = $counted!(
            "touch",
            $backend
                .touch(&key, &seen, $crate::operations::soon())
                .await?
        ) else {
            panic!("there is no concurrent write");
        };
        let of = $counted!("generation", $backend.generation(&ape).await?);
        assert_eq!(of, Some(login.generation));
        let extended = $counted!(
            "extend",
            $backend.extend(&ape, $crate::operations::soon()).await?
        );
        assert_eq!(extended, login.generation);
        let keys = $counted!("keys", $backend.keys(&ape).await?);
        assert_eq!(keys.len(), 1);
        let page = $counted!("page", $backend.page(None, 10).await?).entries;
        assert!(!page.is_empty());
        let removed = $counted!("remove", $backend.remove(&key, &seen).await?);
        assert_eq!(removed, silverback::backend::Outcome::Done(()));
        $counted!(
            "revoke",
            $backend
                .revoke_except(&ape, $crate::operations::soon(), &login)
                .await?
        );
    }};
}

pub(crate) use every_operation;

/// Runs each operation once on an empty table of a Go package.
pub(crate) async fn try_go_table(backend: &(impl Backend + Moves + Scan)) -> Tried {
    let key = Key::new("ABC234")?;
    let until = Expiry::after(Duration::from_secs(600));
    let record = Record::new("v", until);
    let Created::Saved(seen) = backend.create(&key, &record).await? else {
        panic!("the key is new");
    };
    let Outcome::Done(seen) = backend.swap(&key, &seen, &record).await? else {
        panic!("there is no concurrent write");
    };
    let Outcome::Done(seen) = backend.touch(&key, &seen, until).await? else {
        panic!("there is no concurrent write");
    };
    let stored = backend.load(&key).await?.expect("the record exists");
    assert_eq!(
        (stored.record.value(), &stored.revision),
        (&b"v"[..], &seen)
    );
    let missing = Key::new("MISSING")?;
    let many = backend.load_many(&[missing, key.clone()]).await?;
    let [Ok(None), Ok(Some(one_of_many))] = &many[..] else {
        panic!("one record of two exists");
    };
    assert_eq!(one_of_many.record.value(), stored.record.value());
    assert_eq!(one_of_many.revision, stored.revision);
    let page = backend.page(None, 10).await?.entries;
    assert_eq!(page.len(), 1);
    assert_eq!(page[0].key, key);
    assert_eq!(backend.page(Some(&key), 10).await?.entries, []);
    assert_eq!(backend.purge(10).await?.removed, 0);
    let to = Key::new("DEF567")?;
    let Outcome::Done(seen) = backend.move_to(&key, &seen, &to, &record).await? else {
        panic!("there is no concurrent write");
    };
    assert_eq!(backend.remove(&to, &seen).await?, Outcome::Done(()));
    let over = Record::new("v", Expiry::from_millis(1_000));
    backend
        .create(&key, &over)
        .await?
        .saved()
        .expect("the key is new");
    let purged = (backend.purge(10).await?, backend.purge(10).await?);
    assert_eq!((purged.0.removed, purged.1.removed), (1, 0));
    Ok(())
}

/// Checks that values of several sizes are kept.
pub(crate) async fn check_sizes(backend: &dyn Backend) -> Tried {
    let random = Generation::random()?;
    for size in [0, 65_536, 1_000_000] {
        let key = Key::new([&random.as_bytes()[..], &usize::to_be_bytes(size)].concat())?;
        let value: Vec<u8> = (0..size).map(|place| (place * 31 % 251) as u8).collect();
        let record = Record::new(value, Expiry::NEVER);
        backend
            .create(&key, &record)
            .await?
            .saved()
            .expect("the key is new");
        let stored = backend.load(&key).await?.expect("the record exists");
        assert!(stored.record == record, "{size} bytes are different");
    }
    Ok(())
}
