//! Refreshes of a binding that run at the same time as another request of the session: a second
//! refresh with the same proof, a logout, a renewal, a revocation.

use std::collections::BTreeMap;
use std::sync::Arc;

use silverback::backend::Backend;
use silverback::session::binding::BindingOptions;
use silverback::session::testing::Jar;
use silverback::session::{ServerOptions, ServerStore, Session};
use tokio::sync::Barrier;

use crate::bound_client::{Answer, Client, refresh};
use crate::dice::Dice;
use crate::random_backend::RandomBackend;
use crate::requests::Keys;
use crate::{ROUNDS, RUNTIME};

/// The request that runs at the same time as a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Other {
    Refresh,
    Logout,
    Renewal,
    Revocation,
}

const OTHERS: [Other; 4] = [
    Other::Refresh,
    Other::Logout,
    Other::Renewal,
    Other::Revocation,
];

/// The result of the other request.
enum Outcome {
    Refreshed(Answer),
    /// The jar with the cookies of the response.
    Answered(Jar),
}

/// How many rounds had each result.
#[derive(Default)]
struct Tally(BTreeMap<(Other, &'static str), usize>);

fn options() -> ServerOptions {
    let binding = BindingOptions::new("/session").unwrap();
    ServerOptions::new().binding(binding.required(["/login"]))
}

/// Runs `change` in a request, and returns the jar with the cookies of its response.
async fn visit(store: &ServerStore, mut jar: Jar, change: impl FnOnce(&Session)) -> Jar {
    let sessions = jar.sessions(store.clone());
    change(&sessions.session().await.unwrap());
    // A request that was overtaken gets no cookie.
    if let Ok(Some(fields)) = sessions.finish().await {
        jar.receive_all(fields.set_cookies());
    }
    jar
}

async fn run(other: Other, store: &ServerStore, client: &Client, owner: &str) -> Outcome {
    let mut jar = client.jar.clone();
    match other {
        Other::Refresh => {
            let proof = client.proof();
            Outcome::Refreshed(refresh(store, &mut jar, &client.id, &proof).await)
        }
        Other::Logout => Outcome::Answered(visit(store, jar, |of| of.logout().unwrap()).await),
        Other::Renewal => Outcome::Answered(visit(store, jar, |of| of.renew().unwrap()).await),
        Other::Revocation => {
            store.end_all(owner).await.unwrap();
            Outcome::Answered(jar)
        }
    }
}

/// Returns the meaning of an answer to a refresh.
fn meaning(answer: &Answer) -> &'static str {
    match answer.status {
        200 if answer.is_end() => "ended",
        200 => "accepted",
        403 => "challenged",
        503 => "later",
        status => panic!("the status of a refresh is {status}"),
    }
}

pub(crate) fn a_refresh_keeps_the_laws(backend: Arc<dyn Backend>) -> String {
    RUNTIME.block_on(async {
        let mut tally = Tally::default();
        for round in 0..*ROUNDS {
            // The clock of these stores stands still. A tombstone that is written by it lasts a minute
            // from here on, by the server's clock.
            let keys = Keys::new();
            for other in OTHERS {
                let outcome = one_round(&keys, &backend, other, round).await;
                *tally.0.entry((other, outcome)).or_default() += 1;
            }
        }
        let all = tally.0.iter();
        let all = all.map(|((other, outcome), times)| format!("{other:?}/{outcome} {times}"));
        all.collect::<Vec<_>>().join(", ")
    })
}

async fn one_round(
    keys: &Keys,
    backend: &Arc<dyn Backend>,
    other: Other,
    round: usize,
) -> &'static str {
    let plain = keys.store_of(backend.clone(), options());
    // Each login of an owner is in a list of its own.
    let number = u8::try_from(round % 200).unwrap();
    let owner = format!("ape {number}");
    let client = Arc::new(Client::new(&plain, number).await);
    let barrier = Arc::new(Barrier::new(2));
    let store = || {
        let random = RandomBackend::new(backend.clone(), 4);
        keys.store_of(Arc::new(random), options())
    };
    let refreshed = {
        let (store, client, barrier) = (store(), client.clone(), barrier.clone());
        tokio::spawn(async move {
            barrier.wait().await;
            tokio::time::sleep(std::time::Duration::from_micros(
                Dice::new().roll(300) as u64
            ))
            .await;
            run(Other::Refresh, &store, &client, "").await
        })
    };
    let second = {
        let (store, client, owner) = (store(), client.clone(), owner.clone());
        tokio::spawn(async move {
            barrier.wait().await;
            tokio::time::sleep(std::time::Duration::from_micros(
                Dice::new().roll(300) as u64
            ))
            .await;
            run(other, &store, &client, &owner).await
        })
    };
    let Outcome::Refreshed(refreshed) = refreshed.await.unwrap() else {
        panic!("a refresh has another outcome");
    };
    let first = meaning(&refreshed);
    match second.await.unwrap() {
        Outcome::Refreshed(second) => {
            let both = [first, meaning(&second)];
            let accepted = both.iter().filter(|of| **of == "accepted").count();
            assert_eq!(accepted, 1, "{other:?}: {both:?}");
        }
        Outcome::Answered(jar) => check(&plain, &client, other, &refreshed, jar).await,
    }
    first
}

/// Checks what the next refresh of the browser gets, with the cookies of both responses.
async fn check(
    store: &ServerStore,
    client: &Client,
    other: Other,
    refreshed: &Answer,
    mut jar: Jar,
) {
    let cookies = refreshed
        .fields
        .iter()
        .filter(|(name, _)| *name == "set-cookie");
    jar.receive_all(cookies.map(|(_, value)| value));
    let first = meaning(refreshed);
    let challenge = refreshed.field("secure-session-challenge");
    let challenge = challenge.map(|field| crate::device::quoted(field, ""));
    let proof = client
        .device
        .proof(challenge.as_ref().unwrap_or(&client.challenge));
    let next = refresh(store, &mut jar, &client.id, &proof).await;
    let story = format!("{other:?}: {first}, then {}", meaning(&next));
    match other {
        Other::Renewal => {
            assert_ne!(first, "ended", "{story}");
            assert_eq!(meaning(&next), "accepted", "{story}");
            let session = jar.session(store.clone()).await.unwrap();
            assert_eq!(
                session.binding(),
                silverback::session::binding::Binding::Bound
            );
        }
        _ => {
            assert_ne!(first, "challenged", "{story}");
            assert_eq!(meaning(&next), "ended", "{story}");
            // The cookies from before open nothing, and nothing brings the session back.
            let session = client.jar.session(store.clone()).await.unwrap();
            assert_eq!(session.owner(), None, "{story}");
        }
    }
}
