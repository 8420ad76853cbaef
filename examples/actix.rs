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
    // Without a subscriber, nobody sees why a session failed or a cookie was refused.
    tracing_subscriber::fmt().init();
    // Keys that outlive the program come from `KeyPairs::from_env("SILVERBACK_KEYS")`.
    let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    // Over TLS, `CookieStore::new(codecs)` is all it takes.
    // On localhost all ports share their cookies: each application has a name of its own.
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
