//! Refreshes that overlap with other requests of the session, and answers of which a store cannot be
//! certain.

use std::sync::Arc;

use silverback::backend::Memory;
use silverback::session::binding::BindingOptions;
use silverback::session::testing::Jar;
use silverback::session::{CookieOptions, ServerOptions, ServerStore, Session};

use super::bound_client::{Client, refresh};
use super::server::test_backend::TestBackend;
use super::support::fresh_codecs;

fn options() -> ServerOptions {
    let binding = BindingOptions::new("/session").unwrap();
    ServerOptions::new().binding(binding.required(["/login"]))
}

/// Two instances of a service over one backend.
fn instances() -> (TestBackend, [ServerStore; 2]) {
    let backend = TestBackend::new(Arc::new(Memory::new()));
    let codecs = fresh_codecs();
    let store = || ServerStore::with_options(codecs.clone(), backend.clone(), options()).unwrap();
    (backend.clone(), [store(), store()])
}

/// Runs `change` in a request of the jar.
async fn visit(store: &ServerStore, jar: &mut Jar, change: impl FnOnce(&Session)) {
    let sessions = jar.sessions(store.clone());
    change(&sessions.session().await.unwrap());
    let fields = sessions.finish().await.unwrap().unwrap();
    jar.receive_all(fields.set_cookies());
}

/// The first request of the proof waits before its write, and the second overtakes it.
#[tokio::test]
async fn of_two_requests_with_one_proof_one_is_accepted() {
    for same_instance in [false, true] {
        let (backend, [one, other]) = instances();
        let client = Client::new(&one, 1).await;
        let proof = client.proof();
        let overtaking = if same_instance { &one } else { &other };
        let gate = backend.waits_at(1);
        let (mut jar, mut twin) = (client.jar.clone(), client.jar.clone());
        let first = refresh(&one, &mut jar, &client.id, &proof);
        let second = async {
            gate.is_reached().await;
            let answer = refresh(overtaking, &mut twin, &client.id, &proof);
            match same_instance {
                // It waits for the first.
                true => {
                    let (answer, ()) = tokio::join!(answer, async {
                        tokio::task::yield_now().await;
                        gate.open();
                    });
                    answer
                }
                false => {
                    let answer = answer.await;
                    gate.open();
                    answer
                }
            }
        };
        let (first, second) = tokio::join!(first, second);
        let accepted = [&first, &second].map(|answer| answer.is_accepted());
        assert_eq!(accepted, [same_instance, !same_instance], "{same_instance}");
        let refused = if same_instance { second } else { first };
        assert!([403, 503].contains(&refused.status), "{}", refused.status);
    }
}

#[tokio::test]
async fn a_refresh_that_a_logout_overtakes_ends_the_binding() {
    let (backend, [one, other]) = instances();
    let client = Client::new(&one, 1).await;
    let gate = backend.waits_at(1);
    let (mut jar, mut twin) = (client.jar.clone(), client.jar.clone());
    let proof = client.proof();
    let refreshed = refresh(&one, &mut jar, &client.id, &proof);
    let logout = async {
        gate.is_reached().await;
        visit(&other, &mut twin, |session| session.logout().unwrap()).await;
        gate.open();
    };
    let (refreshed, ()) = tokio::join!(refreshed, logout);
    assert_eq!(refreshed.status, 503);
    assert!(refreshed.field("set-cookie").is_none());
    let again = refresh(&one, &mut client.jar.clone(), &client.id, &proof).await;
    assert!(again.is_end());
}

#[tokio::test]
async fn a_refresh_that_a_renewal_overtakes_loses_neither() {
    let (backend, [one, other]) = instances();
    let mut client = Client::new(&one, 1).await;
    let gate = backend.waits_at(1);
    let mut twin = client.jar.clone();
    let proof = client.proof();
    let refreshed = refresh(&one, &mut client.jar, &client.id, &proof);
    let renewal = async {
        gate.is_reached().await;
        visit(&other, &mut twin, |session| session.renew().unwrap()).await;
        gate.open();
    };
    let (refreshed, ()) = tokio::join!(refreshed, renewal);
    assert_eq!(refreshed.status, 200);
    // The browser has the new ID of one response, and the bound cookie of the other.
    let bound = client.jar.get("__Host-id_bound").unwrap().to_owned();
    twin.set("__Host-id_bound", &bound);
    visit(&one, &mut twin, |session| {
        assert_eq!(session.owner().as_deref(), Some("ape 1"));
        session.require_bound().unwrap();
    })
    .await;
    let again = refresh(&one, &mut twin, &client.id, &proof).await;
    assert_eq!(again.status, 403, "the proof is used");
}

/// A browser must keep its key: the session is live.
#[tokio::test]
async fn only_a_certain_answer_ends_a_binding() {
    for grace in [0, 20] {
        let options = options().renewal_grace(std::time::Duration::from_secs(grace));
        let store = ServerStore::with_options(fresh_codecs(), Memory::new(), options).unwrap();
        let client = Client::new(&store, 1).await;
        let old = client.jar.clone();
        let mut jar = client.jar.clone();
        visit(&store, &mut jar, |session| session.renew().unwrap()).await;
        // The response with the new ID is on its way.
        let answer = refresh(&store, &mut old.clone(), &client.id, &client.proof()).await;
        assert_eq!((answer.status, answer.body.as_str()), (503, ""), "{grace}");
        // Another instance may have the key of this cookie.
        let mut unknown = jar.clone();
        unknown.set("__Host-id", "sealed by another key");
        let answer = refresh(&store, &mut unknown, &client.id, &client.proof()).await;
        assert_eq!((answer.status, answer.body.as_str()), (503, ""), "{grace}");
        // The cookie is gone, and so is the session.
        let answer = refresh(&store, &mut Jar::new(), &client.id, &client.proof()).await;
        assert!(answer.is_end());
        let answer = refresh(&store, &mut jar, &client.id, &client.proof()).await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn a_refresh_does_not_count_as_use() {
    let clock = super::support::Clock::starting_now();
    let now = clock.clone();
    let options = options().clock(move || now.now());
    let store = ServerStore::with_options(fresh_codecs(), Memory::new(), options).unwrap();
    let mut client = Client::new(&store, 1).await;
    let listed = store.list("ape 1").await.unwrap();
    assert!(
        listed.iter().all(|session| session.is_bound()),
        "lists know it"
    );
    let last_seen = async || store.list("ape 1").await.unwrap()[0].last_seen();
    let before = last_seen().await;
    clock.pass(400);
    let proof = client.proof();
    let answer = refresh(&store, &mut client.jar, &client.id, &proof).await;
    assert_eq!(answer.status, 200);
    assert_eq!(last_seen().await, before);
}

/// The fields of the response to a login in a store.
async fn offered(store: &ServerStore, has_endpoints: bool) -> Vec<&'static str> {
    let sessions = Jar::new().sessions(store.clone());
    if has_endpoints {
        assert!(sessions.binding_endpoint().is_none());
    }
    sessions.session().await.unwrap().login("ape").unwrap();
    let fields = sessions.finish().await.unwrap().unwrap();
    fields.others().iter().map(|(name, _)| *name).collect()
}

#[tokio::test]
async fn a_binding_is_offered_only_where_it_works() {
    let (_, [store, _]) = instances();
    assert_eq!(offered(&store, true).await, ["secure-session-registration"]);
    assert!(offered(&store, false).await.is_empty(), "no endpoints");
    let insecure = options().cookie(CookieOptions::new().insecure_http());
    let store = ServerStore::with_options(fresh_codecs(), Memory::new(), insecure).unwrap();
    assert!(offered(&store, true).await.is_empty(), "browsers need TLS");
}
