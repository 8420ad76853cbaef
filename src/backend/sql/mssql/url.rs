//! [`Address`]: the server, the database and the login that a URL names.

use std::fmt;

use crate::backend::Error;
use crate::backend::url::{decoded, host_and_port};

/// The port of SQL Server.
const PORT: u16 = 1433;

const FORM: &str = "the URL of the SQL Server database is not valid: write \
     mssql://USER:PASSWORD@HOST:PORT/DATABASE?encrypt=strict (%40 for @, %3A for :, %2F for /)";

/// The server, the database and the login that a URL names.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) database: String,
    pub(super) is_encrypted: bool,
}

impl Address {
    /// Reads `mssql://USER:PASSWORD@HOST:PORT/DATABASE?encrypt=strict`. The errors do not quote the
    /// URL.
    ///
    /// # Errors
    /// Returns a usage error for an invalid URL, and for one that demands an encryption that this
    /// build does not have.
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let (address, query) = split(url).ok_or_else(|| Error::usage(FORM))?;
        Ok(Address {
            is_encrypted: is_encrypted(query)?,
            ..address
        })
    }
}

/// Returns the address, and the text after `?`.
fn split(url: &str) -> Option<(Address, &str)> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#' && byte != b'\\';
    if !url.bytes().all(is_plain) {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    if !matches!(scheme, "mssql" | "sqlserver") {
        return None;
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/')?;
    let (login, host) = authority.split_once('@')?;
    let (user, password) = login.split_once(':')?;
    let (host, port) = host_and_port(host, PORT)?;
    let address = Address {
        host,
        port,
        user: decoded(user).filter(|user| !user.is_empty())?,
        password: decoded(password)?,
        database: decoded(database).filter(|database| !database.is_empty())?,
        is_encrypted: false,
    };
    Some((address, query))
}

/// Returns whether the connection is to be encrypted. Refuses unknown and repeated options, and
/// encryption that this build does not have.
fn is_encrypted(query: &str) -> Result<bool, Error> {
    let (mut encrypt, mut trust) = (None, None);
    for option in query.split('&').filter(|_| !query.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let (known, is_valid) = match name {
            "encrypt" => (&mut encrypt, matches!(value, "false" | "true" | "strict")),
            "trust_server_certificate" => (&mut trust, matches!(value, "false" | "true")),
            _ => {
                return Err(Error::usage(
                    "the URL of the SQL Server database has an unknown option: the options are encrypt \
                 and trust_server_certificate",
                ));
            }
        };
        if !is_valid || known.replace(value).is_some() {
            return Err(Error::usage(
                "an option of the URL of the SQL Server database is given twice or has an unknown \
                 value: encrypt is false, true or strict; trust_server_certificate is false or true",
            ));
        }
    }
    match (encrypt, trust) {
        (Some("false"), _) => Ok(false),
        (Some("strict"), Some("true")) => Err(Error::usage(
            "encrypt=strict always verifies the server's certificate: remove \
             trust_server_certificate from the URL",
        )),
        (Some("strict"), _) if cfg!(feature = "tls") => Ok(true),
        (Some("strict"), _) => Err(Error::usage(
            "encrypt=strict needs another build: enable silverback's feature `tls`",
        )),
        _ => Err(Error::usage(
            "add encrypt=strict to the URL of the SQL Server database, which needs SQL Server 2022 \
             or Azure, or encrypt=false if you trust the network between this machine and the \
             server: other encryption is not supported",
        )),
    }
}

/// Shows no login.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(rest: &str) -> Result<Address, Error> {
        Address::parse(&format!("mssql://{rest}"))
    }

    #[test]
    fn a_url_names_the_server_the_database_and_the_login() {
        let address = parsed("shop:p%40ss%3A%2F@db.example:1444/web%20shop?encrypt=false").unwrap();
        let wanted = Address {
            host: "db.example".to_owned(),
            port: 1444,
            user: "shop".to_owned(),
            password: "p@ss:/".to_owned(),
            database: "web shop".to_owned(),
            is_encrypted: false,
        };
        assert!(address == wanted);
        let address = Address::parse("sqlserver://shop:@[::1]/shop?encrypt=false").unwrap();
        assert_eq!((&*address.host, address.port), ("::1", 1433));
        assert_eq!(address.password, "");
        let shown = format!("{wanted:?}");
        assert!(
            !shown.contains("p@ss") && !shown.contains("user"),
            "{shown}"
        );
    }

    #[test]
    fn an_ambiguous_url_is_refused_and_not_quoted() {
        for rest in [
            "",
            "shop:secret@db.example?encrypt=false",
            "shop:secret@db.example/?encrypt=false",
            "shop:secret@db.example/a/b?encrypt=false",
            "shop@db.example/secret?encrypt=false",
            ":secret@db.example/shop?encrypt=false",
            "shop:secret@/shop?encrypt=false",
            "shop:secret@db:/shop?encrypt=false",
            "shop:secret@db:0/shop?encrypt=false",
            "shop:secret@db:+1/shop?encrypt=false",
            "shop:secret@db:65536/shop?encrypt=false",
            "shop:secret@db:1:2/shop?encrypt=false",
            "shop:secret@[db]/shop?encrypt=false",
            "shop:secret@db\\instance/shop?encrypt=false",
            "shop:secret@at@db/shop?encrypt=false",
            "shop:secret:colon@db/shop?encrypt=false",
            "shop:secret%@db/shop?encrypt=false",
            "shop:secret%4@db/shop?encrypt=false",
            "shop:secret%ff@db/shop?encrypt=false",
            "shop:secret%00@db/shop?encrypt=false",
            "shop:secret @db/shop?encrypt=false",
            "shop:secret@db/shop?encrypt=false#fragment",
            "shop:secret@db/shop?encrypt=false&encrypt=false",
            "shop:secret@db/shop?encrypt=off",
            "shop:secret@db/shop?encrypt=false&",
            "shop:secret@db/shop?encrypt=false&database=secret",
            "shop:secret@db/shop?encrypt=false&trust_server_certificate=1",
        ] {
            let refused = parsed(rest).unwrap_err();
            assert!(refused.is_usage(), "{rest}");
            assert!(!refused.to_string().contains("secret"), "{rest}");
        }
        assert!(Address::parse("postgres://shop:secret@db/shop?encrypt=false").is_err());
    }

    #[test]
    fn a_url_says_whether_the_connection_is_encrypted() {
        for query in [
            "",
            "?encrypt=true",
            "?encrypt=strict&trust_server_certificate=true",
            "?trust_server_certificate=true",
        ] {
            let refused = parsed(&format!("shop:secret@db/shop{query}")).unwrap_err();
            assert!(refused.is_usage(), "{query}");
            assert!(refused.to_string().contains("encrypt=strict"), "{refused}");
        }
        let clear = parsed("shop:secret@db/shop?encrypt=false&trust_server_certificate=true");
        assert!(!clear.unwrap().is_encrypted);
        let strict = parsed("shop:secret@db/shop?encrypt=strict&trust_server_certificate=false");
        match cfg!(feature = "tls") {
            true => assert!(strict.unwrap().is_encrypted),
            false => assert!(strict.unwrap_err().to_string().contains("`tls`")),
        }
    }
}
