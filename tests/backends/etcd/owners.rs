//! The keys of an owner, which etcd compares in the transactions of the owner's records.

use std::time::Duration;

use etcd_client::Client;
use silverback::backend::{
    Backend, Expiry, Generations, Key, Login, Outcome, Owner, OwnerName, Owners, Record,
};

use super::super::operations::soon;
use super::super::servers::etcd::EtcdServer;
use super::Tried;
use super::requests::{fresh, keys_under};

fn owned(name: &OwnerName, login: Login) -> Record {
    let name = name.clone();
    Record::new("v", soon()).owned_by(Owner { name, login })
}

/// Logins with a smaller and with a greater number have the same generation.
pub(super) async fn only_the_kept_login_can_write(server: &EtcdServer) -> Tried {
    let (backend, _) = fresh(server).await?;
    let name = OwnerName::new("ape")?;
    let mut records = Vec::new();
    for number in 0..5_u8 {
        let key = Key::new([number])?;
        let login = backend.begin(&name, soon(), &key).await?;
        let seen = backend.create(&key, &owned(&name, login)).await?.saved();
        records.push((key, login, seen.expect("the key is new")));
    }
    let kept = records[2].1;
    backend.revoke_except(&name, soon(), &kept).await?;
    for (key, login, seen) in records {
        let touched = backend.touch(&key, &seen, soon()).await?;
        let swapped = match &touched {
            Outcome::Done(seen) => backend.swap(&key, seen, &owned(&name, login)).await?,
            _ => backend.swap(&key, &seen, &owned(&name, login)).await?,
        };
        let removed = match &swapped {
            Outcome::Done(seen) => backend.remove(&key, seen).await?,
            _ => backend.remove(&key, &seen).await?,
        };
        let is_done = [
            matches!(touched, Outcome::Done(_)),
            matches!(swapped, Outcome::Done(_)),
            removed == Outcome::Done(()),
        ];
        assert_eq!(is_done, [login == kept; 3], "{}", login.number);
        assert!(touched != Outcome::Conflict && swapped != Outcome::Conflict);
    }
    Ok(())
}

/// The owner's record expires before its records.
pub(super) async fn an_expired_owner_ends_the_writes_to_its_records(server: &EtcdServer) -> Tried {
    let (backend, _) = fresh(server).await?;
    let (name, key) = (OwnerName::new("ape")?, Key::new("k")?);
    let until = Expiry::after(Duration::from_millis(300));
    let login = backend.begin(&name, until, &key).await?;
    let record = owned(&name, login);
    let seen = backend.create(&key, &record).await?.saved();
    let seen = seen.expect("the key is new");
    while Expiry::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(backend.touch(&key, &seen, soon()).await?, Outcome::Gone);
    assert_eq!(backend.swap(&key, &seen, &record).await?, Outcome::Gone);
    assert_eq!(backend.remove(&key, &seen).await?, Outcome::Gone);
    Ok(())
}

pub(super) async fn a_change_removes_all_former_marks(server: &EtcdServer) -> Tried {
    let (backend, prefix) = fresh(server).await?;
    let (name, key) = (OwnerName::new("ape")?, Key::new("k")?);
    let login = backend.begin(&name, soon(), &key).await?;
    for keys in [3, 3, 2] {
        match keys {
            3 => backend.revoke_except(&name, soon(), &login).await?,
            _ => backend.revoke(&name, soon()).await?,
        };
        assert_eq!(keys_under(server, &prefix).await?.len(), keys);
    }
    // Another program removed one of the keys: the login that they named stays revoked.
    let login = backend.begin(&name, soon(), &key).await?;
    let created = backend.create(&key, &owned(&name, login)).await?;
    assert!(created.saved().is_some() && backend.load(&key).await?.is_some());
    let mut client = Client::connect([server.endpoint()], None).await?;
    client
        .delete(format!("{prefix}owner/ape/expiry"), None)
        .await?;
    assert_eq!(backend.load(&key).await?, None);
    let next = backend.begin(&name, soon(), &key).await?;
    assert_eq!(next.number, 1);
    assert_eq!(backend.generation(&name).await?, Some(next.generation));
    assert_eq!(backend.load(&key).await?, None);
    Ok(())
}
