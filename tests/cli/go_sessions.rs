//! `silverback sessions` on rows that Go's session stores wrote to SQLite.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection};

use crate::go_rows::{Vectors, connect, keys_of, later, text};
use crate::program::{Run, silverback};

/// A database, and the dialect of its rows.
struct Database {
    path: PathBuf,
    dialect: &'static str,
}

impl Database {
    /// Runs `sessions COMMAND` on the database.
    fn run(&self, command: &str, arguments: &[&str]) -> Run {
        let url = format!("sqlite:{}", self.path.display());
        let before = [
            "sessions",
            command,
            "--store",
            &url,
            "--dialect",
            self.dialect,
        ];
        silverback(before.iter().chain(arguments), "")
    }

    /// Returns the KEYs that `sessions list` prints.
    fn keys(&self, arguments: &[&str]) -> Vec<String> {
        let listed = self.run("list", arguments).ok();
        let keys = listed.lines().map(|line| line.split('\t').next().unwrap());
        let mut keys: Vec<String> = keys.map(str::to_owned).collect();
        keys.sort();
        keys
    }
}

async fn execute(path: &Path, sql: &str) {
    let mut connection = connect(path).await;
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    sql.execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

/// Returns whether no limit within the row ends the session in the years of this test.
fn lasts(row: &Json) -> bool {
    !row["want"].is_null() && text(&row["deadline"]) > "2030"
}

/// Runs each command on the rows of a store of scs. `expired` is SQL for an expiry long ago.
async fn all_commands_work_on_scs(
    vectors: Vectors,
    dialect: &'static str,
    later: &str,
    expired: &str,
) {
    let is_plain = |row: &&Json| lasts(row) && row["hash_token"] == false;
    let rows: Vec<&Json> = vectors.rows.iter().filter(is_plain).collect();
    let [first, second, third, .., last] = rows[..] else {
        panic!("{} rows", rows.len())
    };
    let path = vectors.database("commands", &rows, later).await;
    let last_token = text(&last["token"]);
    let end_last = format!("UPDATE sessions SET expiry = {expired} WHERE token = '{last_token}'");
    execute(&path, &end_last).await;
    let database = Database { path, dialect };

    let live = &rows[..rows.len() - 1];
    let mut hashes: Vec<String> = live.iter().map(|row| hash(text(&row["token"]))).collect();
    hashes.sort();
    assert_eq!(database.keys(&[]), hashes);
    for arguments in [&[][..], &["--json"]] {
        let listed = database.run("list", arguments).ok();
        for row in &rows {
            assert!(!listed.contains(text(&row["token"])), "{listed}");
        }
    }
    let by_owner = database.run("list", &["--owner", "ape"]).fails(2);
    assert!(by_owner.contains("cannot list by owner"), "{by_owner}");

    for row in live {
        let token = text(&row["token"]);
        let by_key = database.run("show", &["--json", &hash(token)]).ok();
        assert!(!by_key.contains(token));
        let object = json(&by_key);
        assert_eq!(object["values"], row["want"]);
        assert_eq!(object["key"], hash(token));
        // The row does not contain these times.
        assert_eq!(
            (&object["created"], &object["saved"]),
            (&Json::Null, &Json::Null)
        );
        let by_cookie = database.run("show", &["--json", "--cookie", token]).ok();
        assert_eq!(json(&by_cookie), object);
    }

    // A token is no KEY, and is not printed.
    let [one, two, three] = [first, second, third].map(|row| text(&row["token"]));
    let refused = database.run("show", &[one]).fails(1);
    assert!(refused.contains("no such session") && !refused.contains(one));
    let ended = database.run("end", &[&hash(one), two, &hash(three)]);
    assert_eq!(ended.status, 1);
    assert_eq!(
        ended.stderr,
        "silverback: KEY 2: there is no such session\n"
    );
    assert_eq!(database.keys(&[]).len(), live.len() - 2);
    let removed = database.run("remove", &[&hash(two), three]);
    assert_eq!(removed.status, 1);
    assert_eq!(
        removed.stderr,
        "silverback: KEY 2: there is no such record\n"
    );
    assert_eq!(database.keys(&[]).len(), live.len() - 3);

    assert_eq!(database.run("purge", &[]).ok(), "1\n");
    assert_eq!(database.run("purge", &[]).ok(), "0\n");
    assert_eq!(database.keys(&[]).len(), live.len() - 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_commands_work_on_rows_of_scs_sqlite3store() {
    let vectors = Vectors::of("scs-sqlite3store");
    let later = "expiry = expiry + ?1";
    let expired = "julianday('2020-01-01')";
    all_commands_work_on_scs(vectors, "scs-sqlite3store", later, expired).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_commands_work_on_rows_of_scs_gormstore() {
    let vectors = Vectors::of("scs-gormstore-sqlite");
    let expired = "'2020-01-01 00:00:00+00:00'";
    all_commands_work_on_scs(vectors, "scs-gormstore", &later("expiry"), expired).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hashed_tokens_of_scs_are_keys() {
    let vectors = Vectors::of("scs-gormstore-sqlite");
    let is_hashed = |row: &&Json| lasts(row) && row["hash_token"] == true;
    let rows: Vec<&Json> = vectors.rows.iter().filter(is_hashed).collect();
    let row = rows.first().unwrap();
    let path = vectors.database("hashed", &[row], &later("expiry")).await;
    let dialect = "scs-gormstore";
    let database = Database { path, dialect };
    let (key, token) = (text(&row["store_key"]), text(&row["token"]));
    assert_eq!(database.keys(&["--hash-token-in-store"]), [key]);
    for found in [[key].as_slice(), &["--cookie", token]] {
        let arguments = [&["--hash-token-in-store", "--json"], found].concat();
        let object = json(&database.run("show", &arguments).ok());
        assert_eq!(
            (&object["key"], &object["values"]),
            (&key.into(), &row["want"])
        );
    }
    let end = ["--hash-token-in-store", key];
    assert_eq!(database.run("end", &end).ok(), "");
    let again = database.run("end", &end).fails(1);
    assert!(again.contains(key), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_commands_work_on_rows_of_wader_gormstore() {
    let vectors = Vectors::of("gorilla-wader-gormstore-sqlite");
    let rows: Vec<&Json> = vectors
        .rows
        .iter()
        .filter(|row| !row["want"].is_null())
        .collect();
    let path = vectors
        .database("commands", &rows, &later("expires_at"))
        .await;
    let id = |row: &Json| text(&row["id"]).to_owned();
    let (last, live) = rows.split_last().unwrap();
    let expired = "'2020-01-01 00:00:00+00:00'";
    let last = id(last);
    let end_last = format!("UPDATE sessions SET expires_at = {expired} WHERE id = '{last}'");
    execute(&path, &end_last).await;
    let dialect = "wader-gormstore";
    let database = Database { path, dialect };

    let mut ids: Vec<String> = live.iter().map(|row| id(row)).collect();
    ids.sort();
    assert_eq!(database.keys(&[]), ids);
    for row in live {
        let (keys, name) = (keys_of(row), text(&row["cookie_name"]));
        let service = ["--keys", &keys, "--name", name, "--json"];
        let show = |found: &[&str]| database.run("show", &[&service, found].concat());
        let object = json(&show(&[&id(row)]).ok());
        assert_eq!(object["values"], row["want"]);
        assert_eq!(object["key"], id(row));
        // The public ID of the session is a KEY, too.
        let public = json(&show(&["--cookie", text(&row["cookie"])]).ok());
        assert_eq!(public["key"], hash(&id(row)));
        assert_eq!(public["values"], row["want"]);
        let by_public_id = json(&show(&[&hash(&id(row))]).ok());
        assert_eq!(by_public_id, public);
    }

    let [first, second, ..] = live else { panic!() };
    let (keys, name) = (keys_of(first), text(&first["cookie_name"]));
    let end = |row: &Json| {
        let end = ["--keys", &keys, "--name", name, &id(row)];
        database.run("end", &end)
    };
    assert!(end(second).fails(1).contains("not valid"));
    assert_eq!(end(first).ok(), "");
    assert!(end(first).fails(1).contains(&id(first)));
    let without_name = database.run("end", &["--keys", &keys, &id(second)]);
    assert!(without_name.fails(2).contains("--name"));
    assert_eq!(database.run("remove", &[&id(second)]).ok(), "");
    assert_eq!(database.keys(&[]).len(), live.len() - 2);
    assert_eq!(database.run("purge", &[]).ok(), "1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_can_have_another_name() {
    let vectors = Vectors::of("scs-sqlite3store");
    let row = vectors.rows.iter().find(|row| lasts(row)).unwrap();
    let later = "expiry = expiry + ?1";
    let path = vectors.database("named", &[row], later).await;
    execute(&path, "ALTER TABLE sessions RENAME TO web").await;
    let dialect = "scs-sqlite3store";
    let database = Database { path, dialect };
    assert_eq!(database.keys(&["--table", "web"]).len(), 1);
    // The table of the default name is missing, and is not created.
    database.run("list", &[]).fails(2);
    database.run("list", &[]).fails(2);
}

#[test]
fn options_and_stores_of_other_dialects_are_refused() {
    let hash = "A".repeat(43);
    let id = "A".repeat(52);
    let list = |more: &[&str]| {
        let list = ["sessions", "list", "--store"];
        silverback(list.iter().chain(more), "").fails(2)
    };
    for (arguments, expected) in [
        (&["memory:", "--table", "secret"][..], "--table"),
        (&["memory:", "--hash-token-in-store"], "for scs"),
        (&["memory:", "--max-age-0", "12h"], "for pgstore"),
        (&["memory:", "--max-age-0", "secret"], "--max-age-0"),
        (
            &["memory:", "--dialect", "scs-gormstore"],
            "no SQL database",
        ),
        (
            &["memory:secret", "--dialect", "dynamostore"],
            "dynamodb:TABLE",
        ),
        (
            &["sqlite:secret.db", "--dialect", "pgstore"],
            "use a preset for SQLite",
        ),
    ] {
        let refused = list(arguments);
        assert!(refused.contains(expected), "{arguments:?}: {refused}");
        assert!(!refused.contains("secret"), "{arguments:?}: {refused}");
    }
    for (dialect, key, expected) in [
        ("native", &id, "43 characters"),
        ("scs-gormstore", &id, "43 characters"),
        ("wader-gormstore", &id[1..].to_owned(), "52 characters"),
        ("wader-gormstore", &hash, "no SQL database"),
    ] {
        let remove = [
            "sessions",
            "remove",
            "--store",
            "memory:",
            "--dialect",
            dialect,
            key,
        ];
        let refused = silverback(remove, "").fails(2);
        assert!(refused.contains(expected), "{dialect}: {refused}");
        assert!(!refused.contains(key.as_str()), "{dialect}: {refused}");
    }
}
