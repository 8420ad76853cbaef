//! The pages in actix-web, with sessions in Redis: Silverback's, and those of actix-session.

use actix_session::storage::RedisSessionStore;
use actix_session::{Session as TheirSession, SessionMiddleware as TheirMiddleware};
use actix_web::cookie::Key;
use actix_web::{App, Error, HttpServer, web};
use silverback::session::{Error as OurError, Session};
use silverback::web::actix::SessionMiddleware;

use super::pages::{VALUES, store};

/// Serves the pages on a free port, which it prints, until standard input ends.
pub(crate) fn serve(name: &str, database: &str) {
    actix_web::rt::System::new().block_on(async {
        match name {
            "actix-session" => theirs(database).await,
            _ => ours(database).await,
        }
    });
}

/// Runs a server whose applications `$app` makes.
macro_rules! run {
    ($app:expr) => {{
        let server = HttpServer::new($app)
            .workers(2)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .expect("a port");
        println!("{}", server.addrs()[0].port());
        let ended = web::block(|| std::io::stdin().read_line(&mut String::new()));
        tokio::select! {
            served = server.run() => served.expect("the server runs"),
            _ = ended => {}
        }
    }};
}

async fn ours(database: &str) {
    let store = store(database).await;
    let begin = async |session: Session| -> Result<&str, OurError> {
        session.insert("visits", 7_u64)?;
        for (key, value) in VALUES {
            session.insert(key, value)?;
        }
        Ok("")
    };
    let read = async |session: Session| -> Result<String, OurError> {
        let visits: Option<u64> = session.get("visits")?;
        Ok(visits.unwrap_or_default().to_string())
    };
    let write = async |session: Session| -> Result<String, OurError> {
        let visits = session.update("visits", |visits: &mut u64| *visits += 1)?;
        Ok(visits.to_string())
    };
    run!(move || App::new()
        .wrap(SessionMiddleware::new(store.clone()))
        .route("/begin", web::get().to(begin))
        .route("/read", web::get().to(read))
        .route("/tell", web::get().to(read))
        .route("/write", web::get().to(write)))
}

async fn theirs(database: &str) {
    let store = RedisSessionStore::new(database).await.expect("a server");
    let begin = async |session: TheirSession| -> Result<&str, Error> {
        session.insert("visits", 7_u64)?;
        for (key, value) in VALUES {
            session.insert(key, value)?;
        }
        Ok("")
    };
    let read = async |session: TheirSession| -> Result<String, Error> {
        let visits: Option<u64> = session.get("visits")?;
        Ok(visits.unwrap_or_default().to_string())
    };
    let write = async |session: TheirSession| -> Result<String, Error> {
        let visits = session.get("visits")?.unwrap_or(0_u64) + 1;
        session.insert("visits", visits)?;
        Ok(visits.to_string())
    };
    let key = Key::generate();
    run!(move || {
        let middleware = TheirMiddleware::builder(store.clone(), key.clone());
        App::new()
            .wrap(middleware.cookie_secure(false).build())
            .route("/begin", web::get().to(begin))
            .route("/read", web::get().to(read))
            .route("/tell", web::get().to(read))
            .route("/write", web::get().to(write))
    })
}
