//! A client of the endpoints of a binding, without a server: it has a jar, and the key of a device.

use silverback::session::binding::EndpointRequest;
use silverback::session::testing::Jar;
use silverback::session::{ServerStore, Sessions, Stores};

use super::device::{Device, quoted};

/// A client of one session.
pub(crate) struct Client {
    pub(crate) jar: Jar,
    pub(crate) device: Device,
    pub(crate) id: String,
    pub(crate) registration: String,
    pub(crate) challenge: String,
    pub(crate) old_challenge: String,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) fields: Vec<(&'static str, String)>,
}

impl Answer {
    pub(crate) fn field(&self, wanted: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        Some(&fields.find(|(name, _)| *name == wanted)?.1)
    }

    /// Returns whether the answer ends the binding in the browser.
    pub(crate) fn is_end(&self) -> bool {
        self.status == 200 && self.body.contains("\"continue\":false")
    }

    /// Returns whether the client got anything that a proof gives.
    pub(crate) fn is_accepted(&self) -> bool {
        self.status == 200 || self.field("set-cookie").is_some()
    }
}

pub(crate) async fn send(
    store: &ServerStore,
    jar: &mut Jar,
    path: &str,
    id: Option<&str>,
    proof: &str,
) -> Answer {
    let stores = Stores::from(store.clone());
    let sessions = Sessions::of_request(&stores, [jar.cookie().as_bytes()], None, path);
    let endpoint = sessions.binding_endpoint().unwrap();
    let request = EndpointRequest::new("POST", |name| match name {
        "sec-secure-session-id" => id,
        "secure-session-response" => Some(proof),
        _ => None,
    });
    let answer = endpoint.answer(&request).await.unwrap();
    let fields = sessions.finish().await.unwrap();
    jar.receive_all(fields.iter().flat_map(|fields| fields.set_cookies()));
    let cookies = answer
        .fields()
        .iter()
        .filter(|(name, _)| *name == "set-cookie");
    jar.receive_all(cookies.map(|(_, value)| value));
    Answer {
        status: answer.status(),
        fields: answer.fields().to_vec(),
        body: answer.into_body(),
    }
}

/// Posts a proof to the endpoint that registers keys.
pub(crate) async fn register(store: &ServerStore, jar: &mut Jar, proof: &str) -> Answer {
    send(store, jar, "/session/registration", None, proof).await
}

/// Posts a proof to the endpoint that refreshes the bound cookie.
pub(crate) async fn refresh(store: &ServerStore, jar: &mut Jar, id: &str, proof: &str) -> Answer {
    send(store, jar, "/session/refresh", Some(id), proof).await
}

/// Logs in, and returns the jar and the challenge of the registration.
pub(crate) async fn log_in(store: &ServerStore, owner: &str) -> (Jar, String) {
    let mut jar = Jar::new();
    let sessions = jar.sessions(store.clone());
    assert!(sessions.binding_endpoint().is_none());
    sessions.session().await.unwrap().login(owner).unwrap();
    let fields = sessions.finish().await.unwrap().unwrap();
    jar.receive_all(fields.set_cookies());
    let mut others = fields.others().iter();
    let offer = others.find(|(name, _)| *name == "secure-session-registration");
    (jar, quoted(&offer.unwrap().1, "challenge"))
}

impl Client {
    /// Logs a client in. It has registered its key and refreshed once.
    pub(crate) async fn new(store: &ServerStore, number: u8) -> Self {
        let (mut jar, registration) = log_in(store, &format!("ape {number}")).await;
        let device = Device::new(number);
        let answer = register(store, &mut jar, &device.registration(&registration)).await;
        assert_eq!(answer.status, 200);
        let field = answer.field("secure-session-challenge").unwrap();
        let (id, old_challenge) = (quoted(field, "id"), quoted(field, ""));
        assert!(answer.body.contains(&id));
        let answer = refresh(store, &mut jar, &id, &device.proof(&old_challenge)).await;
        assert_eq!(answer.status, 200);
        Client {
            challenge: quoted(answer.field("secure-session-challenge").unwrap(), ""),
            jar,
            device,
            id,
            registration,
            old_challenge,
        }
    }

    /// Returns the proof for the next refresh.
    pub(crate) fn proof(&self) -> String {
        self.device.proof(&self.challenge)
    }
}
