//! Two concurrent requests of one session: each pair of actions, in random order, through the store
//! and through HTTP; and with one of them cut off at each of its calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use silverback::backend::Backend;
use silverback::session::{ServerStore, Session};
use tokio::sync::Barrier;

use crate::random_backend::{Cut, RandomBackend};
use crate::requests::{ACTIONS, Action, Answer, COOKIE, Keys, Outcome, jar_of};
use crate::{ROUNDS, RUNTIME};

pub(crate) type Pair = (Action, Action);

/// Returns each pair of actions, in one order.
pub(crate) fn all() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (place, one) in ACTIONS.into_iter().enumerate() {
        let others = ACTIONS.into_iter().skip(place);
        pairs.extend(others.map(|other| (one, other)));
    }
    pairs
}

/// Returns the pairs in which the first request is cut off.
pub(crate) fn cut_off() -> Vec<Pair> {
    let cut_off = [Action::End, Action::Renew, Action::Login];
    let pairs = cut_off.map(|one| ACTIONS.map(|other| (one, other)));
    pairs.into_iter().flatten().collect()
}

const MARKS: [&str; 2] = ["one", "other"];

/// The number of calls that a request makes without a concurrent write, and a few more.
const MOST_CALLS: usize = 6;

/// Sends a request through the store.
async fn visit(
    store: &ServerStore,
    cookie: &str,
    action: Action,
    mark: &str,
    barrier: &Barrier,
) -> Answer {
    let sessions = jar_of(cookie).sessions(store.clone());
    let session = sessions.session().await.unwrap();
    barrier.wait().await;
    let outcome = action.make(&session, mark).await;
    match sessions.finish().await {
        Ok(Some(fields)) => Answer::new(outcome, fields.set_cookies().iter().map(String::as_str)),
        _ => Answer::new(outcome, []),
    }
}

/// Begins a session for a round: in every other round with a login.
async fn begin(store: &ServerStore, round: usize) -> String {
    let sessions = silverback::session::testing::Jar::new().sessions(store.clone());
    let session: Session = sessions.session().await.unwrap();
    if round.is_multiple_of(2) {
        session.login(format!("ape {round}")).unwrap();
    }
    session.insert("before", round).unwrap();
    let fields = sessions.finish().await.unwrap().unwrap();
    let answer = Answer::new(
        Outcome::Done,
        fields.set_cookies().iter().map(String::as_str),
    );
    answer.cookie.unwrap()
}

/// The number of rounds for each pair of outcomes.
#[derive(Default)]
struct Tally(BTreeMap<(&'static str, &'static str), usize>);

impl Tally {
    fn count(&mut self, [one, other]: &[Answer; 2]) {
        let outcomes = (one.outcome.name(), other.outcome.name());
        *self.0.entry(outcomes).or_default() += 1;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = |((one, other), times): (&(&str, &str), &usize)| format!("{one}/{other} {times}");
        let all: Vec<String> = self.0.iter().map(of).collect();
        f.write_str(&all.join(", "))
    }
}

pub(crate) fn through_the_store(backend: Arc<dyn Backend>, pair: Pair) -> String {
    RUNTIME.block_on(async {
        let keys = Keys::new();
        let (plain, [one, other]) = stores(&keys, &backend, pair);
        let mut tally = Tally::default();
        for round in 0..*ROUNDS {
            let cookie = begin(&plain, round).await;
            keys.pass_until_use_is_saved();
            let barrier = Arc::new(Barrier::new(2));
            let run = |store: &ServerStore, action, mark| {
                let (store, cookie, barrier) = (store.clone(), cookie.clone(), barrier.clone());
                tokio::spawn(async move { visit(&store, &cookie, action, mark, &barrier).await })
            };
            let one = run(&one.0, pair.0, MARKS[0]);
            let other = run(&other.0, pair.1, MARKS[1]);
            let answers = [one.await.unwrap(), other.await.unwrap()];
            tally.count(&answers);
            check(&plain, &cookie, pair, &answers).await;
        }
        tally.to_string()
    })
}

/// Returns a store over the real backend, and one over a random backend for each request.
fn stores(
    keys: &Keys,
    backend: &Arc<dyn Backend>,
    pair: Pair,
) -> (ServerStore, [(ServerStore, RandomBackend); 2]) {
    let of = |action: Action| {
        let random_backend = RandomBackend::new(backend.clone(), 4);
        (
            keys.store_for(action, Arc::new(random_backend.clone())),
            random_backend,
        )
    };
    (keys.store(backend.clone()), [of(pair.0), of(pair.1)])
}

/// Returns the sessions that a browser could open with any cookie it was ever sent, by their ID.
async fn open(
    store: &ServerStore,
    cookies: impl IntoIterator<Item = &String>,
) -> BTreeMap<String, Session> {
    let mut open = BTreeMap::new();
    for cookie in cookies {
        let session = jar_of(cookie).session(store.clone()).await.unwrap();
        if !session.is_new() {
            open.insert(session.id().unwrap().to_string(), session);
        }
    }
    open
}

/// Checks the laws for the two responses and the stored session.
async fn check(store: &ServerStore, cookie: &String, pair: Pair, answers: &[Answer; 2]) {
    let cookies = answers.iter().filter_map(|answer| answer.cookie.as_ref());
    let open = open(store, cookies.chain([cookie])).await;
    let actions = [pair.0, pair.1];
    let ids: Vec<&String> = open.keys().collect();
    let story = format!("{actions:?} {answers:?}, open: {ids:?}");
    let has = |action: Action| actions.contains(&action);
    assert!(open.len() <= 1, "two IDs open a session: {story}");
    let responses = || actions.iter().zip(answers);
    for (action, answer) in responses() {
        let is_cut = answer.outcome == Outcome::CutOff;
        assert!(
            is_cut || answer.outcome != Outcome::Failed,
            "failed: {story}"
        );
        let is_silent = answer.outcome == Outcome::Gone || is_cut;
        let sets = answer.cookie.is_some() || answer.removes;
        assert!(!is_silent || !sets, "an unexpected cookie: {story}");
        if *action == Action::End && answer.removes && !has(Action::Login) {
            assert!(open.is_empty(), "the session was restored: {story}");
        }
        assert!(
            *action != Action::Touch || !sets,
            "a cookie for a touch: {story}"
        );
        let must_set = matches!(action, Action::Renew | Action::Login | Action::Reissue);
        if must_set && answer.outcome == Outcome::Done {
            // The response to the other request may also set the cookie, if it has renewed the
            // session, unless that request was cut off after the renewal.
            let by_other = |(action, other): (&Action, &Answer)| {
                let may_have_set = other.cookie.is_some() || other.outcome == Outcome::CutOff;
                *action == Action::Renew && may_have_set
            };
            let by_other = *action != Action::Login && responses().any(by_other);
            assert!(
                answer.cookie.is_some() || by_other,
                "the new ID was not sent: {story}"
            );
        }
    }
    let is_whole = answers
        .iter()
        .all(|answer| answer.outcome != Outcome::CutOff);
    if is_whole && !has(Action::End) {
        assert_eq!(open.len(), 1, "no cookie opens the session: {story}");
    }
    if is_whole && !has(Action::End) && !has(Action::Login) {
        let is_done = |answer: &Answer| answer.outcome == Outcome::Done;
        assert!(answers.iter().all(is_done), "lost to a renewal: {story}");
    }
    for session in open.values() {
        let is_new_login = session.get::<usize>("before").unwrap().is_none();
        assert!(
            !is_new_login || has(Action::Login),
            "the values are lost: {story}"
        );
        for ((action, answer), mark) in responses().zip(MARKS) {
            let is_there = session.contains(mark);
            match (action, answer.outcome) {
                (Action::Save | Action::Renew | Action::Reissue, Outcome::Done) => {
                    assert!(is_there || is_new_login, "{mark} was lost: {story}");
                }
                (_, Outcome::Gone) => assert!(
                    !is_there,
                    "{mark} was written without an acknowledgement: {story}"
                ),
                _ => {}
            }
        }
    }
}

pub(crate) fn with_one_cut_off(backend: Arc<dyn Backend>, pair: Pair) -> String {
    RUNTIME.block_on(async {
        let keys = Keys::new();
        let (plain, [(one, cutting), (other, _)]) = stores(&keys, &backend, pair);
        let mut tally = Tally::default();
        for round in 0..*ROUNDS {
            let cookie = begin(&plain, round / (2 * MOST_CALLS)).await;
            keys.pass_until_use_is_saved();
            // The first call is the load, before the barrier.
            cutting.cut(Some(Cut {
                calls_left: 1 + round / 2 % MOST_CALLS,
                is_done: round.is_multiple_of(2),
            }));
            let barrier = Arc::new(Barrier::new(2));
            let run = |store: &ServerStore, action, mark| {
                let (store, cookie, barrier) = (store.clone(), cookie.clone(), barrier.clone());
                tokio::spawn(async move { visit(&store, &cookie, action, mark, &barrier).await })
            };
            let (one, other) = (run(&one, pair.0, MARKS[0]), run(&other, pair.1, MARKS[1]));
            let one = tokio::select! {
                one = one => one.unwrap(),
                () = cutting.was_cut() => Answer::new(Outcome::CutOff, []),
            };
            let answers = [one, other.await.unwrap()];
            cutting.cut(None);
            tally.count(&answers);
            check(&plain, &cookie, pair, &answers).await;
        }
        tally.to_string()
    })
}

/// Sends the same two requests from a client to a server.
pub(crate) fn through_http(backend: Arc<dyn Backend>, pair: Pair) -> String {
    RUNTIME.block_on(async {
        let keys = Keys::new();
        let (plain, [(one, _), (other, _)]) = stores(&keys, &backend, pair);
        let barrier = Arc::new(Barrier::new(2));
        let one = site::serve(one, barrier.clone()).await;
        let other = site::serve(other, barrier.clone()).await;
        let mut tally = Tally::default();
        for round in 0..*ROUNDS {
            let cookie = begin(&plain, round).await;
            keys.pass_until_use_is_saved();
            let (one, other) = (
                one.visit(pair.0, MARKS[0], &cookie),
                other.visit(pair.1, MARKS[1], &cookie),
            );
            let (one, other) = tokio::join!(one, other);
            let answers = [one, other];
            tally.count(&answers);
            check(&plain, &cookie, pair, &answers).await;
        }
        tally.to_string()
    })
}

/// A server of axum, and a client of it.
mod site {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use axum::extract::{Path, State};
    use hyper_util::client::legacy::Client;
    use hyper_util::client::legacy::connect::HttpConnector;
    use hyper_util::rt::TokioExecutor;
    use silverback::session::{ServerStore, Session};
    use silverback::web::tower::SessionLayer;
    use tokio::sync::Barrier;

    use super::{Action, Answer, COOKIE, Outcome};

    pub(super) struct Site {
        address: SocketAddr,
        client: Client<HttpConnector, String>,
    }

    async fn answer(
        State(barrier): State<Arc<Barrier>>,
        Path((action, mark)): Path<(String, String)>,
        session: Session,
    ) -> &'static str {
        let action = Action::named(&action).unwrap();
        barrier.wait().await;
        action.make(&session, &mark).await.name()
    }

    pub(super) async fn serve(store: ServerStore, barrier: Arc<Barrier>) -> Site {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = axum::Router::new()
            .route("/{action}/{mark}", axum::routing::get(answer))
            .with_state(barrier)
            .layer(SessionLayer::new(store));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Site {
            address,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    impl Site {
        pub(super) async fn visit(&self, action: Action, mark: &str, cookie: &str) -> Answer {
            let uri = format!("http://{}/{}/{mark}", self.address, action.name());
            let request = axum::http::Request::get(uri)
                .header("cookie", format!("{COOKIE}={cookie}"))
                .body(String::new())
                .unwrap();
            let response = self.client.request(request).await.unwrap();
            assert_eq!(response.status(), 200);
            let fields = response.headers().get_all("set-cookie");
            let set: Vec<String> = fields
                .iter()
                .map(|field| field.to_str().unwrap().to_owned())
                .collect();
            let body = axum::body::Body::new(response.into_body());
            let body = axum::body::to_bytes(body, 100).await.unwrap();
            let outcome = Outcome::named(std::str::from_utf8(&body).unwrap());
            Answer::new(outcome, set.iter().map(String::as_str))
        }
    }
}
