//! Sessions in actix-web: a counter of visits, in a cookie.
//!
//! `cargo run --features actix --example actix`, then <http://127.0.0.1:3001>

use actix_web::{App, HttpServer, web};
use silverback::codec::{Codecs, KeyPairs};
use silverback::session::{CookieOptions, CookieStore, Error, Lifetime, Session};
use silverback::web::actix::SessionMiddleware;

async fn visit(session: Session) -> Result<String, Error> {
    let visits = session.update("visits", |visits: &mut u64| *visits += 1)?;
    Ok(format!("visit {visits}\n"))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Without a subscriber, no log shows why a session failed or a cookie was refused.
    tracing_subscriber::fmt().init();
    // These keys are lost at exit. A service reads its keys with `KeyPairs::from_env("SILVERBACK_KEYS")`.
    let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    // Over TLS, `CookieStore::new(codecs)` is enough. On localhost all ports share their cookies, so
    // each application needs a cookie name of its own.
    let cookie = CookieOptions::new().insecure_http().name("visits")?;
    let store = CookieStore::with_options(codecs, cookie, Lifetime::new())?;

    let app = move || {
        App::new()
            .wrap(SessionMiddleware::new(store.clone()))
            .route("/", web::get().to(visit))
    };
    println!("open http://127.0.0.1:3001 (Ctrl-C ends it)");
    HttpServer::new(app)
        .bind(("127.0.0.1", 3001))?
        .run()
        .await?;
    Ok(())
}
