//! [`Layout`]: whose rows a backend's records are.

/// Whose rows a backend keeps: its own, or those of a Go package, which say less, and which
/// only that package's bytes fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// Ours: any bytes, with an expiry, a revision and an owner.
    Native,
    /// Those of a server store of gorilla/sessions: text.
    Gorilla {
        /// Whether a row has an expiry beside it. Where it has none, records never expire by
        /// themselves, and a [touch](super::Backend::touch) changes nothing.
        keeps_expiries: bool,
    },
    /// Those of alexedwards/scs: gob, with an expiry.
    Scs,
}

impl Layout {
    /// Whether records have an expiry.
    #[must_use]
    pub fn keeps_expiries(self) -> bool {
        match self {
            Layout::Native | Layout::Scs => true,
            Layout::Gorilla { keeps_expiries } => keeps_expiries,
        }
    }
}
