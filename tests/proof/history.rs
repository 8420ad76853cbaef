//! Browsers of two owners, each with several concurrent requests, send random requests: the history
//! of their responses is compared with the sessions at the end.
//!
//! A 200 acknowledges the change: an increment is in the session, an end has ended it. A refused
//! change may or may not have been applied. Each browser sends the requests that set a cookie one
//! after the other, since no server can know which of two responses arrives last.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use silverback::backend::Backend;
use silverback::session::testing::Jar;
use silverback::session::{ServerOptions, StoredSession};

use crate::dice::Dice;
use crate::random_backend::RandomBackend;
use crate::requests::Keys;
use crate::{ROUNDS, RUNTIME};

const OWNERS: [&str; 2] = ["ape", "bonobo"];
const BROWSERS_EACH: usize = 3;
/// The number of requests of a browser that may set its cookie, and of its other requests.
const CHANGES: usize = 8;
const OTHERS: usize = 12;
/// The limit of sessions of an owner, in every other round.
const MOST: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Read,
    Increment,
    Login,
    Logout,
    Renew,
    Remember,
    EndOthers,
    EndAnother,
}

impl Op {
    const ALL: [(Op, &'static str); 8] = [
        (Op::Read, "read"),
        (Op::Increment, "increment"),
        (Op::Login, "login"),
        (Op::Logout, "logout"),
        (Op::Renew, "renew"),
        (Op::Remember, "remember"),
        (Op::EndOthers, "end-others"),
        (Op::EndAnother, "end-another"),
    ];

    fn path(self) -> &'static str {
        Op::ALL.iter().find(|(op, _)| *op == self).unwrap().1
    }

    fn named(path: &str) -> Self {
        Op::ALL.iter().find(|(_, of)| *of == path).unwrap().0
    }
}

/// A request and its response.
#[derive(Clone, Debug)]
struct Event {
    op: Op,
    browser: usize,
    /// The login of the request's session, or the login that it made.
    login: Option<u64>,
    /// The login that it ended.
    ended: Option<u64>,
    is_acknowledged: bool,
    started: u64,
    answered: u64,
}

impl Event {
    fn owner(&self) -> &'static str {
        OWNERS[self.browser / BROWSERS_EACH]
    }
}

struct Browser {
    number: usize,
    site: site::Site,
    jar: Mutex<Jar>,
    history: Arc<History>,
}

#[derive(Default)]
struct History {
    ticks: AtomicU64,
    logins: AtomicU64,
    events: Mutex<Vec<Event>>,
}

impl History {
    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }
}

impl Browser {
    async fn ask(&self, op: Op) {
        let owner = self.number / BROWSERS_EACH;
        let number = self.history.logins.fetch_add(1, Ordering::SeqCst);
        let cookie = self.jar.lock().unwrap().cookie();
        let started = self.history.tick();
        let answer = self.site.get(op, OWNERS[owner], number, &cookie).await;
        for set_cookie in &answer.set_cookies {
            self.jar.lock().unwrap().receive(set_cookie);
        }
        let event = Event {
            op,
            browser: self.number,
            login: match op {
                Op::Login => Some(number),
                _ => answer.login,
            },
            ended: answer.ended,
            is_acknowledged: answer.is_acknowledged,
            started,
            answered: self.history.tick(),
        };
        self.history.events.lock().unwrap().push(event);
    }

    /// Sends the requests that set the cookie.
    async fn change(&self) {
        let mut dice = Dice::new();
        self.ask(Op::Login).await;
        for _ in 0..CHANGES {
            let op = [
                Op::Login,
                Op::Logout,
                Op::Renew,
                Op::Renew,
                Op::Renew,
                Op::Remember,
            ];
            self.ask(op[dice.roll(op.len())]).await;
        }
        self.ask(Op::Login).await;
        self.ask(Op::Renew).await;
    }

    /// Sends concurrent requests. Only some rounds include requests that end other sessions.
    async fn read_and_write(&self, with_ends: bool) {
        let mut dice = Dice::new();
        for _ in 0..OTHERS {
            let op = match dice.roll(8) {
                0 if with_ends => Op::EndOthers,
                1 if with_ends => Op::EndAnother,
                2 | 3 => Op::Read,
                _ => Op::Increment,
            };
            self.ask(op).await;
        }
    }
}

pub(crate) fn agrees_with_the_stored_sessions(backend: Arc<dyn Backend>) -> String {
    RUNTIME.block_on(async {
        let (mut acknowledged, mut refused) = (0, 0);
        for round in 0..(*ROUNDS / 10).max(1) {
            let events = run_round(&backend, round).await;
            let done = events.iter().filter(|event| event.is_acknowledged).count();
            acknowledged += done;
            refused += events.len() - done;
        }
        assert!(acknowledged > 0, "no request was acknowledged");
        format!("{acknowledged} requests acknowledged, {refused} refused")
    })
}

async fn run_round(backend: &Arc<dyn Backend>, round: usize) -> Vec<Event> {
    let (with_ends, is_limited) = (round % 3 == 1, round % 3 == 2);
    let mut options = ServerOptions::new().fail_when_gone();
    if is_limited {
        options = options.max_sessions(MOST);
    }
    let keys = Keys::new();
    // The two stores stand for two machines.
    let random_backend = || Arc::new(RandomBackend::new(backend.clone(), 4));
    let stores = [(); 2].map(|()| keys.store_of(random_backend(), options.clone()));
    let history = Arc::new(History::default());
    let mut tasks = Vec::new();
    let mut browsers = Vec::new();
    for number in 0..OWNERS.len() * BROWSERS_EACH {
        let browser = Arc::new(Browser {
            number,
            site: site::serve(stores[number % 2].clone()).await,
            jar: Mutex::default(),
            history: history.clone(),
        });
        browsers.push(browser.clone());
        let others = browser.clone();
        tasks.push(tokio::spawn(async move { browser.change().await }));
        tasks.push(tokio::spawn(async move {
            others.read_and_write(with_ends).await
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let plain = keys.store_of(backend.clone(), options);
    let events = std::mem::take(&mut *history.events.lock().unwrap());
    for owner in OWNERS {
        let live = plain.list(owner).await.unwrap();
        check_owner(owner, &live, &events);
        if is_limited {
            check_limit(owner, &live, &events);
        }
        plain.end_all(owner).await.unwrap();
    }
    drop(plain);
    if !with_ends && !is_limited {
        // Their sessions have just ended: the refusal of the last login names the owner.
        check_browsers(&browsers, &events).await;
    }
    events
}

fn login_of(session: &StoredSession) -> u64 {
    session.values().get("login").unwrap().unwrap()
}

/// Checks the sessions that an owner has at the end.
fn check_owner(owner: &str, live: &[StoredSession], events: &[Event]) {
    let of_owner = || events.iter().filter(|event| event.owner() == owner);
    let live: BTreeMap<u64, &StoredSession> = live
        .iter()
        .map(|session| (login_of(session), session))
        .collect();
    for (login, session) in &live {
        let whose = session.values().get::<String>("whose").unwrap();
        assert_eq!(whose.as_deref(), Some(owner), "a value of another owner");
        let made = of_owner().find(|event| event.op == Op::Login && event.login == Some(*login));
        let browser = made.expect("the login is in the history").browser;
        let increments = of_owner().filter(|event| event.op == Op::Increment);
        let done = |event: &&Event| event.is_acknowledged && event.login == Some(*login);
        let may_be = |event: &&Event| !event.is_acknowledged && event.browser == browser;
        let acknowledged = increments.clone().filter(done).count() as u64;
        let attempted = acknowledged + increments.filter(may_be).count() as u64;
        let count: u64 = session.values().get("count").unwrap().unwrap();
        assert!(
            acknowledged <= count && count <= attempted,
            "{acknowledged} <= {count} <= {attempted}: {events:#?}"
        );
    }
    for event in of_owner().filter(|event| event.is_acknowledged) {
        let ended: Vec<u64> = match event.op {
            Op::Logout => event.login.into_iter().collect(),
            Op::EndAnother => event.ended.into_iter().collect(),
            Op::EndOthers if event.login.is_some() => of_owner()
                .filter(|login| login.op == Op::Login && login.login != event.login)
                .filter(|login| login.answered < event.started)
                .filter_map(|login| login.login)
                .collect(),
            _ => continue,
        };
        for login in ended {
            assert!(
                !live.contains_key(&login),
                "{login} is still live after {event:?}: {events:#?}"
            );
        }
    }
}

/// Checks that the last login of each browser is live, except for those that the limit has ended.
/// Those must be the earliest. The order of two logins is known only if one began after the other
/// was answered.
fn check_limit(owner: &str, live: &[StoredSession], events: &[Event]) {
    assert_eq!(live.len(), MOST, "{events:#?}");
    let live: Vec<u64> = live.iter().map(login_of).collect();
    let browsers = (0..OWNERS.len() * BROWSERS_EACH).filter_map(|browser| {
        let mut logins = events.iter().filter(|event| event.op == Op::Login);
        logins.rfind(|login| login.browser == browser && login.owner() == owner)
    });
    let last: Vec<&Event> = browsers.collect();
    assert_eq!(last.len(), BROWSERS_EACH);
    let is_in = |login: &Event| login.login.is_some_and(|number| live.contains(&number));
    for lost in last.iter().filter(|login| !is_in(login)) {
        let may_be_later = |other: &&&Event| is_in(other) && other.answered > lost.started;
        let later = last.iter().filter(may_be_later).count();
        assert!(later >= MOST, "{lost:?} ended: {events:#?}");
    }
}

/// Checks that every browser still has the cookie of its last login, which no request has ended.
async fn check_browsers(browsers: &[Arc<Browser>], events: &[Event]) {
    for browser in browsers {
        let own = events
            .iter()
            .filter(|event| event.browser == browser.number);
        let changes: Vec<&Event> = own
            .filter(|event| matches!(event.op, Op::Login | Op::Renew))
            .collect();
        let [.., login, renewal] = &changes[..] else {
            panic!("each browser logs in and renews");
        };
        assert!(
            login.is_acknowledged && renewal.is_acknowledged,
            "{events:#?}"
        );
        assert_eq!(
            renewal.login, login.login,
            "the browser was logged out: {events:#?}"
        );
        let cookie = browser.jar.lock().unwrap().cookie();
        assert_ne!(cookie, "", "the browser lost its cookie: {events:#?}");
    }
}

/// A server of axum, and a client of it.
mod site {
    use axum::extract::{Path, State};
    use axum::http::{Request, StatusCode};
    use hyper_util::client::legacy::Client;
    use hyper_util::client::legacy::connect::HttpConnector;
    use hyper_util::rt::TokioExecutor;
    use silverback::session::{Error, Refusal, ServerStore, Session};
    use silverback::web::tower::SessionLayer;

    use super::{Op, login_of};

    pub(super) struct Site {
        address: std::net::SocketAddr,
        client: Client<HttpConnector, String>,
    }

    pub(super) struct Answer {
        pub(super) is_acknowledged: bool,
        pub(super) login: Option<u64>,
        pub(super) ended: Option<u64>,
        pub(super) set_cookies: Vec<String>,
    }

    /// Applies the operation. Returns the login of the session, and the login that the operation
    /// ended.
    async fn answer(
        State(store): State<ServerStore>,
        Path((op, owner, number)): Path<(String, String, u64)>,
        session: Session,
    ) -> Result<String, Error> {
        let op = Op::named(&op);
        let login = session.get::<u64>("login")?;
        let session_owner = session.owner();
        assert_eq!(
            session.get::<String>("whose")?,
            session_owner,
            "a value of another owner"
        );
        let mut ended = None;
        match op {
            Op::Login => {
                session.login(&*owner)?;
                session.insert("login", number)?;
                session.insert("whose", owner)?;
                session.insert("count", 0)?;
            }
            Op::Increment
                if session_owner.is_some() || session.refusal() == Some(Refusal::Moved) =>
            {
                session.update("count", |count: &mut u64| *count += 1)?;
            }
            Op::Logout => session.logout()?,
            Op::Renew if session_owner.is_some() => session.renew()?,
            Op::Remember if session_owner.is_some() => session.remember(true)?,
            Op::EndOthers if session_owner.is_some() => session.end_others()?,
            Op::EndAnother if session_owner.is_some() => {
                let all = store.list(&owner).await?;
                if let Some(other) = all.iter().find(|other| !other.is_same_session(&session))
                    && store.end(&owner, other.id()).await?
                {
                    ended = Some(login_of(other));
                }
            }
            _ => {}
        }
        let text = |number: Option<u64>| number.map_or("-".to_owned(), |of| of.to_string());
        Ok(format!("{} {}", text(login), text(ended)))
    }

    pub(super) async fn serve(store: ServerStore) -> Site {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = axum::Router::new()
            .route("/{op}/{owner}/{number}", axum::routing::get(answer))
            .with_state(store.clone())
            .layer(SessionLayer::new(store));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Site {
            address,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    impl Site {
        pub(super) async fn get(&self, op: Op, owner: &str, number: u64, cookie: &str) -> Answer {
            let uri = format!("http://{}/{}/{owner}/{number}", self.address, op.path());
            let request = Request::get(uri).header("cookie", cookie);
            let request = request.body(String::new()).unwrap();
            let response = self.client.request(request).await.unwrap();
            let status = response.status();
            let is_expected = status == StatusCode::OK || status == StatusCode::CONFLICT;
            assert!(is_expected, "{op:?} gets {status}");
            let fields = response.headers().get_all("set-cookie").iter();
            let set_cookies = fields
                .map(|field| field.to_str().unwrap().to_owned())
                .collect();
            let body = axum::body::Body::new(response.into_body());
            let body = axum::body::to_bytes(body, 100).await.unwrap();
            let text = String::from_utf8(body.to_vec()).unwrap();
            let mut numbers = text.split(' ').map(|number| number.parse().ok());
            Answer {
                is_acknowledged: status == StatusCode::OK,
                login: numbers.next().flatten(),
                ended: numbers.next().flatten(),
                set_cookies,
            }
        }
    }
}
