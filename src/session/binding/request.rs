//! The bindings of one request: the check of its bound cookies, and the fields of its response.

use std::sync::Arc;

use crate::codec::Codec;

use super::super::key_binding::KeyBinding;
use super::super::session_data::SessionData;
use super::super::setup::Setup;
use super::super::state::{RequestCookie, ResponseCookie, State};
use super::super::store::Store;
use super::super::{CookieOptions, Error, Refusal, Session, Sessions};
use super::store_binding::{CHALLENGE, REGISTRATION, StoreBinding};
use super::{Binding, BindingOptions, Endpoint};

impl Setup {
    /// Sets the binding of a store, if it has one.
    pub(in super::super) fn bind(
        &mut self,
        options: Option<BindingOptions>,
        codec: Option<Arc<dyn Codec>>,
        cookie: &CookieOptions,
    ) -> Result<(), Error> {
        let Some(options) = options else {
            return Ok(());
        };
        let codec = codec.ok_or_else(|| {
            Error::usage(
                "a device binding needs the native dialect: the rows of Go packages have no place for \
                 a key",
            )
        })?;
        self.binding = Some(StoreBinding::new(options, codec, cookie)?);
        Ok(())
    }

    /// Begins the binding of a new login, if the store offers one.
    pub(in super::super) fn begin_binding(&self) -> Result<Option<KeyBinding>, Error> {
        match &self.binding {
            Some(_) => KeyBinding::begin().map(Some),
            None => Ok(None),
        }
    }
}

impl State {
    fn binding(&self) -> Binding {
        let key = self.data.metadata.binding.as_ref().map(|of| &of.key);
        match key {
            None => Binding::NotOffered,
            Some(None) => Binding::Unbound,
            Some(Some(_)) if self.proof.is_proven => Binding::Bound,
            Some(Some(_)) => Binding::Unproven,
        }
    }
}

impl Session {
    /// Returns whether the session is bound to the client's device: see
    /// [`binding`](super::super::binding).
    #[must_use]
    pub fn binding(&self) -> Binding {
        match self.setup().binding {
            Some(_) => self.state().binding(),
            None => Binding::NotOffered,
        }
    }

    /// Requires a session that is bound to the client's device, and a request with its bound cookie.
    /// Clients that never registered a key are refused, too.
    ///
    /// ```
    /// # use silverback::session::{Error, Session};
    /// fn send_money(session: &Session) -> Result<(), Error> {
    ///     session.require_bound()?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// Returns a [not bound](Error::is_not_bound) error otherwise. The response then has a challenge
    /// for a client that has the key.
    pub fn require_bound(&self) -> Result<(), Error> {
        match self.binding() {
            Binding::Bound => Ok(()),
            _ => {
                self.state().proof.is_wanted = true;
                Err(Error::not_bound())
            }
        }
    }

    pub(super) fn key_binding(&self) -> Option<KeyBinding> {
        self.state().data.metadata.binding.clone()
    }

    /// Returns a challenge if a handler has refused the request for want of a bound cookie, and the
    /// client has a key.
    fn wanted_challenge(&self) -> Option<String> {
        let (binding, proof) = {
            let state = self.state();
            (state.data.metadata.binding.clone(), state.proof)
        };
        let binding = binding.filter(|of| proof.is_wanted && of.key.is_some())?;
        let setup = self.setup();
        let challenge = setup
            .binding
            .as_ref()?
            .challenge_field(&binding, setup.now());
        let log = |error: &Error| tracing::error!(%error, "a challenge could not be sealed");
        challenge.inspect_err(log).ok()
    }

    /// Replaces the binding, unless another request has changed it since it was loaded.
    pub(super) async fn save_binding(
        &self,
        before: KeyBinding,
        after: KeyBinding,
    ) -> Result<(), Error> {
        let replace = move |data: &mut SessionData| {
            if data.metadata.binding.as_ref() != Some(&before) {
                return Err(Error::not_bound());
            }
            data.metadata.binding = Some(after.clone());
            Ok(())
        };
        self.change_and_save(Arc::new(replace)).await
    }
}

impl Sessions {
    /// Returns the [`Endpoint`] of a [binding](super::super::binding) that the request is for, if it
    /// is for one. Call it for each request of an application that offers bindings: logins offer
    /// them only then. For adapters of web frameworks.
    #[must_use]
    pub fn binding_endpoint(&self) -> Option<Endpoint> {
        let mut layer = self;
        loop {
            layer.bindings(|of| of.has_endpoints = true);
            if let Some(endpoint) = layer.own_endpoint() {
                return Some(endpoint);
            }
            layer = layer.outer()?;
        }
    }

    fn own_endpoint(&self) -> Option<Endpoint> {
        let path = self.path();
        self.stores().find_map(|(place, store)| {
            let step = store.setup().binding.as_ref()?.step_at(path)?;
            Some(Endpoint {
                sessions: self.clone(),
                place,
                store: store.clone(),
                step,
            })
        })
    }

    /// Checks the bound cookie of a session that was opened. If the store requires bindings, and
    /// the session has a key that the request does not prove, the session stays closed.
    ///
    /// # Errors
    /// Returns a not bound error for such a session, unless the request is for a login.
    pub(in super::super) fn check_binding(
        &self,
        store: &dyn Store,
        mut state: State,
    ) -> Result<State, Error> {
        let setup = store.setup();
        let bound = setup
            .binding
            .as_ref()
            .zip(state.data.metadata.binding.clone());
        let Some((of_store, binding)) = bound else {
            return Ok(state);
        };
        let Some(key) = &binding.key else {
            return Ok(state);
        };
        let now = setup.now();
        let cookies = self.cookies(of_store.cookie_name());
        if of_store.is_proven(&binding, key, &cookies, now) {
            state.proof.is_proven = true;
            return Ok(state);
        }
        // An endpoint checks the proof itself.
        if of_store.step_at(self.path()).is_some() {
            return Ok(state);
        }
        if !cookies.is_empty() {
            // A browser refreshes only a cookie that is missing.
            let removals: Vec<String> = of_store.removals().cloned().collect();
            self.bindings(|of| of.removals = removals);
        }
        if !of_store.is_required() {
            return Ok(state);
        }
        tracing::info!(
            cookie = store.name(),
            "a session was refused: it is bound to a device, and the request has no bound cookie"
        );
        let challenge = of_store.challenge_field(&binding, now)?;
        self.bindings(|of| {
            of.challenges.retain(|(id, _)| *id != binding.id);
            of.challenges.push((binding.id, challenge));
        });
        match of_store.is_login(self.path()) {
            true => Ok(State::new(
                setup,
                RequestCookie::Present,
                Some(Refusal::Unproven),
            )),
            false => Err(Error::not_bound()),
        }
    }

    /// Appends the fields that a session's binding adds to a response: the offer of a binding after
    /// a login, a challenge, and the removal of the bound cookie with the session's own.
    pub(in super::super) fn add_binding_fields(
        &self,
        session: &Session,
        set_cookies: &mut Vec<String>,
        fields: &mut Vec<(&'static str, String)>,
    ) -> Result<(), Error> {
        let Some(of_store) = &session.setup().binding else {
            return Ok(());
        };
        let (binding, response_cookie, has_login) = {
            let state = session.state();
            let binding = state.data.metadata.binding.clone();
            (binding, state.response_cookie(), state.has_new_login())
        };
        if matches!(response_cookie, ResponseCookie::Removed)
            && !self.cookies(of_store.cookie_name()).is_empty()
        {
            set_cookies.extend(of_store.removals().cloned());
        }
        let Some(binding) = binding else {
            return Ok(());
        };
        if binding.key.is_some() || !has_login || !of_store.is_possible() {
            return Ok(());
        }
        match self.bindings(|of| of.has_endpoints) {
            true => {
                let offer = of_store.registration_field(&binding, session.setup().now())?;
                fields.push((REGISTRATION, offer));
            }
            false => tracing::error!(
                cookie = session.name(),
                "the store offers device bindings, and the application has no endpoints for them: \
                 add web::binding::BindingEndpoints inside of the session layer"
            ),
        }
        Ok(())
    }

    /// Returns the Set-Cookies that remove bound cookies that are not good.
    pub(in super::super) fn bound_cookie_removals(&self) -> Vec<String> {
        self.bindings(|of| of.removals.clone())
    }

    /// Returns the challenges to those of the sessions that lack a bound cookie, and to those that
    /// were refused when they were loaded.
    pub(in super::super) fn challenges_to(
        &self,
        sessions: &[Session],
    ) -> Vec<(&'static str, String)> {
        let refused = self.bindings(|of| of.challenges.clone());
        let wanted = sessions.iter().filter_map(Session::wanted_challenge);
        let refused = refused.into_iter().map(|(_, challenge)| challenge);
        let all = refused.chain(wanted);
        all.map(|challenge| (CHALLENGE, challenge)).collect()
    }
}
