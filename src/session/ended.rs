//! [`Session::ended`]: waiting for the end of a session.

use super::{Session, SessionEnd};

impl Session {
    /// Waits until the session has ended, and returns why. Use it in a WebSocket or a stream of
    /// events, which would otherwise outlive its session.
    ///
    /// The future borrows nothing, and can run in a task of its own. It resolves after a logout, a
    /// revocation ([`end_others`](Session::end_others), [`ServerStore::end`],
    /// [`ServerStore::end_all`], the program's `sessions end`, `remove` and `revoke`), the idle
    /// limit, and the deadline. Waiting is no use of the session: it does not extend the idle limit.
    ///
    /// ```
    /// use silverback::session::Session;
    ///
    /// /// Sends what happens, until the session ends.
    /// async fn send_events(session: Session, mut events: tokio::sync::mpsc::Receiver<String>) {
    ///     let ended = session.ended();
    ///     tokio::pin!(ended);
    ///     loop {
    ///         tokio::select! {
    ///             why = &mut ended => break println!("closed: the session is {why}"),
    ///             Some(event) = events.recv() => println!("{event}"), // to the client
    ///             else => break,
    ///         }
    ///     }
    /// }
    /// # use std::time::Duration;
    /// # use silverback::{backend::Memory, codec::{Codecs, KeyPairs}};
    /// # use silverback::session::{ServerOptions, ServerStore, SessionEnd, testing::Jar};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ServerOptions::new().watch_interval(Duration::from_millis(20));
    /// # let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// # let store = ServerStore::with_options(codecs, Memory::new(), options)?;
    /// # let jar = Jar::with(store.clone(), |session| session.login("ape")).await?;
    /// # let (sender, events) = tokio::sync::mpsc::channel(1);
    /// # let sending = tokio::spawn(send_events(jar.session(store.clone()).await?, events));
    /// # store.end_all("ape").await?;
    /// # sending.await?;
    /// # assert!(sender.is_closed());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The session is the one that this handle has when the future is first polled. Poll it only
    /// after the session was saved: after the response's head, or after [`save`](Session::save). A
    /// session that was not saved is [`Unwatched`](SessionEnd::Unwatched), at once.
    ///
    /// # A session in a server
    ///
    /// - **Bound.** The store looks at all watched sessions together, with one call to its backend
    ///   ([`Backend::load_many`]) at each [interval](super::ServerOptions::watch_interval), 5
    ///   seconds by default. The future resolves at most one interval and one such call after the
    ///   end, or two calls if the session was also renewed in that interval.
    /// - **Sooner.** The store also looks at a session as soon as it hears that it may have ended. It
    ///   hears of the ends that it makes itself, and of those that other programs make in Redis, in
    ///   etcd, and in Postgres if [`ConnectOptions::notify`] is set. A Redis cluster and the other
    ///   backends report nothing. An end without a report is found at the interval.
    /// - **Renewals and logins.** A [renewed](Session::renew) session goes on under its new ID, and
    ///   so does one whose owner [logs in](Session::login) again. The login of another user ends it,
    ///   also that of a visitor who was not logged in. A logout ends it even if a login follows.
    /// - **Outages.** While the backend does not answer, the session goes on, until the idle limit
    ///   or the deadline that the last answer has shown.
    /// - **Rows of a Go package.** They leave no trace of a renewal. If another process renews the
    ///   session, this one has ended: the client connects again, with its new ID.
    ///
    /// # A session in a cookie
    ///
    /// Nothing but the client has the session. The future resolves at the idle limit and the
    /// deadline that this request's cookie has, even if other requests use the session since. If the
    /// store is [revocable](super::CookieStore::revocable), it also resolves after a revocation of
    /// the owner, within the [same bound](super::CookieStore::watch_interval). A logout by another
    /// request cannot be seen.
    ///
    /// Needs tokio.
    ///
    /// [`Backend::load_many`]: crate::backend::Backend::load_many
    /// [`ConnectOptions::notify`]: crate::backend::ConnectOptions::notify
    /// [`ServerStore::end`]: super::ServerStore::end
    /// [`ServerStore::end_all`]: super::ServerStore::end_all
    pub fn ended(&self) -> impl Future<Output = SessionEnd> + Send + 'static {
        let session = self.clone();
        async move {
            let store = session.0.store.clone();
            let saved = session.state().to_watch();
            drop(session);
            match saved {
                Ok((metadata, row_ref)) => store.ended(&metadata, row_ref.as_deref()).await,
                Err(end) => end,
            }
        }
    }
}
