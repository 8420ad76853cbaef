//! Tests axum-login 0.18, which uses tower-sessions 0.14, on the backends.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use axum_login::tower_sessions::SessionManagerLayer;
use axum_login::{AuthManagerLayerBuilder, AuthUser, AuthnBackend, login_required};
use silverback::backend::Memory;
use silverback::compat::tower_sessions::BackendStore;

use super::client::Browser;
use super::site::RUNTIME;

#[derive(Clone, Debug)]
struct User(i64, &'static str);

impl AuthUser for User {
    type Id = i64;

    fn id(&self) -> i64 {
        self.0
    }

    /// Returns a hash. A change of it ends the user's sessions.
    fn session_auth_hash(&self) -> &[u8] {
        self.1.as_bytes()
    }
}

#[derive(Clone)]
struct Users(Arc<HashMap<i64, User>>);

impl AuthnBackend for Users {
    type User = User;
    type Credentials = i64;
    type Error = Infallible;

    async fn authenticate(&self, id: i64) -> Result<Option<User>, Infallible> {
        self.get_user(&id).await
    }

    async fn get_user(&self, id: &i64) -> Result<Option<User>, Infallible> {
        Ok(self.0.get(id).cloned())
    }
}

type AuthSession = axum_login::AuthSession<Users>;

async fn login(mut auth: AuthSession) -> Result<&'static str, StatusCode> {
    let failed = |_| StatusCode::INTERNAL_SERVER_ERROR;
    let user = auth.authenticate(7).await.map_err(failed)?;
    let user = user.ok_or(StatusCode::UNAUTHORIZED)?;
    auth.login(&user).await.map_err(failed)?;
    Ok("welcome")
}

async fn logout(mut auth: AuthSession) -> Result<&'static str, StatusCode> {
    let failed = |_| StatusCode::INTERNAL_SERVER_ERROR;
    auth.logout().await.map_err(failed)?;
    Ok("goodbye")
}

async fn me(auth: AuthSession) -> String {
    auth.user
        .map_or("anonymous".to_owned(), |user| user.0.to_string())
}

/// Returns a browser of an application on that store.
fn browse(store: BackendStore) -> Browser {
    let users = HashMap::from([(7, User(7, "hash"))]);
    let layer = SessionManagerLayer::new(store);
    let layer = AuthManagerLayerBuilder::new(Users(Arc::new(users)), layer).build();
    let app = Router::new()
        .route("/secret", get(async || "secret"))
        .route_layer(login_required!(Users))
        .route("/login", get(login))
        .route("/logout", get(logout))
        .route("/me", get(me))
        .layer(layer);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    RUNTIME.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        axum::serve(listener, app).await.unwrap();
    });
    Browser::new(&address.to_string())
}

#[test]
fn users_log_in_and_out() {
    let store = BackendStore::new(Arc::new(Memory::new())).unwrap();
    let mut browser = browse(store);
    assert_eq!(browser.get("/me").body, "anonymous");
    assert_eq!(browser.get("/secret").status, 401);
    assert_eq!(browser.get("/login").body, "welcome");
    assert_eq!(browser.get("/me").body, "7");
    assert_eq!(browser.get("/secret").body, "secret");
    let mut copy = browser.clone();
    assert_eq!(browser.get("/logout").body, "goodbye");
    assert_eq!(browser.get("/me").body, "anonymous");
    assert_eq!(
        copy.get("/me").body,
        "anonymous",
        "an ended session stays ended"
    );
}

/// A move from one version of tower-sessions to the other logs no user out.
#[cfg(feature = "tower-sessions")]
#[test]
fn both_versions_read_the_same_rows() {
    use axum_login::tower_sessions::SessionStore as Store014;
    use axum_login::tower_sessions::session::{Id, Record};
    use tower_sessions::session_store::SessionStore as Store015;

    let store = BackendStore::new(Arc::new(Memory::new())).unwrap();
    let later = time::OffsetDateTime::now_utc() + time::Duration::hours(1);
    let data = HashMap::from([("visits".to_owned(), 7.into())]);
    RUNTIME.block_on(async {
        let mut session = Record {
            id: Id(1),
            data: data.clone(),
            expiry_date: later,
        };
        Store014::create(&store, &mut session).await.unwrap();
        assert_ne!(session.id, Id(1), "no client chooses an ID");
        let id = tower_sessions::session::Id(session.id.0);
        let read = Store015::load(&store, &id).await.unwrap().unwrap();
        assert_eq!((read.id, read.data), (id, data));
        Store015::delete(&store, &id).await.unwrap();
        assert!(Store014::load(&store, &session.id).await.unwrap().is_none());
    });
}
