//! Encode, decode, tamper, rotate: all of the codec, with nothing to set up.
//!
//! `cargo run --example direct`

use silverback::codec::{Codec, Codecs, Error, KeyPair, UnixTime};

fn main() -> Result<(), Error> {
    // A pair signs and encrypts. Real keys come from `silverback keygen` and are
    // read with `KeyPairs::from_file` or `KeyPairs::from_env`.
    let old = KeyPair::generate()?;
    let codecs = Codecs::from_pairs([old.clone()])?;

    let cookie = codecs.encode("sid", "user 42")?;
    println!("encode   {cookie}");
    println!("decode   {}", codecs.decode::<String>("sid", &cookie)?);

    // One changed character, another name: refused, and the client learns no more.
    let tampered = cookie.replacen('M', "N", 1);
    for (what, name, cookie) in [("tamper", "sid", &tampered), ("rename", "admin", &cookie)] {
        match codecs.decode::<String>(name, cookie) {
            Ok(_) => unreachable!("the MAC covers the name and every character"),
            Err(refused) => println!("{what}   refused: {refused}"),
        }
    }

    // A new key goes to the front. It seals from now on; the old one still opens.
    let codecs = Codecs::from_pairs([KeyPair::generate()?, old])?;
    let opened = codecs.decode_at::<String>("sid", &cookie, UnixTime::now())?;
    println!(
        "rotate   opened by key {}, stale: {}",
        opened.key(),
        opened.is_stale()
    );

    // A stale cookie is sealed anew with its own date, so that it ages as before.
    let renewed = codecs.encode_at("sid", opened.value(), opened.issued_at())?;
    println!(
        "renew    opened by key {}",
        codecs.open("sid", &renewed)?.key()
    );
    println!("so far, older keys opened {:?} cookies", codecs.openings());
    Ok(())
}
