//! `silverback sessions` on the tables of Go packages in database servers.

use std::sync::Arc;

use silverback::backend::{Backend, ConnectOptions, GoTable, connect_go};
use silverback::codec::{Codec, CodecOptions, Codecs, KeyPairs};
use silverback::session::testing::Jar;
use silverback::session::{CookieOptions, Dialect, ServerOptions, ServerStore};
use sqlx::{Connection, PgConnection};

use crate::program::{KEYS, Run, silverback};
use crate::sessions::{Service, all_commands_work};

/// A table of a Go package in a server.
struct Table {
    url: String,
    dialect: &'static str,
    store: ServerStore,
    /// The arguments that name the table.
    table: &'static [&'static str],
}

fn store_of(backend: Arc<dyn Backend>, rows: Dialect) -> ServerStore {
    let cookie = CookieOptions::new().name("shop").unwrap();
    let options = ServerOptions::new().cookie(cookie);
    ServerStore::with_options(rows, backend, options).unwrap()
}

impl Table {
    /// Creates the table with the name `web`.
    async fn create(url: &str, dialect: &'static str, table: GoTable, rows: Dialect) -> Self {
        let options = ConnectOptions::new();
        let backend = connect_go(url, table.named("web"), options).await.unwrap();
        Table {
            url: url.to_owned(),
            dialect,
            store: store_of(backend, rows),
            table: &["--table", "web"],
        }
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Run {
        let line = ["sessions", command, "--store", &self.url];
        let line = [
            &line,
            &["--dialect", self.dialect][..],
            self.table,
            arguments,
        ]
        .concat();
        silverback(line, "")
    }

    /// Returns a client with a session, and its KEY.
    async fn session(&self) -> (Jar, String) {
        let fill = |session: &silverback::session::Session| session.insert("n", 7);
        let jar = Jar::with(self.store.clone(), fill).await.unwrap();
        let listed = self.run("list", &[]).ok();
        assert_eq!(listed.lines().count(), 1, "{}: {listed}", self.dialect);
        (jar, listed.split('\t').next().unwrap().to_owned())
    }

    async fn all_commands_work(&self) {
        let (jar, key) = self.session().await;
        let keys = ["--keys", KEYS, "--name", "shop", "--json", &key];
        let shown = self.run("show", &keys).ok();
        assert!(shown.contains("\"values\":{\"n\":7}"), "{shown}");
        assert_eq!(self.run("purge", &[]).ok(), "0\n");
        self.run("end", &["--keys", KEYS, "--name", "shop", &key])
            .ok();
        assert!(jar.session(self.store.clone()).await.unwrap().is_new());
        let (_, key) = self.session().await;
        self.run("remove", &[&key]).ok();
        assert_eq!(self.run("list", &[]).ok(), "");
    }
}

fn codecs() -> Codecs {
    let pairs: KeyPairs = KEYS.parse().unwrap();
    Codecs::from_pairs(pairs).unwrap()
}

fn gorilla() -> Dialect {
    Dialect::gorilla(codecs()).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_commands_work_on_tables_of_go_in_postgres() {
    let server = match crate::servers::postgres::PostgresServer::start() {
        Ok(server) => server,
        Err(why) => return crate::required::not_run("postgres", &why),
    };
    let url = server.url();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    for (dialect, table, rows) in [
        (
            "scs-postgresstore",
            GoTable::scs_postgresstore(),
            Dialect::scs().into(),
        ),
        (
            "scs-gormstore",
            GoTable::scs_gormstore(),
            Dialect::scs().into(),
        ),
        ("pgstore", GoTable::pgstore(), gorilla()),
        (
            "antonlindstrom-pgstore",
            GoTable::antonlindstrom_pgstore(),
            gorilla(),
        ),
        ("wader-gormstore", GoTable::wader_gormstore(), gorilla()),
    ] {
        let table = Table::create(&url, dialect, table, rows).await;
        table.all_commands_work().await;
        if dialect == "pgstore" {
            table.session().await;
            // As Go writes a session with MaxAge 0.
            let sql = "UPDATE web SET expires_on = modified_on";
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            assert_eq!(table.run("list", &[]).ok(), "");
            let lasting = ["--max-age-0", "12h"];
            assert_eq!(table.run("list", &lasting).ok().lines().count(), 1);
            assert_eq!(table.run("purge", &lasting).ok(), "0\n");
            assert_eq!(table.run("purge", &[]).ok(), "1\n");
        }
        let drop_table = sqlx::raw_sql("DROP TABLE web");
        drop_table.execute(&mut connection).await.unwrap();
    }
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
async fn all_commands_work_on_redis() {
    use silverback::backend::{GoKeys, GoRedis};

    let server = match crate::servers::redis::RedisServer::start(&[]) {
        Ok(server) => server,
        Err(why) => return crate::required::not_run("redis", &why),
    };
    // Keys of other programs in the same database are no sessions.
    server.command("RPUSH 0123456789 job").unwrap();
    server
        .command("SET 0123456789ABCDEF0123456789ABCDEF text")
        .unwrap();
    let (codec, shop) = (CodecOptions::new(), ServerOptions::new());
    all_commands_work(&Service::at(server.url(), &codec, shop).await).await;
    let scs = || Dialect::scs().into();
    let redistore = || Dialect::redistore(codecs()).into();
    for (dialect, keys, rows) in [
        ("scs-redisstore", GoKeys::scs_redisstore(), scs()),
        ("scs-goredisstore", GoKeys::scs_goredisstore(), scs()),
        ("redistore", GoKeys::redistore(), redistore()),
        (
            "rbcervilla-redisstore",
            GoKeys::rbcervilla_redisstore(),
            Dialect::rbcervilla_redisstore().into(),
        ),
        (
            "dolab-redis",
            GoKeys::dolab_redis(),
            Dialect::dolab(codecs()).into(),
        ),
    ] {
        let backend = GoRedis::connect(&server.url(), keys).await.unwrap();
        let rows = Table {
            url: server.url(),
            dialect,
            store: store_of(Arc::new(backend), rows),
            table: &[],
        };
        rows.all_commands_work().await;
    }
}

#[cfg(feature = "etcd")]
#[tokio::test(flavor = "multi_thread")]
async fn all_commands_work_on_etcd() {
    use silverback::backend::{GoEtcd, GoKeys};

    let server = match crate::servers::etcd::EtcdServer::start() {
        Ok(server) => server,
        Err(why) => return crate::required::not_run("etcd", &why),
    };
    let keys = GoKeys::scs_etcdstore();
    let backend = GoEtcd::connect(&server.url(), keys).await.unwrap();
    let rows = Table {
        url: server.url(),
        dialect: "scs-etcdstore",
        store: store_of(Arc::new(backend), Dialect::scs().into()),
        table: &[],
    };
    rows.all_commands_work().await;
    let line = ["sessions", "list", "--dialect", "scs-etcdstore", "--store"];
    let refused = silverback([&line, &["redis://127.0.0.1:1"][..]].concat(), "");
    assert!(refused.fails(2).contains("URL of etcd"));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_commands_work_on_mariadb() {
    let server = match crate::servers::mariadb::MariaDbServer::start() {
        Ok(server) => server,
        Err(why) => return crate::required::not_run("mariadb", &why),
    };
    let url = server.url();
    let (codec, shop) = (CodecOptions::new(), ServerOptions::new());
    all_commands_work(&Service::at(url.clone(), &codec, shop).await).await;
    let mut connection = sqlx::MySqlConnection::connect(&url).await.unwrap();
    for (dialect, table, rows) in [
        (
            "scs-mysqlstore",
            GoTable::scs_mysqlstore(),
            Dialect::scs().into(),
        ),
        (
            "scs-gormstore",
            GoTable::scs_gormstore(),
            Dialect::scs().into(),
        ),
        ("wader-gormstore", GoTable::wader_gormstore(), gorilla()),
    ] {
        let table = Table::create(&url, dialect, table, rows).await;
        table.all_commands_work().await;
        let drop_table = sqlx::raw_sql("DROP TABLE web");
        drop_table.execute(&mut connection).await.unwrap();
    }
}

/// DynamoDB lists no items: a session is found by its cookie, or by its ID as the KEY.
#[cfg(feature = "aws")]
#[tokio::test(flavor = "multi_thread")]
async fn sessions_in_dynamodb_are_shown_and_ended() {
    use std::sync::Arc;

    use silverback::backend::{DynamoDbOptions, GoDynamoDb, GoItems};

    let server = match crate::servers::dynamodb::DynamoDbServer::start() {
        Ok(server) => server,
        Err(why) => return crate::required::not_run("dynamodb", &why),
    };
    let client = crate::servers::dynamodb::client(&server.endpoint());
    for (dialect, items, rows) in [
        ("dynamostore", GoItems::dynamostore(), gorilla()),
        (
            "dynastore",
            GoItems::dynastore(),
            Dialect::dynastore(codecs()).into(),
        ),
    ] {
        let options = DynamoDbOptions::new();
        let backend = GoDynamoDb::from_client(&client, dialect, items, options).unwrap();
        backend.migrate().await.unwrap();
        let cookie = CookieOptions::new().name("shop").unwrap();
        let options = ServerOptions::new().cookie(cookie);
        let store = ServerStore::with_options(rows, Arc::new(backend), options).unwrap();
        let jar = Jar::with(store.clone(), |session| session.insert("n", 7)).await;
        let jar = jar.unwrap();
        let url = format!("dynamodb:{dialect}?endpoint={}", server.endpoint());
        let run = |command: &str, arguments: &[&str]| {
            let line = ["sessions", command, "--store", &url, "--dialect", dialect];
            silverback([&line, arguments].concat(), "")
        };
        assert!(run("list", &[]).fails(2).contains("cannot list"));
        assert!(run("purge", &[]).fails(2).contains("needs no purge"));
        let service = ["--keys", KEYS, "--name", "shop"];
        let cookie = jar.get("shop").unwrap();
        let show = [&service[..], &["--json", "--cookie", cookie]].concat();
        let shown = run("show", &show).ok();
        assert!(shown.contains("\"values\":{\"n\":7}"), "{shown}");
        let public = &shown["{\"key\":\"".len()..][..43];
        let by_hash = run("remove", &[public]).fails(2);
        assert!(by_hash.contains("52 characters"), "{by_hash}");

        let items = client.scan().table_name(dialect).send().await.unwrap();
        let id = items.items()[0]["id"].as_s().unwrap();
        let end = [&service[..], &[id]].concat();
        assert_eq!(run("end", &end).ok(), "");
        assert!(jar.session(store.clone()).await.unwrap().is_new());
        // The ID of dynastore is a cookie, and is not printed.
        let missing = run("remove", &[id]).fails(1);
        assert_eq!(missing.contains(id), dialect == "dynamostore", "{missing}");
    }
}

/// Memcached lists no items: a session is found by its cookie, or by its ID as the KEY.
#[cfg(feature = "memcached")]
#[tokio::test(flavor = "multi_thread")]
async fn sessions_in_memcached_are_shown_and_ended() {
    use silverback::codec::Serializer;

    let server = match crate::servers::memcached::MemcachedServer::start(&[]) {
        Ok(server) => server,
        Err(why) => return crate::required::not_run("memcached", &why),
    };
    let clear = |serializer| -> Dialect {
        let pairs: KeyPairs = KEYS.parse().unwrap();
        let dialect = Dialect::redistore(Codecs::from_pairs(pairs).unwrap());
        dialect.clear_rows(serializer).into()
    };
    let in_the_clear = "gorilla-sessions-memcache-in-the-clear";
    for (dialect, rows, serializer) in [
        ("gorilla-sessions-memcache", gorilla(), "gob"),
        (in_the_clear, clear(Serializer::Gob), "gob"),
        (in_the_clear, clear(Serializer::Json), "json"),
    ] {
        items_are_shown_and_ended(&server, dialect, rows, serializer).await;
    }
}

#[cfg(feature = "memcached")]
async fn items_are_shown_and_ended(
    server: &crate::servers::memcached::MemcachedServer,
    dialect: &str,
    rows: Dialect,
    serializer: &str,
) {
    use silverback::backend::{GoKeys, GoMemcached};

    let url = format!("{}?prefix=pre_", server.url());
    let keys = GoKeys::gorilla_sessions_memcache("");
    let keys = match dialect.ends_with("clear") {
        true => keys.in_the_clear(),
        false => keys,
    };
    let backend = GoMemcached::connect(&url, keys).await.unwrap();
    let store = store_of(Arc::new(backend), rows);
    let jar = async || {
        let jar = Jar::with(store.clone(), |session| session.insert("n", 7)).await;
        jar.unwrap()
    };
    let run = |command: &str, arguments: &[&str]| {
        let line = ["sessions", command, "--store", &url, "--dialect", dialect];
        silverback([&line, arguments].concat(), "")
    };
    assert!(run("list", &[]).fails(2).contains("cannot list"));
    assert!(run("purge", &[]).fails(2).contains("needs no purge"));
    let service = ["--keys", KEYS, "--name", "shop", "--serializer", serializer];
    let first = jar().await;
    let cookie = first.get("shop").unwrap();
    let shown = run(
        "show",
        &[&service[..], &["--json", "--cookie", cookie]].concat(),
    )
    .ok();
    assert!(shown.contains("\"values\":{\"n\":7}"), "{shown}");
    let public = &shown["{\"key\":\"".len()..][..43];
    let by_hash = run("remove", &[public]).fails(2);
    assert!(by_hash.contains("52 characters"), "{by_hash}");

    let pairs: KeyPairs = KEYS.parse().unwrap();
    let id = |jar: &Jar| -> String {
        let codecs = Codecs::from_pairs(pairs.clone()).unwrap();
        codecs.decode("shop", jar.get("shop").unwrap()).unwrap()
    };
    let shown = run("show", &[&service[..], &["--json", &id(&first)]].concat()).ok();
    assert!(shown.contains("\"values\":{\"n\":7}"), "{shown}");
    assert_eq!(
        run("end", &[&service[..], &[&*id(&first)]].concat()).ok(),
        ""
    );
    assert!(first.session(store.clone()).await.unwrap().is_new());
    let second = jar().await;
    assert_eq!(run("remove", &[&id(&second)]).ok(), "");
    assert!(second.session(store.clone()).await.unwrap().is_new());
    let missing = run("remove", &[&id(&second)]).fails(1);
    assert!(missing.contains(&id(&second)), "{missing}");
}

/// The ID of a session opens it, in a forged cookie of the Go program: it is not printed.
#[cfg(feature = "memcached")]
#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_dolab_in_memcached_are_shown_and_ended() {
    use silverback::backend::{GoKeys, GoMemcached};

    let server = match crate::servers::memcached::MemcachedServer::start(&[]) {
        Ok(server) => server,
        Err(why) => return crate::required::not_run("memcached", &why),
    };
    let url = server.url();
    let backend = GoMemcached::connect(&url, GoKeys::dolab_memcache());
    let backend = Arc::new(backend.await.unwrap());
    let store = store_of(backend, Dialect::dolab(codecs()).into());
    let run = |command: &str, arguments: &[&str]| {
        let line = ["sessions", command, "--store", &url];
        let line = [&line, &["--dialect", "dolab-memcache"][..], arguments];
        silverback(line.concat(), "")
    };
    assert!(run("list", &[]).fails(2).contains("cannot list"));
    let service = ["--keys", KEYS, "--name", "shop"];
    let jar = Jar::with(store.clone(), |session| session.insert("n", 7)).await;
    let jar = jar.unwrap();
    let cookie = jar.get("shop").unwrap();
    let id: String = codecs().decode("shop", cookie).unwrap();
    for key in [&["--cookie", cookie][..], &[&*id][..]] {
        let shown = run("show", &[&service[..], &["--json"], key].concat()).ok();
        assert!(shown.contains("\"values\":{\"n\":7}"), "{shown}");
        assert!(!shown.contains(&id), "{shown}");
    }
    assert_eq!(run("end", &[&service[..], &[&*id]].concat()).ok(), "");
    assert!(jar.session(store).await.unwrap().is_new());
    let missing = run("remove", &[&id]).fails(1);
    assert!(!missing.contains(&id), "{missing}");
    for wrong in [&id[1..], &id.to_uppercase()] {
        assert!(run("remove", &[wrong]).fails(2).contains("KEY"));
    }
}
