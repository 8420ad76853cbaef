//! Every operation of a backend, on names and values that must not be logged.

use std::time::Duration;

use silverback::backend::{
    Backend, Created, Error, Expiry, Generation, Key, Outcome, Owner, OwnerName, Record,
};

use super::capture;

/// The names and values that a backend gets.
pub(crate) struct Secrets {
    key: String,
    to: String,
    owner: String,
    value: String,
}

impl Secrets {
    pub(crate) fn new() -> Self {
        // A row key, an ID of gorilla's and a token of scs can look like this: 43 characters.
        let random = |kind: &str| {
            let bytes = Generation::random().unwrap();
            let hex = bytes.as_bytes().iter().map(|byte| format!("{byte:02X}"));
            format!("{kind}{}ABCDEFGHIJ", hex.collect::<String>())
        };
        Secrets {
            key: random("K"),
            to: random("T"),
            owner: random("O"),
            value: random("V"),
        }
    }

    pub(crate) fn key(&self) -> Key {
        Key::new(&*self.key).unwrap()
    }

    pub(crate) fn record(&self) -> Record {
        let until = Expiry::after(Duration::from_secs(3_600));
        Record::new(&*self.value, until)
    }

    /// Fails with the line if a line of the log contains a secret.
    pub(crate) fn are_not_logged(&self) {
        let logged = self.logged();
        if let Some((what, line)) = logged.first() {
            panic!(
                "{} lines hold a secret: {what} is logged: {line}",
                logged.len()
            );
        }
    }

    /// Returns the secrets in the log, and their lines.
    pub(crate) fn logged(&self) -> Vec<(&'static str, String)> {
        let Secrets {
            key,
            to,
            owner,
            value,
        } = self;
        let all = [
            ("a key", key),
            ("a new key", to),
            ("an owner", owner),
            ("a value", value),
        ];
        let lines = |(what, secret): (&'static str, &String)| {
            let lines = capture::lines_with(secret.as_bytes());
            lines.into_iter().map(move |line| (what, line))
        };
        all.into_iter().flat_map(lines).collect()
    }

    /// Runs all operations of the backend.
    pub(crate) async fn try_all(&self, backend: &dyn Backend) -> Result<(), Error> {
        let mut tried = vec![self.records(backend).await, self.owned(backend).await];
        if let Some(scan) = backend.scan() {
            tried.push(scan.page(None, 10).await.map(drop));
            tried.push(scan.page(Some(&self.key()), 10).await.map(drop));
            tried.push(scan.purge(10).await.map(drop));
        }
        tried.push(backend.ping().await);
        tried.iter().cloned().for_each(capture_errors);
        tried.into_iter().collect()
    }

    async fn records(&self, backend: &dyn Backend) -> Result<(), Error> {
        let (key, record) = (self.key(), self.record());
        let Created::Saved(seen) = backend.create(&key, &record).await? else {
            panic!("the key is new");
        };
        assert_eq!(backend.create(&key, &record).await?, Created::Exists);
        backend.load(&key).await?;
        backend.load_many(std::slice::from_ref(&key)).await?;
        let stale = seen.clone();
        let seen = done(backend.touch(&key, &seen, record.expiry()).await?);
        // A conflict, except where a revision is of the content, which the touch has not changed.
        let seen = match backend.swap(&key, &stale, &record).await? {
            Outcome::Done(next) => next,
            Outcome::Conflict | Outcome::Gone => seen,
        };
        let seen = done(backend.swap(&key, &seen, &record).await?);
        let mut seen = done(backend.touch(&key, &seen, record.expiry()).await?);
        if let Some(moves) = backend.moves() {
            let to = Key::new(&*self.to)?;
            seen = done(moves.move_to(&key, &seen, &to, &record).await?);
            seen = done(moves.move_to(&to, &seen, &key, &record).await?);
        }
        done(backend.remove(&key, &seen).await?);
        Ok(())
    }

    async fn owned(&self, backend: &dyn Backend) -> Result<(), Error> {
        let Some(owners) = backend.owners() else {
            return Ok(());
        };
        let record = self.record();
        let key = self.key();
        let name = OwnerName::new(self.owner.as_str())?;
        let login = owners.begin(&name, record.expiry(), &key).await?;
        let owned = record.clone().owned_by(Owner {
            name: name.clone(),
            login,
        });
        backend
            .create(&key, &owned)
            .await?
            .saved()
            .expect("the key is new");
        owners.generation(&name).await?;
        let listed = owners.keys(&name).await;
        assert_eq!(listed.is_ok_and(|keys| keys.len() == 1), owners.can_list());
        owners.revoke_except(&name, record.expiry(), &login).await?;
        owners.revoke(&name, record.expiry()).await?;
        Ok(())
    }
}

fn done<T>(outcome: Outcome<T>) -> T {
    match outcome {
        Outcome::Done(done) => done,
        Outcome::Conflict | Outcome::Gone => panic!("there is no concurrent write"),
    }
}

/// Logs an error as an application does, by its text and by its `Debug` form.
pub(crate) fn capture_errors<T>(tried: Result<T, Error>) {
    if let Err(error) = tried {
        tracing::error!(%error, ?error, cause = ?error.cause(), "an operation failed");
    }
}
