//! Encodes, decodes, tampers with and rotates a cookie: all of the codec, without any setup.
//!
//! `cargo run --example direct`

use silverback::codec::{Cipher, Codec, CodecOptions, Codecs, Error, KeyPair, UnixTime};

fn main() -> Result<(), Error> {
    // A pair signs and encrypts. Real keys come from `silverback keygen` and are
    // read with `KeyPairs::from_file` or `KeyPairs::from_env`.
    let old = KeyPair::generate()?;
    let codecs = Codecs::from_pairs([old.clone()])?;

    let cookie = codecs.encode("sid", "user 42")?;
    println!("encode   {cookie}");
    println!("decode   {}", codecs.decode::<String>("sid", &cookie)?);

    // The same frame with AES-CFB, as dolab/session encrypts its cookies. Here each cookie has a random
    // IV and a MAC, and the key is secret. Only code that shares cookies with such a program needs it.
    let cfb = CodecOptions::new().cipher(Cipher::AesCfb);
    let cfb = Codecs::from_pairs_with([KeyPair::generate()?], &cfb)?;
    let encrypted = cfb.encode("sid", "user 42")?;
    println!("cfb      {encrypted}");
    println!("decode   {}", cfb.decode::<String>("sid", &encrypted)?);

    // A cookie with a changed character or under another name is refused. The error says no more
    // than that, so that the client learns nothing.
    let tampered = cookie.replacen('M', "N", 1);
    for (what, name, cookie) in [("tamper", "sid", &tampered), ("rename", "admin", &cookie)] {
        match codecs.decode::<String>(name, cookie) {
            Ok(_) => unreachable!("the MAC covers the name and every character"),
            Err(refused) => println!("{what}   refused: {refused}"),
        }
    }

    // A new key goes to the front. It seals from now on, and the old key still opens.
    let codecs = Codecs::from_pairs([KeyPair::generate()?, old])?;
    let opened = codecs.decode_at::<String>("sid", &cookie, UnixTime::now())?;
    println!(
        "rotate   opened by key {}, stale: {}",
        opened.key(),
        opened.is_stale()
    );

    // A stale cookie is sealed again with its own date, so that its expiry does not change.
    let renewed = codecs.encode_at("sid", opened.value(), opened.issued_at())?;
    println!(
        "renew    opened by key {}",
        codecs.open("sid", &renewed)?.key()
    );
    println!("openings by each older key: {:?}", codecs.openings());
    Ok(())
}
