//! Rotates a key while a service runs, without a restart: the service watches its key file, which
//! an operator changes with `silverback keys add`, `promote` and `retire`. This program plays both
//! parts. No user is logged out. Then a key leaks, and is dead within the interval of the watch.
//!
//! `cargo run --features session --example key_ring`

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use silverback::codec::{
    KeyPair, KeyRing, KeyRingEvent, KeyRingOptions, KeySource, key_file_with_checksum,
};
use silverback::session::{CookieStore, testing::Jar};

const INTERVAL: Duration = Duration::from_millis(100);

/// Replaces the file by a rename, as `silverback keys` does.
fn write(path: &Path, pairs: &[&KeyPair]) -> std::io::Result<()> {
    let hex = |key: &[u8]| {
        key.iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let lines = pairs
        .iter()
        .map(|pair| format!("{}\n", hex(pair.hash().expose())));
    let new = path.with_extension("new");
    std::fs::write(&new, &*key_file_with_checksum(&lines.collect::<String>()))?;
    std::fs::rename(new, path)
}

/// Waits until the service has loaded the file.
async fn loaded(ring: &KeyRing, pairs: &[&KeyPair]) {
    let written: Vec<_> = pairs.iter().map(|pair| pair.fingerprint()).collect();
    while ring.status().keys != written {
        tokio::time::sleep(INTERVAL / 10).await;
    }
}

/// Sends a request of a browser that has a session, and returns the owner.
async fn visit(browser: &mut Jar, store: &CookieStore) -> Result<String, Box<dyn Error>> {
    let sessions = browser.sessions(store.clone());
    let session = sessions.session().await?;
    session.update("visits", |visits: &mut u64| *visits += 1)?;
    let fields = sessions.finish().await?;
    for set_cookie in fields.iter().flat_map(|fields| fields.set_cookies()) {
        browser.receive(set_cookie);
    }
    Ok(session.owner().unwrap_or_else(|| "logged out".to_owned()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("silverback-keys-{}", std::process::id()));
    let pair = || -> Result<KeyPair, Box<dyn Error>> {
        let hash = silverback::codec::HashKey::generate()?;
        Ok(KeyPair::sign_only(hash))
    };
    let (old, new) = (pair()?, pair()?);
    write(&path, &[&old])?;

    let options = KeyRingOptions::new().on_event(|event| match event {
        KeyRingEvent::Replaced(status) => println!("  loaded  {:?}", status.keys),
        KeyRingEvent::Refused(error) => println!("  refused {error}"),
        _ => {}
    });
    let ring = KeyRing::with_options(KeySource::file(&path), options)?;
    let _watch = ring.watch(INTERVAL)?; // in a service: ten seconds
    let store = CookieStore::new(ring.clone())?;
    let mut browser = Jar::with(store.clone(), |session| session.login("ape")).await?;

    for (step, pairs) in [
        ("add", &[&old, &new][..]),
        ("promote", &[&new, &old]),
        ("retire", &[&new]),
    ] {
        write(&path, pairs)?;
        loaded(&ring, pairs).await;
        println!("{step:8} {}", visit(&mut browser, &store).await?);
    }

    std::fs::write(&path, "half a k")?; // a program that writes in place, and is killed
    while ring.status().refusals == 0 {
        tokio::time::sleep(INTERVAL).await;
    }
    println!("half     {}", visit(&mut browser, &store).await?);

    let other = pair()?;
    write(&path, &[&other])?;
    loaded(&ring, &[&other]).await;
    println!("leaked   {}", visit(&mut browser, &store).await?);
    std::fs::remove_file(&path)?;
    Ok(())
}
