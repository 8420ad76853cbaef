//! The programs whose records the commands can use, and their stores.

use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use silverback::backend::{self, Backend, ConnectOptions};

use super::super::failure::Failure;

/// The program that wrote the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum DialectName {
    /// Silverback itself
    #[default]
    Native,
    /// scs with postgresstore or pgxstore
    ScsPostgresstore,
    /// scs with mysqlstore
    ScsMysqlstore,
    /// scs with mssqlstore (not yet tested with a real SQL Server)
    ScsMssqlstore,
    /// scs with sqlite3store
    ScsSqlite3store,
    /// scs with gormstore, in any of its databases
    ScsGormstore,
    /// scs with redisstore
    ScsRedisstore,
    /// scs with goredisstore
    ScsGoredisstore,
    /// scs with etcdstore
    ScsEtcdstore,
    /// gorilla with rafaelespinoza/pgstore
    Pgstore,
    /// gorilla with antonlindstrom/pgstore
    AntonlindstromPgstore,
    /// gorilla with wader/gormstore, in PostgreSQL, MySQL, MariaDB or SQLite
    WaderGormstore,
    /// gorilla with pratikju/dynamostore
    Dynamostore,
    /// gorilla with savaki/dynastore
    Dynastore,
    /// gorilla with boj/redistore, or gin-contrib/sessions with Redis
    Redistore,
    /// gorilla with rbcervilla/redisstore
    RbcervillaRedisstore,
    /// gorilla with gorilla-sessions-memcache, or gin-contrib/sessions with Memcached
    GorillaSessionsMemcache,
    /// the same with StoreMethodGob or StoreMethodJson (and --serializer)
    GorillaSessionsMemcacheInTheClear,
    /// dolab/session with Redis
    DolabRedis,
    /// dolab/session with Memcached
    DolabMemcache,
}

/// The settings of a Go package's table.
pub(super) struct TableSettings<'a> {
    pub(super) name: Option<&'a str>,
    /// The time that a row with Go's `MaxAge: 0` stays valid.
    pub(super) without_max_age: Option<Duration>,
}

impl DialectName {
    pub(super) fn is_scs(self) -> bool {
        matches!(
            self,
            DialectName::ScsPostgresstore
                | DialectName::ScsMysqlstore
                | DialectName::ScsMssqlstore
                | DialectName::ScsSqlite3store
                | DialectName::ScsGormstore
                | DialectName::ScsRedisstore
                | DialectName::ScsGoredisstore
                | DialectName::ScsEtcdstore
        )
    }

    /// Returns whether the Go package seals neither cookies nor rows.
    pub(super) fn seals_nothing(self) -> bool {
        self.is_scs() || self == DialectName::RbcervillaRedisstore
    }

    /// Returns whether the cookies are sealed, and the rows are not.
    pub(super) fn has_clear_rows(self) -> bool {
        matches!(
            self,
            DialectName::Redistore | DialectName::GorillaSessionsMemcacheInTheClear
        )
    }

    /// Returns whether the Go program uses dolab/session.
    pub(super) fn is_dolab(self) -> bool {
        matches!(self, DialectName::DolabRedis | DialectName::DolabMemcache)
    }

    /// Returns whether the Go program uses a server that knows only keys and values.
    fn has_keys(self) -> bool {
        matches!(
            self,
            DialectName::ScsRedisstore
                | DialectName::ScsGoredisstore
                | DialectName::ScsEtcdstore
                | DialectName::Redistore
                | DialectName::RbcervillaRedisstore
                | DialectName::GorillaSessionsMemcache
                | DialectName::GorillaSessionsMemcacheInTheClear
                | DialectName::DolabRedis
                | DialectName::DolabMemcache
        )
    }

    fn is_pgstore(self) -> bool {
        matches!(
            self,
            DialectName::Pgstore | DialectName::AntonlindstromPgstore
        )
    }

    fn is_dynamodb(self) -> bool {
        matches!(self, DialectName::Dynamostore | DialectName::Dynastore)
    }

    /// Connects to the store. It creates nothing.
    pub(super) async fn connect(
        self,
        url: &str,
        settings: TableSettings<'_>,
    ) -> Result<Arc<dyn Backend>, Failure> {
        let has_no_table = self == DialectName::Native || self.is_dynamodb() || self.has_keys();
        if settings.name.is_some() && has_no_table {
            return Err(Failure::usage(
                "--table is for the tables of Go packages in SQL databases: leave it out",
            ));
        }
        if settings.without_max_age.is_some() && !self.is_pgstore() {
            return Err(Failure::usage("--max-age-0 is for pgstore: leave it out"));
        }
        match self {
            DialectName::Native => {
                // Services that wait for the ends of sessions hear of those that this program ends.
                let options = ConnectOptions::new().create_if_missing(false).notify(true);
                Ok(backend::connect_with(url, options).await?)
            }
            DialectName::Dynamostore | DialectName::Dynastore => self.connect_items(url).await,
            _ if self.has_keys() => self.connect_keys(url).await,
            _ => self.connect_table(url, settings).await,
        }
    }

    #[cfg(any(
        feature = "postgres",
        feature = "mysql",
        feature = "mssql",
        feature = "sqlite"
    ))]
    async fn connect_table(
        self,
        url: &str,
        settings: TableSettings<'_>,
    ) -> Result<Arc<dyn Backend>, Failure> {
        let no_table = || Failure::usage("the Go package has no table in an SQL database");
        let table = self.table().ok_or_else(no_table)?;
        let table = match settings.name {
            Some(name) => table.named(name),
            None => table,
        };
        let table = match settings.without_max_age {
            Some(lasting) => table.without_max_age(lasting),
            None => table,
        };
        let options = ConnectOptions::new().create_if_missing(false);
        Ok(backend::connect_go(url, table, options).await?)
    }

    #[cfg(not(any(
        feature = "postgres",
        feature = "mysql",
        feature = "mssql",
        feature = "sqlite"
    )))]
    async fn connect_table(
        self,
        _: &str,
        _: TableSettings<'_>,
    ) -> Result<Arc<dyn Backend>, Failure> {
        Err(Failure::usage(
            "this dialect needs another build: enable silverback's feature `postgres`, `mysql`, \
             `mssql` or `sqlite`",
        ))
    }

    #[cfg(any(
        feature = "postgres",
        feature = "mysql",
        feature = "mssql",
        feature = "sqlite"
    ))]
    fn table(self) -> Option<backend::GoTable> {
        use backend::GoTable;

        Some(match self {
            DialectName::ScsPostgresstore => GoTable::scs_postgresstore(),
            DialectName::ScsMysqlstore => GoTable::scs_mysqlstore(),
            DialectName::ScsMssqlstore => GoTable::scs_mssqlstore(),
            DialectName::ScsSqlite3store => GoTable::scs_sqlite3store(),
            DialectName::ScsGormstore => GoTable::scs_gormstore(),
            DialectName::Pgstore => GoTable::pgstore(),
            DialectName::AntonlindstromPgstore => GoTable::antonlindstrom_pgstore(),
            DialectName::WaderGormstore => GoTable::wader_gormstore(),
            _ => return None,
        })
    }

    #[cfg(any(feature = "redis", feature = "memcached", feature = "etcd"))]
    async fn connect_keys(self, url: &str) -> Result<Arc<dyn Backend>, Failure> {
        let no_keys = || Failure::usage("the Go package uses a server of another kind");
        let keys = self.keys().ok_or_else(no_keys)?;
        Ok(backend::connect_go_keys(url, keys, ConnectOptions::new()).await?)
    }

    #[cfg(not(any(feature = "redis", feature = "memcached", feature = "etcd")))]
    async fn connect_keys(self, _: &str) -> Result<Arc<dyn Backend>, Failure> {
        Err(Failure::usage(
            "this dialect needs another build: enable silverback's feature `redis`, `memcached` or \
             `etcd`",
        ))
    }

    #[cfg(any(feature = "redis", feature = "memcached", feature = "etcd"))]
    fn keys(self) -> Option<backend::GoKeys> {
        use backend::GoKeys;

        Some(match self {
            DialectName::ScsRedisstore => GoKeys::scs_redisstore(),
            DialectName::ScsGoredisstore => GoKeys::scs_goredisstore(),
            DialectName::ScsEtcdstore => GoKeys::scs_etcdstore(),
            DialectName::Redistore => GoKeys::redistore(),
            DialectName::RbcervillaRedisstore => GoKeys::rbcervilla_redisstore(),
            DialectName::GorillaSessionsMemcache => GoKeys::gorilla_sessions_memcache(""),
            DialectName::GorillaSessionsMemcacheInTheClear => {
                GoKeys::gorilla_sessions_memcache("").in_the_clear()
            }
            DialectName::DolabRedis => GoKeys::dolab_redis(),
            DialectName::DolabMemcache => GoKeys::dolab_memcache(),
            _ => return None,
        })
    }

    #[cfg(feature = "aws")]
    async fn connect_items(self, url: &str) -> Result<Arc<dyn Backend>, Failure> {
        use backend::{DynamoDbOptions, GoDynamoDb, GoItems};

        let items = match self {
            DialectName::Dynastore => GoItems::dynastore(),
            _ => GoItems::dynamostore(),
        };
        // Another URL would be read as the name of a table.
        if !url.starts_with("dynamodb:") {
            return Err(Failure::usage(
                "this dialect needs the URL of a table in DynamoDB: dynamodb:TABLE",
            ));
        }
        let options = DynamoDbOptions::new().create_if_missing(false);
        let connected = GoDynamoDb::connect_with(url, items, options).await?;
        Ok(Arc::new(connected))
    }

    #[cfg(not(feature = "aws"))]
    async fn connect_items(self, _: &str) -> Result<Arc<dyn Backend>, Failure> {
        Err(Failure::usage(
            "this dialect needs another build: enable silverback's feature `aws`",
        ))
    }
}
