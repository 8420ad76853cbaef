//! [`Endpoint`]: answers the requests by which a browser registers a key and refreshes its bound
//! cookie.

use std::fmt;
use std::sync::Arc;

use crate::codec::UnixTime;

use super::super::key_binding::{BindingId, DeviceKey, KeyBinding};
use super::super::store::Store;
use super::super::{Error, Refusal, Session, Sessions};
use super::proof::{NoProof, Proof, bare_item};
use super::seals::next_proof;
use super::store_binding::{CHALLENGE, Step, StoreBinding};

/// The parts of a request to an [`Endpoint`]. For adapters of web frameworks.
#[derive(Clone, Copy, Default)]
#[non_exhaustive]
pub struct EndpointRequest<'r> {
    /// The method.
    pub method: &'r str,
    /// The field `Sec-Fetch-Site`.
    pub fetch_site: Option<&'r str>,
    /// The field `Sec-Secure-Session-Id`, which a refresh has.
    pub session_id: Option<&'r str>,
    /// The field `Secure-Session-Response`, which has the proof.
    pub response: Option<&'r str>,
}

impl<'r> EndpointRequest<'r> {
    /// Reads the parts of a request. `field` returns the value of a header field by its name in
    /// lower case.
    #[must_use]
    pub fn new(method: &'r str, field: impl Fn(&'static str) -> Option<&'r str>) -> Self {
        EndpointRequest {
            method,
            fetch_site: field("sec-fetch-site"),
            session_id: field("sec-secure-session-id"),
            response: field("secure-session-response"),
        }
    }
}

/// Shows the method, and no proof.
impl fmt::Debug for EndpointRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointRequest({})", self.method)
    }
}

/// The answer of an [`Endpoint`]. For adapters of web frameworks.
#[derive(Clone, PartialEq, Eq)]
#[must_use = "the client waits for this answer"]
pub struct EndpointAnswer {
    status: u16,
    fields: Vec<(&'static str, String)>,
    body: String,
}

impl EndpointAnswer {
    fn new(status: u16) -> Self {
        EndpointAnswer {
            status,
            fields: vec![("cache-control", "no-store".to_owned())],
            body: String::new(),
        }
    }

    fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    fn json(self, body: String) -> Self {
        EndpointAnswer {
            body,
            ..self.field("content-type", "application/json")
        }
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the header fields. Add them to those of the session layer.
    #[must_use]
    pub fn fields(&self) -> &[(&'static str, String)] {
        &self.fields
    }

    /// Returns the body: JSON, or nothing.
    #[must_use]
    pub fn into_body(self) -> String {
        self.body
    }
}

/// Shows the status, and no challenge and no cookie.
impl fmt::Debug for EndpointAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointAnswer({})", self.status)
    }
}

/// One of the two addresses to which a browser sends its proofs. For adapters of web frameworks:
/// [`Sessions::binding_endpoint`](super::super::Sessions::binding_endpoint) returns it.
#[derive(Clone)]
pub struct Endpoint {
    pub(super) sessions: Sessions,
    pub(super) place: usize,
    pub(super) store: Arc<dyn Store>,
    pub(super) step: Step,
}

impl Endpoint {
    /// Answers a request, and saves its session. Finish the request's sessions as for any other
    /// response.
    ///
    /// # Errors
    /// Returns the errors of loading and saving a session. The browser repeats the request after a
    /// status of 500 or more.
    pub async fn answer(&self, request: &EndpointRequest<'_>) -> Result<EndpointAnswer, Error> {
        if request.method != "POST" {
            return Ok(EndpointAnswer::new(405).field("allow", "POST"));
        }
        // Browsers send these requests by themselves, as same-origin.
        if request.fetch_site.is_some_and(|site| site != "same-origin") {
            return Ok(EndpointAnswer::new(403));
        }
        let Some(binding) = self.store.setup().binding.as_ref() else {
            return Ok(EndpointAnswer::new(404));
        };
        let session = self.sessions.load(self.place, &self.store).await?;
        // Neither step is a use by the user.
        session.passive();
        let exchange = Exchange {
            now: session.setup().now(),
            session,
            binding,
        };
        match self.step {
            Step::Registration => exchange.register(request).await,
            Step::Refresh => exchange.refresh(request).await,
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.step).finish()
    }
}

/// One request to an endpoint.
struct Exchange<'b> {
    session: Session,
    binding: &'b StoreBinding,
    now: UnixTime,
}

impl Exchange<'_> {
    /// Registers the key of a login that has none yet.
    async fn register(self, request: &EndpointRequest<'_>) -> Result<EndpointAnswer, Error> {
        if self.is_uncertain() {
            return Ok(later());
        }
        let before = self.session.key_binding();
        let before = before.filter(|binding| binding.key.is_none());
        let Some(before) = before else {
            return Ok(self.refused("the session takes no key"));
        };
        let proof = self.proof(request, &before, Step::Registration);
        let Ok(point) = proof.and_then(|proof| proof.announced_key()) else {
            return Ok(self.refused("the proof is not valid"));
        };
        let key = DeviceKey { point, proofs: 1 };
        match self.save(before, &key).await {
            Ok(after) => {
                let instructions = self.binding.instructions(&after);
                Ok(self.accepted(&after, &key)?.json(instructions))
            }
            Err(error) if error.is_gone() || error.is_not_bound() => {
                Ok(self.refused("the session has ended, or has a key"))
            }
            Err(error) => Err(error),
        }
    }

    /// Sends a new bound cookie to the owner of the key.
    async fn refresh(self, request: &EndpointRequest<'_>) -> Result<EndpointAnswer, Error> {
        let id = request.session_id.map(bare_item);
        let Some(id) = id.and_then(BindingId::parse) else {
            return Ok(EndpointAnswer::new(400));
        };
        // Within a renewal grace, a session that has moved can be read and not saved.
        if self.is_uncertain() {
            return Ok(later());
        }
        let before = self.session.key_binding().filter(|of| of.id == id);
        let Some((before, key)) = before.and_then(|of| Some((of.clone(), of.key?))) else {
            return Ok(ended(&id));
        };
        let proof = self.proof(request, &before, Step::Refresh);
        if proof.and_then(|proof| proof.check(&key.point)).is_err() {
            if request.response.is_some() {
                tracing::info!(cookie = self.session.name(), "a proof was refused");
            }
            return self.challenged(&before);
        }
        if self.session.id().is_none() {
            // The session is in its cookie: a count there ends no copy, and another cookie of the
            // session could undo changes of requests at the same time.
            return self.accepted(&before, &key);
        }
        let next = DeviceKey {
            proofs: key.proofs.saturating_add(1),
            ..key
        };
        match self.save(before, &next).await {
            Ok(after) => self.accepted(&after, &next),
            // The session has ended or moved since it was loaded. The next attempt finds out which.
            Err(error) if error.is_gone() => Ok(later()),
            Err(error) if error.is_not_bound() => {
                // Another request has used the proof. The next attempt gets a new challenge.
                tracing::info!(cookie = self.session.name(), "a proof was used twice");
                Ok(later())
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the proof of a request if it answers the present challenge of the binding. Its
    /// signature is not checked yet.
    fn proof<'r>(
        &self,
        request: &EndpointRequest<'r>,
        binding: &KeyBinding,
        step: Step,
    ) -> Result<Proof<'r>, NoProof> {
        let proof = Proof::parse(request.response.ok_or(NoProof)?)?;
        let life = self.binding.challenge_life(step);
        let seals = &self.binding.seals;
        let challenge = seals.open_challenge(proof.challenge(), life, self.now);
        let number = next_proof(binding.key.as_ref());
        let is_present = challenge.is_some_and(|of| of.id == binding.id && of.number == number);
        is_present.then_some(proof).ok_or(NoProof)
    }

    /// Saves the key, unless another request has changed the binding since it was loaded.
    async fn save(&self, before: KeyBinding, key: &DeviceKey) -> Result<KeyBinding, Error> {
        let after = KeyBinding {
            id: before.id,
            key: Some(key.clone()),
        };
        self.session.save_binding(before, after.clone()).await?;
        Ok(after)
    }

    /// Returns the answer to a good proof: the bound cookie, and the next challenge.
    fn accepted(&self, binding: &KeyBinding, key: &DeviceKey) -> Result<EndpointAnswer, Error> {
        let challenge = self.binding.challenge_field(binding, self.now)?;
        let cookie = self.binding.set_cookie(binding, key, self.now)?;
        Ok(EndpointAnswer::new(200)
            .field(CHALLENGE, challenge)
            .field("set-cookie", cookie))
    }

    /// Returns the answer to a request without a good proof.
    fn challenged(&self, binding: &KeyBinding) -> Result<EndpointAnswer, Error> {
        let challenge = self.binding.challenge_field(binding, self.now)?;
        Ok(EndpointAnswer::new(403).field(CHALLENGE, challenge))
    }

    fn refused(&self, reason: &'static str) -> EndpointAnswer {
        tracing::info!(
            cookie = self.session.name(),
            reason,
            "a key was not registered"
        );
        EndpointAnswer::new(403)
    }

    /// Returns whether the session may be live although this request has not opened it: another
    /// request has renewed it, or only another instance can open its cookie. Only a certain answer may
    /// end a binding.
    fn is_uncertain(&self) -> bool {
        let refusal = self.session.refusal();
        let has_ended = |refusal| {
            matches!(
                refusal,
                Refusal::Expired | Refusal::Idle | Refusal::Revoked | Refusal::Gone
            )
        };
        refusal.is_some_and(|refusal| !has_ended(refusal))
    }
}

/// Returns the answer that ends a binding in the browser.
fn ended(id: &BindingId) -> EndpointAnswer {
    let body = serde_json::json!({"session_identifier": id.to_string(), "continue": false});
    EndpointAnswer::new(200).json(body.to_string())
}

/// Returns the answer after which the browser repeats its request.
fn later() -> EndpointAnswer {
    EndpointAnswer::new(503).field("retry-after", "1")
}
