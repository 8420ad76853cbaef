//! Rotates a key in three deploys while sessions are live. No user is logged out. Each `machine`
//! below is the configuration of one deploy.
//!
//! `cargo run --features session --example rotate`

use std::error::Error;

use silverback::codec::{Codecs, KeyPair};
use silverback::session::{CookieStore, testing::Jar};

fn machine(keys: &[&KeyPair]) -> Result<(CookieStore, Codecs), Box<dyn Error>> {
    let codecs = Codecs::from_pairs(keys.iter().map(|pair| (*pair).clone()))?;
    Ok((CookieStore::new(codecs.clone())?, codecs))
}

/// Sends a request of a browser that has a session. It counts a visit, and returns the owner.
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

    // 1. Append the new key on all machines. It opens cookies, and does not seal yet.
    let (appended, _) = machine(&[&old, &new])?;
    println!(
        "new key appended   {}",
        visit(&mut browser, appended).await?
    );

    // 2. Promote the new key on all machines. It seals from now on. Old cookies still open, and
    //    are sealed again when their session is saved.
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
        "                   openings by the old key: {:?} (the first of these two requests)",
        codecs.openings()
    );

    // 3. Drop the old key once no valid cookie can have its seal, or once it opens none.
    let (dropped, _) = machine(&[&new])?;
    println!("old key dropped    {}", visit(&mut browser, dropped).await?);
    Ok(())
}
