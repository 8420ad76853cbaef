//! [`Session::room_left`]: the remaining space in a session that is in its cookie.

use crate::codec::{Codec, UnixTime};

use super::{Error, Session};

/// A codec that seals so many bytes has no limit that a session reaches.
const UNLIMITED: usize = 1 << 20;

impl Session {
    /// Returns the number of bytes by which the session's serialized values may grow until its
    /// cookie is too long and cannot be saved. Call it before work with a result that may not fit.
    ///
    /// Returns zero if the session is full or already too large. Returns `None` if no cookie limits
    /// the session: it is in a server, which has another limit, or the codec has no `max_length`.
    ///
    /// A value takes its serialized bytes, those of its key, and what the serializer writes around
    /// both: for basic values under gob some 20 bytes with the name of the type, for structs their
    /// definition once, under JSON quotes and a comma. If the store is
    /// [revocable](super::CookieStore::revocable), the mark of a login counts from the login on.
    ///
    /// ```
    /// # use silverback::session::{Error, Session};
    /// /// Keeps the last searches, as long as there is room.
    /// fn note(session: &Session, search: &str) -> Result<(), Error> {
    ///     let mut searches = session.get::<Vec<String>>("searches")?.unwrap_or_default();
    ///     searches.push(search.to_owned());
    ///     session.insert("searches", &searches)?;
    ///     while session.room_left()? == Some(0) && !searches.is_empty() {
    ///         searches.remove(0);
    ///         session.insert("searches", &searches)?;
    ///     }
    ///     Ok(())
    /// }
    /// # use silverback::{codec::{Codecs, KeyPairs}, session::{CookieStore, testing::Jar}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = CookieStore::new(Codecs::from_pairs(KeyPairs::generate(1)?)?)?;
    /// # let mut jar = Jar::new();
    /// # for search in 0..100 {
    /// #     let sessions = jar.sessions(store.clone());
    /// #     note(&sessions.session().await?, &search.to_string().repeat(100))?;
    /// #     let fields = sessions.finish().await?.ok_or("the session was asked for")?;
    /// #     fields.set_cookies().iter().for_each(|field| jar.receive(field));
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns an [unavailable](Error::is_unavailable) error if the codec fails, and a usage error
    /// if the codec can seal nothing.
    pub fn room_left(&self) -> Result<Option<usize>, Error> {
        let data = self.state().data.clone();
        self.0.store.room_left(&data)
    }
}

/// Returns the maximum number of bytes that a codec seals under `name`, or `None` if there is no
/// limit.
pub(super) fn longest_payload(
    codec: &dyn Codec,
    name: &str,
    at: UnixTime,
) -> Result<Option<usize>, Error> {
    let zeros = vec![0; UNLIMITED];
    let mut cookie = String::new();
    let mut fits = |length: usize| {
        cookie.clear();
        let payload = zeros.get(..length).unwrap_or(&zeros);
        match codec.seal_into(name, payload, at, &mut cookie) {
            Ok(()) => Ok(true),
            Err(error) if error.is_too_long() => Ok(false),
            Err(error) => Err(Error::of_codec(error)),
        }
    };
    if fits(UNLIMITED)? {
        return Ok(None);
    }
    // The codec refuses a text that is too long before it does any work.
    let (mut longest, mut too_long) = (0, UNLIMITED);
    while too_long - longest > 1 {
        let middle = longest.midpoint(too_long);
        match fits(middle)? {
            true => longest = middle,
            false => too_long = middle,
        }
    }
    Ok(Some(longest))
}
