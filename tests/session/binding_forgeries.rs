//! Forged and altered proofs against the endpoints of a binding: none is accepted. The cases are
//! seeded, and `SILVERBACK_CASES` sets their number.

use silverback::backend::Memory;
use silverback::session::binding::{BindingOptions, EndpointRequest};
use silverback::session::testing::Jar;
use silverback::session::{ServerOptions, ServerStore, Sessions, Stores};

use super::device::{Device, encode, quoted};
use super::support::{Clock, fresh_codecs};

/// The cases of CI.
const CASES: u64 = 20_000;

fn cases() -> u64 {
    let wanted = std::env::var("SILVERBACK_CASES");
    wanted.map_or(CASES, |cases| cases.parse().unwrap())
}

/// A generator of random numbers (splitmix64), so that each case can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }
}

/// A client of one session.
struct Client {
    jar: Jar,
    device: Device,
    id: String,
    registration: String,
    challenge: String,
    old_challenge: String,
}

struct Answer {
    status: u16,
    body: String,
    fields: Vec<(&'static str, String)>,
}

impl Answer {
    fn field(&self, wanted: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        Some(&fields.find(|(name, _)| *name == wanted)?.1)
    }

    /// Returns whether the client got anything that a proof gives.
    fn is_accepted(&self) -> bool {
        self.status == 200 || self.field("set-cookie").is_some()
    }
}

async fn send(
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

/// Logs a client in. It has registered its key and refreshed once.
async fn client(store: &ServerStore, number: u8) -> Client {
    let (mut jar, device) = (Jar::new(), Device::new(number));
    let sessions = jar.sessions(store.clone());
    assert!(sessions.binding_endpoint().is_none());
    sessions
        .session()
        .await
        .unwrap()
        .login(format!("ape {number}"))
        .unwrap();
    let fields = sessions.finish().await.unwrap().unwrap();
    jar.receive_all(fields.set_cookies());
    let offer = fields
        .others()
        .iter()
        .find(|(name, _)| *name == "secure-session-registration");
    let registration = quoted(&offer.unwrap().1, "challenge");
    let proof = device.registration(&registration);
    let answer = send(store, &mut jar, "/session/registration", None, &proof).await;
    assert_eq!(answer.status, 200);
    let field = answer.field("secure-session-challenge").unwrap();
    let (id, old_challenge) = (quoted(field, "id"), quoted(field, ""));
    assert!(answer.body.contains(&id));
    let proof = device.proof(&old_challenge);
    let answer = send(store, &mut jar, "/session/refresh", Some(&id), &proof).await;
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

/// Changes one character of a text.
fn altered(text: &str, random: &mut Random) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.={}";
    let mut bytes = text.as_bytes().to_vec();
    let place = random.below(bytes.len());
    match random.below(4) {
        0 => drop(bytes.remove(place)),
        1 => bytes.insert(place, *random.one_of(LETTERS)),
        2 => bytes.truncate(place),
        _ => {
            let other = *random.one_of(LETTERS);
            bytes[place] = if bytes[place] == other { b'!' } else { other };
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// A proof that no client may send with success, and its kind.
fn forged(own: &Client, other: &Client, random: &mut Random) -> (&'static str, String) {
    let jwk = |device: &Device| serde_json::json!({"alg": "ES256", "typ": "dbsc+jwt", "jwk": device.jwk()});
    let header = |name: &str, value: &str| {
        let mut header = serde_json::json!({"alg": "ES256", "typ": "dbsc+jwt"});
        header[name] = value.into();
        header
    };
    let payload = |challenge: &str| serde_json::json!({"jti": challenge});
    match random.below(13) {
        0 => (
            "altered proof",
            altered(&own.device.proof(&own.challenge), random),
        ),
        1 => ("another key", other.device.proof(&own.challenge)),
        2 => (
            "another session's challenge",
            own.device.proof(&other.challenge),
        ),
        3 => (
            "another session's proof",
            other.device.proof(&other.challenge),
        ),
        4 => ("a used challenge", own.device.proof(&own.old_challenge)),
        5 => (
            "a registration's challenge",
            own.device.proof(&own.registration),
        ),
        6 => (
            "a swapped key",
            other
                .device
                .sign(&jwk(&other.device), &payload(&own.challenge)),
        ),
        7 => {
            let challenge = altered(&own.challenge, random);
            ("an altered challenge", own.device.proof(&challenge))
        }
        8 => {
            let wrong = ["none", "HS256", "ES384", "RS256", "es256", ""];
            let header = header("alg", random.one_of::<&str>(&wrong));
            (
                "another algorithm",
                own.device.sign(&header, &payload(&own.challenge)),
            )
        }
        9 => {
            let wrong = ["jwt", "JWT", "dbsc+jwt ", ""];
            let header = header("typ", random.one_of::<&str>(&wrong));
            (
                "another type",
                own.device.sign(&header, &payload(&own.challenge)),
            )
        }
        10 => {
            let header = header("crit", "exp");
            (
                "a critical extension",
                own.device.sign(&header, &payload(&own.challenge)),
            )
        }
        11 => {
            let proof = own.device.proof(&own.challenge);
            let (signed, _) = proof.rsplit_once('.').unwrap();
            let length = *random.one_of(&[0, 1, 63, 64, 65, 72]);
            let signature: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
            (
                "a random signature",
                format!("{signed}.{}", encode(&signature)),
            )
        }
        _ => {
            let length = random.below(600);
            let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
            ("random bytes", encode(&bytes))
        }
    }
}

#[tokio::test]
async fn no_forged_proof_is_accepted() {
    let clock = Clock::starting_now();
    let now = clock.clone();
    let options = ServerOptions::new()
        .binding(
            BindingOptions::new("/session")
                .unwrap()
                .required(["/login"]),
        )
        .clock(move || now.now());
    let store = ServerStore::with_options(fresh_codecs(), Memory::new(), options).unwrap();
    let mut own = client(&store, 1).await;
    let other = client(&store, 2).await;
    let fresh = {
        // A session that has no key yet, and the challenge of its registration.
        let mut jar = Jar::new();
        let sessions = jar.sessions(store.clone());
        assert!(sessions.binding_endpoint().is_none());
        sessions.session().await.unwrap().login("ape 3").unwrap();
        let fields = sessions.finish().await.unwrap().unwrap();
        jar.receive_all(fields.set_cookies());
        (jar, quoted(&fields.others()[0].1, "challenge"))
    };
    let mut random = Random(20_261_130);
    let mut kinds = std::collections::BTreeMap::new();
    for case in 0..cases() {
        let (kind, proof) = forged(&own, &other, &mut random);
        let id = match random.below(10) {
            0 => other.id.clone(),
            _ => own.id.clone(),
        };
        let mut jar = own.jar.clone();
        let answer = send(&store, &mut jar, "/session/refresh", Some(&id), &proof).await;
        let is_ended = answer.body.contains("\"continue\":false");
        match id == own.id {
            true => assert!(!answer.is_accepted(), "case {case}, {kind}: {proof}"),
            false => assert!(is_ended, "case {case}, {kind}: {proof}"),
        }
        // At a registration: with the challenges of others, and the own key of the sender.
        let challenges = [&own.registration, &other.registration, &own.challenge];
        let challenge = random.one_of(&challenges);
        let proof = match random.below(3) {
            0 => altered(&other.device.registration(&fresh.1), &mut random),
            1 => other.device.proof(&fresh.1),
            _ => other.device.registration(challenge),
        };
        let mut jar = fresh.0.clone();
        let answer = send(&store, &mut jar, "/session/registration", None, &proof).await;
        assert!(!answer.is_accepted(), "case {case}: {proof}");
        *kinds.entry(kind).or_insert(0) += 1;
    }
    assert_eq!(kinds.len(), 13, "{kinds:?}");
    // The session is as it was.
    let proof = own.device.proof(&own.challenge);
    let answer = send(
        &store,
        &mut own.jar,
        "/session/refresh",
        Some(&own.id),
        &proof,
    )
    .await;
    assert!(answer.is_accepted());
    println!(
        "{} forged refreshes and as many forged registrations: {kinds:?}",
        cases()
    );
}
