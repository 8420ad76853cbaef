//! Two requests on one session at the same time: each pair of what requests do, in orders
//! that chance makes, through the store and through HTTP; and with one of them cut off at
//! each of its calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use silverback::backend::Backend;
use silverback::session::{ServerStore, Session};
use tokio::sync::Barrier;

use crate::perturbed::{Cut, Perturbed};
use crate::requests::{Answer, COOKIE, Keys, Outcome, WISHES, Wish, jar_of};
use crate::{ROUNDS, RUNTIME};

pub(crate) type Pair = (Wish, Wish);

/// Each two, in one order.
pub(crate) fn all() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (place, one) in WISHES.into_iter().enumerate() {
        let others = WISHES.into_iter().skip(place);
        pairs.extend(others.map(|other| (one, other)));
    }
    pairs
}

/// Those in which the first is cut off.
pub(crate) fn cut_off() -> Vec<Pair> {
    let cut_off = [Wish::End, Wish::Renew, Wish::Login];
    let pairs = cut_off.map(|one| WISHES.map(|other| (one, other)));
    pairs.into_iter().flatten().collect()
}

const MARKS: [&str; 2] = ["one", "other"];

/// The most calls that a request makes where nobody interferes, and a few more.
const MOST_CALLS: usize = 6;

/// A request through the store.
async fn visit(
    store: &ServerStore,
    cookie: &str,
    wish: Wish,
    mark: &str,
    barrier: &Barrier,
) -> Answer {
    let sessions = jar_of(cookie).sessions(store.clone());
    let session = sessions.session().await.unwrap();
    barrier.wait().await;
    let outcome = wish.make(&session, mark).await;
    match sessions.finish().await {
        Ok(Some(fields)) => Answer::new(outcome, fields.set_cookies().iter().map(String::as_str)),
        _ => Answer::new(outcome, []),
    }
}

/// A session for a round: somebody's, or nobody's.
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

/// How often each two outcomes came together.
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
            keys.pass_until_use_is_noted();
            let barrier = Arc::new(Barrier::new(2));
            let run = |store: &ServerStore, wish, mark| {
                let (store, cookie, barrier) = (store.clone(), cookie.clone(), barrier.clone());
                tokio::spawn(async move { visit(&store, &cookie, wish, mark, &barrier).await })
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

/// A store that nothing perturbs, and one for each of the two, with what perturbs it.
fn stores(
    keys: &Keys,
    backend: &Arc<dyn Backend>,
    pair: Pair,
) -> (ServerStore, [(ServerStore, Perturbed); 2]) {
    let of = |wish: Wish| {
        let perturbed = Perturbed::new(backend.clone(), 4);
        (keys.store_for(wish, Arc::new(perturbed.clone())), perturbed)
    };
    (keys.store(backend.clone()), [of(pair.0), of(pair.1)])
}

/// The sessions that a browser could open with any cookie it was ever sent, by their ID.
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

/// The laws, of what two requests were told and what is there afterwards.
async fn check(store: &ServerStore, cookie: &String, pair: Pair, answers: &[Answer; 2]) {
    let cookies = answers.iter().filter_map(|answer| answer.cookie.as_ref());
    let open = open(store, cookies.chain([cookie])).await;
    let wishes = [pair.0, pair.1];
    let ids: Vec<&String> = open.keys().collect();
    let story = format!("{wishes:?} {answers:?}, open: {ids:?}");
    let has = |wish: Wish| wishes.contains(&wish);
    assert!(open.len() <= 1, "two IDs open it: {story}");
    let told = || wishes.iter().zip(answers);
    for (wish, answer) in told() {
        let is_cut = answer.outcome == Outcome::CutOff;
        assert!(
            is_cut || answer.outcome != Outcome::Failed,
            "failed: {story}"
        );
        let is_silent = answer.outcome == Outcome::Gone || is_cut;
        let sets = answer.cookie.is_some() || answer.removes;
        assert!(!is_silent || !sets, "a cookie for nothing: {story}");
        if *wish == Wish::End && answer.removes && !has(Wish::Login) {
            assert!(open.is_empty(), "it came back: {story}");
        }
        assert!(
            *wish != Wish::Touch || !sets,
            "a cookie for a touch: {story}"
        );
        let is_told = matches!(wish, Wish::Renew | Wish::Login | Wish::Reissue);
        if is_told && answer.outcome == Outcome::Done {
            // Or by the response to the other request, which has renewed the session; unless that
            // request was cut off once the renewal was done.
            let by_other = |(wish, other): (&Wish, &Answer)| {
                let has_told = other.cookie.is_some() || other.outcome == Outcome::CutOff;
                *wish == Wish::Renew && has_told
            };
            let by_other = *wish != Wish::Login && told().any(by_other);
            assert!(
                answer.cookie.is_some() || by_other,
                "it was not told: {story}"
            );
        }
    }
    let is_whole = answers
        .iter()
        .all(|answer| answer.outcome != Outcome::CutOff);
    if is_whole && !has(Wish::End) {
        assert_eq!(open.len(), 1, "nobody has it: {story}");
    }
    if is_whole && !has(Wish::End) && !has(Wish::Login) {
        let is_done = |answer: &Answer| answer.outcome == Outcome::Done;
        assert!(answers.iter().all(is_done), "lost to a renewal: {story}");
    }
    for session in open.values() {
        let begins_anew = session.get::<usize>("before").unwrap().is_none();
        assert!(
            !begins_anew || has(Wish::Login),
            "the values are gone: {story}"
        );
        for ((wish, answer), mark) in told().zip(MARKS) {
            let is_there = session.contains(mark);
            match (wish, answer.outcome) {
                (Wish::Save | Wish::Renew | Wish::Reissue, Outcome::Done) => {
                    assert!(is_there || begins_anew, "{mark} was lost: {story}");
                }
                (_, Outcome::Gone) => assert!(!is_there, "{mark} is there silently: {story}"),
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
            keys.pass_until_use_is_noted();
            // The first call is the load, before the barrier.
            cutting.cut(Some(Cut {
                calls_left: 1 + round / 2 % MOST_CALLS,
                is_done: round.is_multiple_of(2),
            }));
            let barrier = Arc::new(Barrier::new(2));
            let run = |store: &ServerStore, wish, mark| {
                let (store, cookie, barrier) = (store.clone(), cookie.clone(), barrier.clone());
                tokio::spawn(async move { visit(&store, &cookie, wish, mark, &barrier).await })
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

/// The same two requests, from a client to a server.
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
            keys.pass_until_use_is_noted();
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

/// A server of axum's, and a client of it.
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

    use super::{Answer, COOKIE, Outcome, Wish};

    pub(super) struct Site {
        address: SocketAddr,
        client: Client<HttpConnector, String>,
    }

    async fn answer(
        State(barrier): State<Arc<Barrier>>,
        Path((wish, mark)): Path<(String, String)>,
        session: Session,
    ) -> &'static str {
        let wish = Wish::named(&wish).unwrap();
        barrier.wait().await;
        wish.make(&session, &mark).await.name()
    }

    pub(super) async fn serve(store: ServerStore, barrier: Arc<Barrier>) -> Site {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = axum::Router::new()
            .route("/{wish}/{mark}", axum::routing::get(answer))
            .with_state(barrier)
            .layer(SessionLayer::new(store));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Site {
            address,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    impl Site {
        pub(super) async fn visit(&self, wish: Wish, mark: &str, cookie: &str) -> Answer {
            let uri = format!("http://{}/{}/{mark}", self.address, wish.name());
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
