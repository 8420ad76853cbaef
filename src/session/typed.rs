//! [`Typed`]: one value of a session with a fixed key and type.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Error, Session};

/// A type of which a session has one value, under its own key.
///
/// ```
/// use silverback::session::TypedValue;
///
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// struct Cart { items: Vec<u32> }
///
/// impl TypedValue for Cart {
///     const KEY: &'static str = "cart";
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no key in the session",
    note = "implement `TypedValue` for it, with its `KEY`"
)]
pub trait TypedValue: Serialize + DeserializeOwned + Default + 'static {
    /// The key of the value in the session.
    const KEY: &'static str;
}

/// The value of one type in a session, so that no handler repeats its key. A missing value is the
/// type's default. It is an extractor in axum and actix-web, as [`Session`] is.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use silverback::session::{Error, Typed, TypedValue};
///
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// struct Cart { items: Vec<u32> }
///
/// impl TypedValue for Cart {
///     const KEY: &'static str = "cart";
/// }
///
/// async fn add(cart: Typed<Cart>) -> Result<String, Error> {
///     let cart = cart.update(|cart| cart.items.push(3))?;
///     Ok(format!("{} items", cart.items.len()))
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::post(add));
/// # }
/// ```
pub struct Typed<T> {
    session: Session,
    value: PhantomData<fn() -> T>,
}

impl Session {
    /// Returns the value of a type that has [its own key](TypedValue).
    #[must_use]
    pub fn typed<T: TypedValue>(&self) -> Typed<T> {
        Typed {
            session: self.clone(),
            value: PhantomData,
        }
    }
}

impl<T: TypedValue> Typed<T> {
    /// Returns the value, or its default if there is none.
    ///
    /// # Errors
    /// Returns a [wrong type](Error::is_wrong_type) error if the value is not a `T`.
    pub fn get(&self) -> Result<T, Error> {
        Ok(self.session.get(T::KEY)?.unwrap_or_default())
    }

    /// Stores a value in place of the old one.
    ///
    /// # Errors
    /// Returns the errors of [`Session::insert`].
    pub fn set(&self, value: &T) -> Result<(), Error> {
        self.session.insert(T::KEY, value)
    }

    /// Changes the value, and returns the new one. `change` may run again, as in
    /// [`Session::update`].
    ///
    /// # Errors
    /// Returns the errors of [`Session::update`].
    pub fn update(&self, change: impl Fn(&mut T) + Send + Sync + 'static) -> Result<T, Error> {
        self.session.update(T::KEY, change)
    }

    /// Removes the value, and returns it, or its default if there was none.
    ///
    /// # Errors
    /// Returns the errors of [`Session::take`].
    pub fn take(&self) -> Result<T, Error> {
        Ok(self.session.take(T::KEY)?.unwrap_or_default())
    }

    /// Returns the session that has the value.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }
}

impl<T> Clone for Typed<T> {
    fn clone(&self) -> Self {
        Typed {
            session: self.session.clone(),
            value: PhantomData,
        }
    }
}

/// Shows the session's name, and no value.
impl<T> fmt::Debug for Typed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Typed").field(&self.session).finish()
    }
}
