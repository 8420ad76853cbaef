//! [`IntoBackend`]: a backend, bare or shared.

use std::sync::Arc;

use super::Backend;

/// A [`Backend`], or a shared one, where a store is made: `Memory::new()`, `Arc::new(..)`, or the
/// result of [`connect`](super::connect).
///
/// ```
/// use std::sync::Arc;
/// use silverback::backend::{Backend, IntoBackend, Memory};
///
/// let bare: Arc<dyn Backend> = Memory::new().into_backend();
/// let shared: Arc<dyn Backend> = Arc::new(Memory::new()).into_backend();
/// let connected = shared.clone().into_backend();
/// assert!(Arc::ptr_eq(&shared, &connected));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a backend",
    note = "a backend is the result of `backend::connect(url).await?`, a type such as \
            `backend::Memory`, or an `Arc` of one"
)]
pub trait IntoBackend {
    /// Returns the shared backend.
    fn into_backend(self) -> Arc<dyn Backend>;
}

impl<B: Backend> IntoBackend for B {
    fn into_backend(self) -> Arc<dyn Backend> {
        Arc::new(self)
    }
}

impl<B: Backend> IntoBackend for Arc<B> {
    fn into_backend(self) -> Arc<dyn Backend> {
        self
    }
}

impl IntoBackend for Arc<dyn Backend> {
    fn into_backend(self) -> Arc<dyn Backend> {
        self
    }
}
