//! The users of both shops, in memory. In your application: a table.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password_hash: String,
}

#[derive(Clone)]
pub(crate) struct Database(Arc<Mutex<HashMap<String, User>>>);

impl Database {
    pub(crate) fn new() -> Self {
        let database = Database(Arc::default());
        database.set_password("ape", "banana");
        database
    }

    pub(crate) fn user(&self, name: &str) -> Option<User> {
        self.0.lock().unwrap().get(name).cloned()
    }

    pub(crate) fn check_password(&self, name: &str, password: &str) -> Option<User> {
        let user = self.user(name)?;
        (user.password_hash == hash(password)).then_some(user)
    }

    pub(crate) fn set_password(&self, name: &str, password: &str) -> User {
        let user = User {
            name: name.to_owned(),
            password_hash: hash(password),
        };
        self.0
            .lock()
            .unwrap()
            .insert(user.name.clone(), user.clone());
        user
    }
}

/// In your application: Argon2, with a salt.
fn hash(password: &str) -> String {
    format!("hash of {password}")
}
