//! Rotating a key while sessions are alive, in three deploys, without logging anybody
//! out. Each "machine" below is what one deploy runs.
//!
//! `cargo run --features session --example rotate`

use std::error::Error;

use silverback::codec::{Codecs, KeyPair};
use silverback::session::{CookieStore, testing::Jar};

fn machine(keys: &[&KeyPair]) -> Result<(CookieStore, Codecs), Box<dyn Error>> {
    let codecs = Codecs::from_pairs(keys.iter().map(|pair| (*pair).clone()))?;
    Ok((CookieStore::new(codecs.clone())?, codecs))
}

/// A request of a browser that has a session: it counts, and says whose it is.
async fn visit(browser: &mut Jar, store: CookieStore) -> Result<String, Box<dyn Error>> {
    let sessions = browser.sessions(store);
    let session = sessions.session().await?;
    let visits = session.update("visits", |visits: &mut u64| *visits += 1)?;
    let fields = sessions.finish().await?;
    for set_cookie in fields.iter().flat_map(|fields| fields.set_cookies()) {
        browser.receive(set_cookie);
    }
    let owner = session.owner().unwrap_or_else(|| "logged out!".to_owned());
    Ok(format!("{owner}, visit {visits}"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (old, new) = (KeyPair::generate()?, KeyPair::generate()?);

    let (today, _) = machine(&[&old])?;
    let mut browser = Jar::with(today.clone(), |session| session.login("ape")).await?;
    println!("today              {}", visit(&mut browser, today).await?);

    // 1. Append the new key, everywhere: every machine can open what it will seal.
    let (appended, _) = machine(&[&old, &new])?;
    println!(
        "new key appended   {}",
        visit(&mut browser, appended).await?
    );

    // 2. Promote it, everywhere: it seals from now on. Old cookies still open, and are
    //    sealed anew when their session is saved.
    let (promoted, codecs) = machine(&[&new, &old])?;
    println!(
        "new key promoted   {}",
        visit(&mut browser, promoted.clone()).await?
    );
    println!(
        "and again          {}",
        visit(&mut browser, promoted).await?
    );
    println!(
        "                   the old key opened {:?} cookies: the first of them",
        codecs.openings()
    );

    // 3. Drop the old key after the longest life of a cookie, or once it opens none.
    let (dropped, _) = machine(&[&new])?;
    println!("old key dropped    {}", visit(&mut browser, dropped).await?);
    Ok(())
}
