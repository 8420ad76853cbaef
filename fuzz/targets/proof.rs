//! Any text as the proof of a device, and any header and payload under its signature: the endpoint never
//! panics, and accepts only the proof that answers its challenge.
#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use silverback::codec::{HashKey, KeyPair, SecureCookie, UnixTime};
use silverback::session::binding::{BindingOptions, EndpointRequest};
use silverback::session::testing::Jar;
use silverback::session::{CookieStore, Sessions, Stores};
use silverback_fuzz::at_once;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// A client that has registered its key. The session is in its cookie, so no run changes it.
struct Client {
    stores: Stores,
    cookie: String,
    id: String,
    challenge: String,
}

static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let keys = KeyPair::sign_only(HashKey::new(&[7; 64]).expect("the key is long enough"));
    let store =
        CookieStore::new(SecureCookie::new(keys).expect("right keys")).expect("right options");
    let binding = BindingOptions::new("/session").expect("a path");
    let store = store.clock(|| NOW).binding(binding).expect("right options");
    let stores = Stores::from(store.clone());
    let mut jar = Jar::new();
    let sessions = jar.sessions(store);
    assert!(sessions.binding_endpoint().is_none());
    let session = at_once(sessions.session()).expect("a new session");
    session.login("ape").expect("a login");
    let fields = at_once(sessions.finish())
        .expect("a save")
        .expect("a session");
    jar.receive_all(fields.set_cookies());
    let (_, offer) = fields.others().first().expect("an offer");
    let challenge = quoted(offer, "challenge=\"");
    let point = key(1).verifying_key().to_sec1_point(false);
    let jwk = json!({
        "kty": "EC",
        "crv": "P-256",
        "x": URL_SAFE_NO_PAD.encode(&point.as_bytes()[1..33]),
        "y": URL_SAFE_NO_PAD.encode(&point.as_bytes()[33..]),
    });
    let header = json!({"alg": "ES256", "typ": "dbsc+jwt", "jwk": jwk}).to_string();
    let payload = json!({"jti": challenge}).to_string();
    let proof = signed(1, header.as_bytes(), payload.as_bytes());
    let registered = Sessions::of_request(
        &stores,
        [jar.cookie().as_bytes()],
        None,
        "/session/registration",
    );
    let endpoint = registered.binding_endpoint().expect("an endpoint");
    let request = EndpointRequest::new("POST", |name| match name {
        "secure-session-response" => Some(&*proof),
        _ => None,
    });
    let answer = at_once(endpoint.answer(&request)).expect("an answer");
    assert_eq!(answer.status(), 200);
    let fields = at_once(registered.finish())
        .expect("a save")
        .expect("a session");
    jar.receive_all(fields.set_cookies());
    let mut next = answer.fields().iter();
    let (_, next) = next
        .find(|(name, _)| *name == "secure-session-challenge")
        .expect("a challenge");
    Client {
        stores,
        cookie: jar.cookie(),
        id: quoted(next, "id=\""),
        challenge: quoted(next, "\""),
    }
});

fn key(number: u8) -> SigningKey {
    SigningKey::from_slice(&[number; 32]).expect("a private key")
}

fn quoted(field: &str, after: &str) -> String {
    let (_, rest) = field.split_once(after).expect("the parameter is there");
    rest.split('"').next().unwrap_or_default().to_owned()
}

fn signed(number: u8, header: &[u8], payload: &[u8]) -> String {
    let text = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let signature: Signature = key(number).sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

/// Returns the status of a refresh with that proof.
fn refresh(proof: &str) -> u16 {
    let cookie = CLIENT.cookie.as_bytes();
    let sessions = Sessions::of_request(&CLIENT.stores, [cookie], None, "/session/refresh");
    let endpoint = sessions.binding_endpoint().expect("an endpoint");
    let request = EndpointRequest::new("POST", |name| match name {
        "sec-secure-session-id" => Some(&*CLIENT.id),
        "secure-session-response" => Some(proof),
        _ => None,
    });
    at_once(endpoint.answer(&request))
        .expect("an answer")
        .status()
}

fuzz_target!(|input: (&str, &[u8], &[u8], bool)| {
    let (text, header, payload, puts_challenge) = input;
    assert_ne!(refresh(text), 200, "nothing but the key makes a proof");
    let payload = match puts_challenge {
        true => json!({"jti": CLIENT.challenge}).to_string().into_bytes(),
        false => payload.to_vec(),
    };
    assert_ne!(refresh(&signed(2, header, &payload)), 200, "another key");
    if refresh(&signed(1, header, &payload)) == 200 {
        let [header, payload] = [header, &payload]
            .map(|part| serde_json::from_slice::<Value>(part).expect("an accepted part is JSON"));
        assert_eq!(header["alg"], "ES256");
        assert_eq!(header["typ"], "dbsc+jwt");
        assert_eq!(header.get("crit"), None);
        assert_eq!(payload["jti"], CLIENT.challenge.as_str());
    }
});
