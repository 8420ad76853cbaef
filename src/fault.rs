//! [`Fault`]: the parts that the errors of backends and of sessions share.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::cause;

/// The parts of an error: its kind, its own message, and the error below it.
#[derive(Clone)]
pub(crate) struct Fault<K> {
    kind: K,
    message: Cow<'static, str>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl<K: Copy + fmt::Debug> Fault<K> {
    pub(crate) fn new(kind: K, message: impl Into<Cow<'static, str>>) -> Self {
        Fault {
            kind,
            message: message.into(),
            cause: None,
        }
    }

    pub(crate) fn with_cause(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Fault {
            cause: Some(Arc::from(cause.into())),
            ..self
        }
    }

    pub(crate) fn kind(&self) -> K {
        self.kind
    }

    pub(crate) fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }

    /// Writes the error for programmers: the name of its type, the kind and the text.
    pub(crate) fn debug(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        let mut shown = f.debug_tuple(name);
        shown.field(&self.kind).field(&format_args!("{self}"));
        shown.finish()
    }
}

impl<K> fmt::Display for Fault<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        cause::write(f, &self.message, self.cause.as_deref())
    }
}
