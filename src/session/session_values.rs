//! The values and flashes of a [`Session`]: reading them, and changing them so that no change of
//! another task or request is lost.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::gob::Interface;

use super::data_model::DataModel;
use super::flashes::{FLASHES, read_flashes};
use super::session_data::{Change, SessionData};
use super::state::{Checkpoint, State};
use super::values::{TypedDraft, read};
use super::{Error, Session, Values};

/// The maximum number of attempts to apply a change while other tasks change the session.
const MOST_ATTEMPTS: usize = 10_000;

/// Undoes a change when it is dropped. This includes the case that the caller of the save is
/// dropped.
pub(super) struct Undo {
    session: Session,
    version: u64,
    before: Option<Checkpoint>,
}

impl Undo {
    /// Keeps the change.
    pub(super) fn no_more(mut self) {
        self.before = None;
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            self.session.state().take_back(self.version, before);
        }
    }
}

/// Returns the value under `key` after `change`: as a draft to store, and as a `T`.
fn updated<T: Serialize + DeserializeOwned + Default>(
    key: &str,
    there: Option<&Interface>,
    model: &DataModel,
    change: &impl Fn(&mut T),
) -> Result<(TypedDraft, T), Error> {
    let mut value = match there {
        Some(there) => read(key, there)?.unwrap_or_default(),
        None => T::default(),
    };
    change(&mut value);
    Ok((TypedDraft::of(model, key, &value)?, value))
}

/// Values.
impl Session {
    /// Returns the value under `key`, or `None` if there is no value.
    ///
    /// # Errors
    /// Returns a [wrong type](Error::is_wrong_type) error if the value is not a `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.values().get(key)
    }

    /// Returns the value under `key`. If the value is not a `T`, removes it and returns `None`. Use
    /// it for values that an earlier version of the program left behind. See
    /// [`Values::get_or_remove`].
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error if there is a value to remove.
    pub fn get_or_remove<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let is_wrong = |values: &Values| match values.get::<T>(key) {
            Err(error) => error.is_wrong_type(),
            Ok(_) => false,
        };
        if !is_wrong(&self.values()) {
            return self.get(key);
        }
        self.attempt(
            |state| state.data.values.clone(),
            |values| Ok(is_wrong(&values)),
            |state, is_wrong| match is_wrong {
                true => state.remove(key).map(drop),
                false => Ok(()),
            },
        )?;
        self.get(key)
    }

    /// Stores `value` under `key`, and replaces the old value. The Go type of the old value stays
    /// if the new value fits it: see [`Values::insert`].
    ///
    /// # Errors
    /// Returns the errors of [`Values::insert`], and a [closed](Error::is_closed) error.
    #[doc(alias = "Put")]
    pub fn insert<T: Serialize>(&self, key: &str, value: T) -> Result<(), Error> {
        let value = TypedDraft::of(&self.setup().model, key, &value)?;
        let key = key.to_owned();
        self.state()
            .change(move |data| data.values.put(&key, &value, false))
    }

    /// Stores a value of exactly this Go type under `key`: see [`Values::insert_gob`].
    ///
    /// # Errors
    /// Returns the errors of [`Values::insert_gob`], and a [closed](Error::is_closed) error.
    pub fn insert_gob(&self, key: &str, value: impl Into<Interface>) -> Result<(), Error> {
        let (key, value) = (key.to_owned(), value.into());
        self.state()
            .change(move |data| data.values.insert_gob(&key, value.clone()))
    }

    /// Removes the value under `key`, and returns whether there was one. If there was no value, the
    /// session is not changed.
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error if the session takes no more changes.
    pub fn remove(&self, key: &str) -> Result<bool, Error> {
        self.state().remove(key)
    }

    /// Removes the value under `key`, and returns it. Returns `None` if there is no value.
    ///
    /// Two concurrent requests may both get the value. If only one of them may get it, use
    /// [`transact`](Session::transact).
    ///
    /// ```
    /// # use silverback::session::{Error, Session};
    /// /// Returns the page to which a login leads, once.
    /// fn after_login(session: &Session) -> Result<String, Error> {
    ///     Ok(session.take("next page")?.unwrap_or("/".into()))
    /// }
    /// ```
    ///
    /// # Errors
    /// Returns a [wrong type](Error::is_wrong_type) error if the value is not a `T`; the value then
    /// stays. Returns a [closed](Error::is_closed) error if the session takes no more changes.
    #[doc(alias = "Pop")]
    pub fn take<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.attempt(
            |state| state.data.values.clone(),
            |values| values.get(key),
            |state, value| {
                state.remove(key)?;
                Ok(value)
            },
        )
    }

    /// Changes the value under `key`, or its default if there is no value. Returns the new value.
    ///
    /// The Go type of the value stays if the new value fits it, as in [`insert`](Session::insert).
    /// If the value is a Go struct, the fields that `T` does not have stay too.
    ///
    /// `change` may run again on a newer value if another task or request has changed the session.
    /// It must have no side effects.
    ///
    /// Because it may run again, the closure must name the type of the value, own what it uses
    /// (`move`), and clone what it puts into the session:
    ///
    /// ```
    /// # use silverback::session::{Error, Session};
    /// fn add(session: &Session, item: String) -> Result<usize, Error> {
    ///     let cart = session.update("cart", move |cart: &mut Vec<String>| cart.push(item.clone()))?;
    ///     Ok(cart.len())
    /// }
    /// ```
    ///
    /// | the compiler says | the remedy |
    /// |---|---|
    /// | `type annotations needed` | name the type: `\|cart: &mut Vec<String>\|` |
    /// | `closure may outlive the current function`, `borrowed data escapes` | write `move`, and let the closure own its values |
    /// | `cannot move out of item, a captured variable in an Fn closure` | `item.clone()` within the closure |
    ///
    /// # Errors
    /// Returns the errors of [`get`](Session::get) and [`insert`](Session::insert).
    pub fn update<T>(
        &self,
        key: &str,
        change: impl Fn(&mut T) + Send + Sync + 'static,
    ) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned + Default,
    {
        let (model, change) = (self.setup().model.clone(), Arc::new(change));
        self.attempt(
            |state| state.data.values.interface(key),
            |there| updated(key, there.as_ref(), &model, &*change),
            |state, (updated_value, value)| {
                let again = || -> Change {
                    let (key, model, change) = (key.to_owned(), model.clone(), change.clone());
                    Arc::new(move |data| {
                        let there = data.values.interface(&key);
                        let (value, _) = updated(&key, there.as_ref(), &model, &*change)?;
                        data.values.put(&key, &value, true)
                    })
                };
                state.apply(|data| data.values.put(key, &updated_value, true), again)?;
                Ok(value)
            },
        )
    }

    /// Applies `change` to several values at once, saves the session now, and returns the result of
    /// `change`.
    ///
    /// If either fails, the change is undone, unless another task has changed the session since. If
    /// the future is dropped, the change is undone too, unless the session is already being saved
    /// in a server. `change` may run again, as in [`update`](Session::update). The result of its
    /// last run counts.
    ///
    /// # Errors
    /// Returns the errors of `change`, and of [`save`](Session::save).
    pub async fn transact<R: Send + 'static>(
        &self,
        change: impl Fn(&mut Values) -> Result<R, Error> + Send + Sync + 'static,
    ) -> Result<R, Error> {
        let answer = Arc::new(Mutex::new(None));
        let latest = answer.clone();
        let change: Change = Arc::new(move |data| {
            let answer = change(&mut data.values)?;
            *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            Ok(())
        });
        self.change_and_save(change).await?;
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.ok_or_else(|| Error::unavailable("the change was not applied"))
    }

    /// Applies `change` and saves at once. If either fails, or the future is dropped before the save
    /// starts, the change is undone.
    pub(super) async fn change_and_save(&self, change: Change) -> Result<(), Error> {
        let guard = self.save_guard().await;
        let undo = self.change_for_now(change)?;
        self.commit(guard, Some(undo)).await
    }

    /// Applies a change to a copy, and takes the copy over unless the session has changed since.
    /// The change is undone when the returned [`Undo`] is dropped.
    fn change_for_now(&self, change: Change) -> Result<Undo, Error> {
        self.attempt(
            |state| state.data.clone(),
            |mut data| {
                change(&mut data)?;
                Ok(data)
            },
            |state, changed| {
                let before = state.before();
                let take_over = |data: &mut SessionData| {
                    *data = changed;
                    Ok(())
                };
                state.apply(take_over, || change.clone())?;
                Ok(Undo {
                    session: self.clone(),
                    version: state.version(),
                    before: Some(before),
                })
            },
        )
    }

    /// Reads the session with `look`, runs the application's code on the result without the lock,
    /// and applies the outcome. If the session has changed since, it starts again.
    fn attempt<Seen, Changed, R>(
        &self,
        look: impl Fn(&State) -> Seen,
        run: impl Fn(Seen) -> Result<Changed, Error>,
        apply: impl Fn(&mut State, Changed) -> Result<R, Error>,
    ) -> Result<R, Error> {
        for _ in 0..MOST_ATTEMPTS {
            let (version, seen) = {
                let state = self.state();
                state.check_open()?;
                (state.version(), look(&state))
            };
            let changed = run(seen)?;
            let mut state = self.state();
            if state.version() == version {
                return apply(&mut state, changed);
            }
        }
        Err(Error::usage(
            "the change does not come to an end: it must not change the session itself",
        ))
    }

    /// Returns whether there is a value under `key`.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.state().data.values.contains(key)
    }

    /// Returns the string keys.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.values().keys().map(str::to_owned).collect()
    }

    /// Returns all values as they are now.
    #[must_use]
    pub fn values(&self) -> Values {
        self.state().data.values.clone()
    }

    /// Removes all values. The login stays.
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error if the session takes no more changes.
    pub fn clear(&self) -> Result<(), Error> {
        let mut state = self.state();
        state.check_open()?;
        match state.data.values.is_empty() {
            true => Ok(()),
            false => state.change(|data| {
                data.values.clear();
                Ok(())
            }),
        }
    }

    /// Adds a message under gorilla's key `_flash`. The message is kept until it is read once.
    ///
    /// # Errors
    /// Returns the errors of [`insert`](Session::insert), and a [wrong type](Error::is_wrong_type)
    /// error if the value under that key is not a list of messages.
    #[doc(alias = "AddFlash")]
    #[doc(alias = "flash")]
    pub fn add_flash<T: Serialize>(&self, flash: T) -> Result<(), Error> {
        self.add_flash_to(FLASHES, flash)
    }

    /// Adds a message as [`add_flash`](Session::add_flash) does, but under a key of your own.
    ///
    /// # Errors
    /// Returns the errors of [`add_flash`](Session::add_flash).
    pub fn add_flash_to<T: Serialize>(&self, key: &str, flash: T) -> Result<(), Error> {
        let flash = TypedDraft::of(&self.setup().model, key, &flash)?;
        let key = key.to_owned();
        self.state()
            .change(move |data| data.values.add_flash(&key, &flash))
    }

    /// Takes the messages of type `T` under gorilla's key `_flash`, the oldest first. The next call
    /// does not return them again. If there are no such messages, the session is not changed.
    ///
    /// Messages of other types stay for a caller that knows their type. So a message that an
    /// earlier version of the program left behind breaks no page. [`remove`](Session::remove) drops
    /// all messages. (gorilla's `Flashes` takes all messages, whatever their types.)
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error if there are any messages, and a [wrong
    /// type](Error::is_wrong_type) error if the value under the key is not a list of messages.
    #[doc(alias = "Flashes")]
    pub fn flashes<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        self.flashes_from(FLASHES)
    }

    /// Takes messages as [`flashes`](Session::flashes) does, but under a key of your own.
    ///
    /// # Errors
    /// Returns the errors of [`flashes`](Session::flashes).
    pub fn flashes_from<T: DeserializeOwned>(&self, key: &str) -> Result<Vec<T>, Error> {
        if !self.contains(key) {
            return Ok(Vec::new());
        }
        self.attempt(
            |state| state.data.values.flash_list(key),
            |list| Ok(read_flashes(list?)),
            |state, (taken, flashes)| {
                if !taken.is_empty() {
                    let key = key.to_owned();
                    state.change(move |data| data.values.take_flashes(&key, &taken))?;
                }
                Ok(flashes)
            },
        )
    }
}
