//! Forged and altered proofs against the endpoints of a binding: none is accepted. The cases are
//! seeded, and `SILVERBACK_CASES` sets their number.

use silverback::backend::Memory;
use silverback::session::binding::BindingOptions;
use silverback::session::{Lifetime, ServerOptions, ServerStore};

use super::bound_client::{Client, log_in, register, send};
use super::device::{Device, encode};
use super::support::{Clock, fresh_codecs};

/// The cases of CI.
const CASES: u64 = 4_000;

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
        // The backend has its own clock, and a long run takes longer than the usual limit.
        .lifetime(Lifetime::new().without_idle())
        .clock(move || now.now());
    let store = ServerStore::with_options(fresh_codecs(), Memory::new(), options).unwrap();
    let mut own = Client::new(&store, 1).await;
    let other = Client::new(&store, 2).await;
    // A session that has no key yet, and the challenge of its registration.
    let fresh = log_in(&store, "ape 3").await;
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

/// Each key that is no point of P-256, or is said to be another.
#[tokio::test]
async fn only_a_key_on_p_256_is_registered() {
    let options = ServerOptions::new().binding(BindingOptions::new("/session").unwrap());
    let store = ServerStore::with_options(fresh_codecs(), Memory::new(), options).unwrap();
    let device = Device::new(1);
    let jwk = device.jwk();
    let with = |name: &str, value: serde_json::Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    };
    let x = jwk["x"].as_str().unwrap();
    let wrong = [
        with("kty", "RSA".into()),
        with("kty", "ec".into()),
        with("crv", "P-384".into()),
        with("crv", "secp256k1".into()),
        with("x", jwk["y"].clone()),
        with("x", format!("{x}A").into()),
        with("x", encode(&[0; 31]).into()),
        with("y", encode(&[0; 33]).into()),
        with("y", encode(&[0; 32]).into()),
        with("y", serde_json::Value::Null),
        Device::new(2).jwk(),
    ];
    let (jar, challenge) = log_in(&store, "ape").await;
    let payload = serde_json::json!({"jti": challenge});
    for jwk in wrong {
        let header = serde_json::json!({"alg": "ES256", "typ": "dbsc+jwt", "jwk": jwk});
        let proof = device.sign(&header, &payload);
        let answer = register(&store, &mut jar.clone(), &proof).await;
        assert!(!answer.is_accepted(), "{jwk}");
    }
    // A proof is no longer than browsers make it.
    let padded = serde_json::json!({"jti": challenge, "padding": "a".repeat(4_096)});
    let header = serde_json::json!({"alg": "ES256", "typ": "dbsc+jwt", "jwk": jwk});
    let answer = register(&store, &mut jar.clone(), &device.sign(&header, &padded)).await;
    assert!(!answer.is_accepted());
    let proof = device.sign(&header, &payload);
    assert!(
        register(&store, &mut jar.clone(), &proof)
            .await
            .is_accepted()
    );
}
