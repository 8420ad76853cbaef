//! `silverback sessions` on records that the store of a service has written.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value as Json;
use silverback::backend::{self, Backend, Expiry, Key, Record};
use silverback::codec::{CodecOptions, Codecs, KeyPairs, Serializer};
use silverback::session::testing::Jar;
use silverback::session::{
    CookieOptions, Dialect, Error, Lifetime, ServerOptions, ServerStore, Session, SessionEnd,
};

use crate::program::{KEYS, OTHER, Run, command, run, silverback};

const UNKNOWN: &str = "-NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNN";
const MINUTE: Duration = Duration::from_secs(60);

/// A service with records in its own folder, or in a server.
pub(crate) struct Service {
    folder: Option<PathBuf>,
    pub(crate) url: String,
    pub(crate) store: ServerStore,
}

impl Service {
    pub(crate) async fn new() -> Self {
        let shop = ServerOptions::new().lifetime(Lifetime::new());
        Service::with(&CodecOptions::new(), shop).await
    }

    async fn with(codec: &CodecOptions, options: ServerOptions) -> Self {
        Service::named("", codec, options).await
    }

    /// Creates a service that seals its rows to that store name.
    async fn named(store_name: &str, codec: &CodecOptions, options: ServerOptions) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = format!("cli-sessions-{}-{number}", std::process::id());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(folder);
        let url = url_of(&folder);
        let backend = backend::connect(&url).await.unwrap();
        let mut service = Service::over(backend, url, store_name, codec, options);
        service.folder = Some(folder);
        service
    }

    pub(crate) async fn at(url: String, codec: &CodecOptions, options: ServerOptions) -> Self {
        let backend = backend::connect(&url).await.unwrap();
        Service::over(backend, url, "", codec, options)
    }

    /// Creates a service over a backend, which the program reaches at `url`.
    fn over(
        backend: Arc<dyn Backend>,
        url: String,
        store_name: &str,
        codec: &CodecOptions,
        options: ServerOptions,
    ) -> Self {
        let pairs: KeyPairs = KEYS.parse().unwrap();
        let codecs = Codecs::from_pairs_with(pairs, codec).unwrap();
        let dialect = Dialect::native(codecs).store_name(store_name);
        let store = ServerStore::with_options(dialect, backend, options).unwrap();
        Service {
            folder: None,
            url,
            store,
        }
    }

    /// Returns a browser with a session, and the key of the session.
    pub(crate) async fn session(
        &self,
        fill: impl FnOnce(&Session) -> Result<(), Error>,
    ) -> (Jar, String) {
        let jar = Jar::with(self.store.clone(), fill).await.unwrap();
        let session = jar.session(self.store.clone()).await.unwrap();
        (jar, session.id().unwrap().to_string())
    }

    pub(crate) async fn is_gone(&self, jar: &Jar) -> bool {
        jar.session(self.store.clone()).await.unwrap().is_new()
    }

    /// Runs `sessions COMMAND` on the store.
    pub(crate) fn run(&self, command: &str, arguments: &[&str]) -> Run {
        let before = ["sessions", command, "--store", &self.url];
        silverback(before.iter().chain(arguments), "")
    }

    /// Runs `sessions COMMAND` with the keys and the name that open the records.
    pub(crate) fn run_with_keys(&self, command: &str, arguments: &[&str]) -> Run {
        let keys = ["--keys", KEYS, "--name", "__Host-id"];
        self.run(command, &[&keys, arguments].concat())
    }

    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        self.store.backend()
    }

    /// Creates a record that is not a session.
    pub(crate) async fn put(&self, key: &str, value: &str, expiry: Expiry) {
        let (key, record) = (Key::new(key).unwrap(), Record::new(value, expiry));
        self.backend()
            .create(&key, &record)
            .await
            .unwrap()
            .saved()
            .unwrap();
    }
}

/// Removes the folder.
impl Drop for Service {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

fn url_of(folder: &std::path::Path) -> String {
    format!("files:{}", folder.display())
}

fn json(line: &str) -> Json {
    serde_json::from_str(line).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn list_prints_a_line_for_each_live_record() {
    let service = Service::new().await;
    assert_eq!(service.run("list", &[]).ok(), "");
    let (_, ape) = service.session(|session| session.login("ape")).await;
    let (_, anonymous) = service.session(|session| session.insert("n", 1)).await;
    let past = Expiry::from_millis(1_000);
    service.put("over", "v", past).await;
    service.put("for ever", "12345", Expiry::NEVER).await;

    let listed = service.run("list", &[]).ok();
    let mut keys = vec!["for ever", &ape, &anonymous];
    keys.sort_unstable();
    let lines: Vec<Vec<&str>> = listed
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let listed_keys: Vec<&str> = lines.iter().map(|fields| fields[0]).collect();
    assert_eq!(listed_keys, keys, "in the order of keys");
    for fields in lines {
        let [key, expires, size, owner] = fields[..] else {
            panic!("{fields:?}")
        };
        assert_eq!(owner, if key == ape { "ape" } else { "" });
        match key {
            "for ever" => assert_eq!((expires, size), ("never", "5")),
            _ => assert!(expires.len() == 20 && expires.ends_with('Z'), "{expires}"),
        }
    }
    let objects = service.run("list", &["--json"]).ok();
    let objects: Vec<Json> = objects.lines().map(json).collect();
    let of = |key: &str| objects.iter().find(|object| object["key"] == key).unwrap();
    assert_eq!(of(&ape)["owner"], "ape");
    assert_eq!(of(&anonymous)["owner"], Json::Null);
    assert_eq!(of("for ever")["expires"], Json::Null);
    assert_eq!(of("for ever")["size"], 5);
    assert_eq!(
        service.run("list", &["--limit", "2"]).ok().lines().count(),
        2
    );
    assert_eq!(service.run("list", &["--limit", "0"]).ok(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn list_can_select_the_sessions_of_an_owner() {
    let service = Service::new().await;
    let tricky = "-ape\n\t\"O'Neil\" \u{1b}[2J\\ हिन्दी";
    let (_, first) = service.session(|session| session.login(tricky)).await;
    let (_, second) = service.session(|session| session.login(tricky)).await;
    service.session(|session| session.login("other")).await;

    let listed = service.run("list", &["--owner", tricky]).ok();
    let mut keys = [first, second];
    keys.sort_unstable();
    let listed_keys: Vec<&str> = listed.lines().map(|line| &line[..43]).collect();
    assert_eq!(listed_keys, keys);
    let written = "-ape\\n\\t\"O'Neil\" \\u{1b}[2J\\\\ हिन्दी";
    assert!(
        listed.lines().all(|line| line.ends_with(written)),
        "{listed}"
    );
    let one = service.run("list", &["--owner", tricky, "--limit", "1", "--json"]);
    assert_eq!(json(&one.ok())["owner"], tricky);
    assert_eq!(service.run("list", &["--owner", "stranger"]).ok(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn list_prints_all_pages_and_stops_when_its_output_is_closed() {
    let service = Service::new().await;
    for number in 0..1_203 {
        service
            .put(&format!("{number:04}"), "v", Expiry::after(MINUTE))
            .await;
    }
    let listed = service.run("list", &[]).ok();
    assert_eq!(listed.lines().count(), 1_203);
    assert!(listed.lines().map(|line| &line[..4]).is_sorted());
    assert_eq!(
        service
            .run("list", &["--limit", "1001"])
            .ok()
            .lines()
            .count(),
        1_001
    );

    let url = &service.url;
    let mut list = command(["sessions", "list", "--store", url]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(list.stdout(writer).status().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn show_opens_a_session() {
    let service = Service::new().await;
    let (jar, key) = service
        .session(|session| {
            session.login("user 42")?;
            session.remember(true)?;
            session.insert("visits", 7)?;
            session.insert("words", ["a", "b"])
        })
        .await;

    let shown = service.run_with_keys("show", &[&key]).ok();
    let lines: Vec<(&str, &str)> = shown
        .lines()
        .map(|line| line.split_once(": ").unwrap())
        .collect();
    let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
    let expected = "key owner login created saved expires deadline remembered values";
    assert_eq!(names.join(" "), expected);
    assert_eq!(lines[0].1, key);
    assert_eq!((lines[1].1, lines[7].1), ("user 42", "yes"));
    assert_eq!(
        json(lines[8].1),
        serde_json::json!({"visits": 7, "words": ["a", "b"]})
    );

    let object = json(&service.run_with_keys("show", &["--json", &key]).ok());
    assert_eq!(object["key"], key);
    assert_eq!(object["remembered"], true);
    assert_eq!(object["values"]["visits"], 7);
    let session = service
        .store
        .find(&Key::new(&*key).unwrap())
        .await
        .unwrap()
        .found()
        .unwrap();
    let deadline = session
        .deadline()
        .unwrap()
        .saturating_duration_since(session.created());
    assert_eq!(deadline, 30 * 24 * 60 * MINUTE);
    assert_eq!(object["login"], object["created"]);
    // The session is also found by the user's cookie, which is not printed.
    let cookie = jar.get("__Host-id").unwrap();
    let by_cookie = service
        .run_with_keys("show", &["--json", "--cookie", cookie])
        .ok();
    assert_eq!(json(&by_cookie), object);
    let url = &service.url;
    let keys = [
        "--keys",
        KEYS,
        "--name",
        "__Host-id",
        "--cookie",
        "-",
        "--json",
    ];
    let from_input = silverback(
        ["sessions", "show", "--store", url].iter().chain(&keys),
        cookie,
    );
    assert_eq!(json(&from_input.ok()), object);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_copied_opens_without_the_store() {
    let options = ServerOptions::new().lifetime(Lifetime::new());
    let service = Service::named("staging", &CodecOptions::new(), options).await;
    let (_, key) = service.session(|session| session.login("ape")).await;
    let load = async || service.backend().load(&Key::new(&*key).unwrap()).await;
    let row = load().await.unwrap().unwrap().record.value().to_vec();
    let named = ["--name", "__Host-id", "--store-name", "staging"];
    let decode = |keys: &str, key: &str, more: &[&str], row: &[u8]| {
        let fixed = [
            "decode",
            "--row",
            "native",
            "--keys",
            keys,
            "--row-key",
            key,
        ];
        silverback(fixed.iter().chain(&named).chain(more), row)
    };
    let shown = service.run_with_keys("show", &["--json", "--store-name", "staging", &key]);
    let (mut shown, opened) = (json(&shown.ok()), json(&decode(KEYS, &key, &[], &row).ok()));
    // The value of a row does not have its expiry.
    shown["expires"] = Json::Null;
    assert_eq!(opened, shown);
    let hex = format!("\\x{}", base16ct::lower::encode_string(&row));
    assert_eq!(json(&decode(KEYS, &key, &[&hex], b"").ok()), shown);
    assert_eq!(
        json(&decode(KEYS, &key, &["--json"], &row).ok())["value"],
        shown
    );
    assert_eq!(decode(KEYS, &key, &["--types"], &row).ok(), "[]\n");
    for (keys, key) in [(OTHER, &*key), (KEYS, UNKNOWN)] {
        let refused = decode(keys, key, &[], &row).fails(1);
        assert!(refused.contains("--row-key"), "{refused}");
    }
    let ended = service.store.end_by_key(&Key::new(&*key).unwrap()).await;
    assert!(ended.unwrap().found().is_some());
    let tombstone = load().await.unwrap().unwrap().record.value().to_vec();
    assert!(
        decode(KEYS, &key, &[], &tombstone)
            .fails(1)
            .contains("ended or moved")
    );
    let missing = ["decode", "--row", "native", "--keys", KEYS, "--name", "id"];
    assert!(
        silverback(missing, &row)
            .fails(2)
            .contains("needs --row-key")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn show_opens_sessions_of_services_with_other_settings() {
    let options = ServerOptions::new().cookie(CookieOptions::new().name("shop").unwrap());
    let codec = CodecOptions::new().serializer(Serializer::Json);
    let service = Service::named("staging", &codec, options).await;
    let (_, key) = service.session(|session| session.insert("half", 0.5)).await;
    let settings = [
        "--keys",
        KEYS,
        "--name",
        "shop",
        "--store-name",
        "staging",
        "--serializer",
        "json",
    ];
    let show = |arguments: &[&str]| service.run("show", &[arguments, &["--json", &key]].concat());
    let object = json(&show(&settings).ok());
    assert_eq!(object["values"], serde_json::json!({"half": 0.5}));
    assert_eq!(
        (&object["owner"], &object["login"]),
        (&Json::Null, &Json::Null)
    );
    for wrong in [
        &[
            "--keys",
            OTHER,
            "--name",
            "shop",
            "--store-name",
            "staging",
            "--serializer",
            "json",
        ],
        &[
            "--keys",
            KEYS,
            "--name",
            "id",
            "--store-name",
            "staging",
            "--serializer",
            "json",
        ],
        &[
            "--keys",
            KEYS,
            "--name",
            "shop",
            "--store-name",
            "prod",
            "--serializer",
            "json",
        ],
        &[
            "--keys",
            KEYS,
            "--name",
            "shop",
            "--store-name",
            "staging",
            "--serializer",
            "gob",
        ],
    ] {
        assert!(show(wrong).fails(1).contains("not valid"), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_does_not_exist_exits_with_1() {
    let service = Service::new().await;
    let (jar, key) = service.session(|session| session.login("ape")).await;
    let cookie = jar.get("__Host-id").unwrap().to_owned();
    service.store.end_all("ape").await.unwrap();
    for missing in [key.as_str(), UNKNOWN] {
        let error = service.run_with_keys("show", &[missing]).fails(1);
        assert!(error.contains("there is no such session"), "{error}");
    }
    let by_cookie = service
        .run_with_keys("show", &["--cookie", &cookie])
        .fails(1);
    assert!(!by_cookie.contains(&cookie), "{by_cookie}");
    let by_cookie = service
        .run_with_keys("show", &["--cookie", "nonsense"])
        .fails(1);
    assert!(by_cookie.contains("not valid") && !by_cookie.contains("nonsense"));
}

#[tokio::test(flavor = "multi_thread")]
async fn end_ends_sessions_and_remove_removes_records() {
    let service = Service::new().await;
    let (one, one_key) = service.session(|session| session.login("ape")).await;
    let (other, other_key) = service.session(|session| session.insert("n", 1)).await;
    let (third, _) = service.session(|session| session.login("ape")).await;

    assert_eq!(service.run_with_keys("end", &[&one_key]).ok(), "");
    assert!(service.is_gone(&one).await);
    let tombstone = service.backend().load(&Key::new(&*one_key).unwrap()).await;
    assert!(tombstone.unwrap().is_some(), "it ended as by a logout");
    let again = service.run_with_keys("end", &[&one_key]).fails(1);
    assert!(again.contains(&one_key) && again.contains("no such session"));

    assert_eq!(service.run("remove", &[&other_key]).ok(), "");
    assert!(service.is_gone(&other).await);
    let record = service
        .backend()
        .load(&Key::new(&*other_key).unwrap())
        .await;
    assert!(record.unwrap().is_none(), "nothing is left");

    assert!(!service.is_gone(&third).await, "it was not ended");
    let wrong = ["--keys", OTHER, "--name", "__Host-id"];
    let (_, key) = service.session(|session| session.insert("n", 1)).await;
    let wrong = [&wrong[..], &[&key]].concat();
    assert!(service.run("end", &wrong).fails(1).contains("not valid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn remove_reports_missing_records_and_continues() {
    let service = Service::new().await;
    let (one, one_key) = service.session(|session| session.insert("n", 1)).await;
    let (other, other_key) = service.session(|session| session.insert("n", 2)).await;
    let removed = service.run("remove", &[&one_key, UNKNOWN, &other_key]);
    assert_eq!((removed.status, &*removed.stdout), (1, ""));
    let report = format!("silverback: {UNKNOWN}: there is no such record\n");
    assert_eq!(removed.stderr, report);
    assert!(service.is_gone(&one).await && service.is_gone(&other).await);
}

#[test]
fn a_key_that_begins_with_a_hyphen_is_a_key() {
    let keys = ["-h", "-V", "--", "---"].map(|begin| format!("{begin:A<43}"));
    let store = ["--store", "memory:"].map(str::to_owned);
    for line in [[&store[..], &keys].concat(), [&keys, &store[..]].concat()] {
        let command = ["sessions", "remove"].map(str::to_owned);
        let removed = silverback(command.iter().chain(&line), "");
        assert_eq!((removed.status, removed.stderr.lines().count()), (1, 4));
        let reports = removed.stderr.lines().zip(&keys);
        reports.for_each(|(line, key)| assert!(line.contains(key.as_str()), "{line}"));
    }
    let show = [
        "sessions", "show", &keys[0], "--store", "memory:", "--name", "id",
    ];
    let show = show.iter().chain(&["--keys", KEYS]);
    assert!(silverback(show, "").fails(1).contains("no such session"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_session_ends_under_its_new_key() {
    let service = Service::new().await;
    let (mut jar, before) = service.session(|session| session.login("ape")).await;
    let sessions = jar.sessions(service.store.clone());
    sessions.session().await.unwrap().renew().unwrap();
    if let Some(fields) = sessions.finish().await.unwrap() {
        for cookie in fields.set_cookies() {
            jar.receive(cookie);
        }
    }
    // The old key now holds a tombstone.
    service.run_with_keys("end", &[&before]).fails(1);
    assert!(!service.is_gone(&jar).await);
    let now = jar
        .session(service.store.clone())
        .await
        .unwrap()
        .id()
        .unwrap();
    service.run_with_keys("end", &[now.as_str()]).ok();
    assert!(service.is_gone(&jar).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn purge_removes_only_expired_records() {
    let service = Service::new().await;
    let (jar, _) = service.session(|session| session.login("ape")).await;
    for number in 0..1_001 {
        let key = format!("over {number}");
        service.put(&key, "v", Expiry::from_millis(1_000)).await;
    }
    assert_eq!(service.run("purge", &[]).ok(), "1001\n");
    assert_eq!(service.run("purge", &[]).ok(), "0\n");
    assert!(!service.is_gone(&jar).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_can_name_the_store() {
    let service = Service::new().await;
    let (_, key) = service.session(|session| session.login("ape")).await;
    let with_variables = |arguments: &[&str]| {
        let mut command = command(arguments);
        command.env("SILVERBACK_STORE", &service.url);
        command.env("SILVERBACK_KEYS", KEYS);
        run(command, "").ok()
    };
    assert!(with_variables(&["sessions", "list"]).starts_with(&key));
    let shown = with_variables(&["sessions", "show", "--name", "__Host-id", &key]);
    assert!(shown.contains("owner: ape\n"));
    // `remove` needs neither keys nor a name.
    with_variables(&["sessions", "remove", &key]);
    assert_eq!(
        with_variables(&["sessions", "list", "--dialect", "native"]),
        ""
    );
}

#[test]
fn wrong_use_exits_with_2_and_quotes_nothing() {
    let secret = "gopher://user:secret@host";
    for (arguments, expected) in [
        (&["list"][..], "no store is given"),
        (&["purge"], "SILVERBACK_STORE"),
        (&["list", "--store", secret], "is unknown"),
        (&["list", "--store", "secret"], "URL"),
        (
            &["list", "--store", "memory:", "--dialect", "secret"],
            "native",
        ),
        (
            &["list", "--store", "memory:", "--limit", "secret"],
            "invalid value",
        ),
        (&["show", "--store", "memory:", "--name", "id"], "KEY"),
        (
            &["show", "--store", "memory:", "--name", "id", UNKNOWN],
            "no keys are given",
        ),
        (&["show", "--store", "memory:", UNKNOWN], "--name"),
        (
            &["show", "--store", "memory:", "--keys", KEYS, UNKNOWN],
            "--name",
        ),
        (
            &[
                "show", "--store", "memory:", "--keys", KEYS, "--name", "a b", UNKNOWN,
            ],
            "name",
        ),
        (
            &[
                "show", "--store", "memory:", "--name", "id", "--cookie", "x", UNKNOWN,
            ],
            "--cookie",
        ),
        (
            &["show", "--store", "memory:", "--name", "id", "secret"],
            "43 characters",
        ),
        (
            &["remove", "--store", "memory:", "--secret"],
            "no such option",
        ),
        (&["remove", "--store", "memory:", "secret"], "43 characters"),
        (
            &["end", "--store", "memory:", "--keys", KEYS, UNKNOWN],
            "--name",
        ),
        (&["end", "--store", "memory:", UNKNOWN], "--name"),
        (&["remove", "--store", "memory:"], "KEY"),
        (&["secret"], "no such command"),
    ] {
        let error = silverback(["sessions"].iter().chain(arguments), "").fails(2);
        assert!(error.contains(expected), "{arguments:?}: {error}");
        assert!(!error.contains("secret"), "{arguments:?}: {error}");
    }
}

#[cfg(unix)]
#[test]
fn a_store_that_cannot_be_used_exits_with_2() {
    let error = silverback(["sessions", "list", "--store", "files:/dev/null/x"], "").fails(2);
    assert!(
        error.contains("\"/dev/null/x\" contains no session store"),
        "{error}"
    );
}

/// A mistyped path is not an empty store.
#[test]
fn a_path_that_is_not_a_store_is_reported_and_left_unchanged() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let folder = folder.join(format!("no-store-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("empty")).unwrap();
    std::fs::write(folder.join("file"), "").unwrap();
    let everything = || {
        let names = std::fs::read_dir(&folder).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.extend(
            std::fs::read_dir(folder.join("empty"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name()),
        );
        names.sort();
        (names, std::fs::read(folder.join("file")).unwrap())
    };
    let before = everything();
    let kinds = [
        "files",
        #[cfg(feature = "sqlite")]
        "sqlite",
    ];
    let show = ["show", "--keys", KEYS, "--name", "id", UNKNOWN];
    for (kind, name) in kinds
        .iter()
        .flat_map(|kind| ["missing", "empty", "file"].map(|name| (kind, name)))
    {
        let path = folder.join(name);
        let url = format!("{kind}:{}", path.display());
        for arguments in [&["list"][..], &show, &["purge"], &["remove", UNKNOWN]] {
            let line = [&["sessions"], arguments, &["--store", &url]].concat();
            let refused = silverback(line, "").fails(2);
            let expected = format!("{path:?} contains no session store");
            assert!(refused.contains(&expected), "{arguments:?}: {refused}");
        }
    }
    assert_eq!(everything(), before);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The client of that session gets a 503, and all other clients are served.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_record_is_a_503_only_for_its_own_session() {
    let service = Service::new().await;
    let mut jars = Vec::new();
    for _ in 0..3 {
        jars.push(service.session(|session| session.login("ape")).await);
    }
    let records = service.folder.as_ref().unwrap().join("records");
    let parts = std::fs::read_dir(records).unwrap();
    let files = parts.flat_map(|part| std::fs::read_dir(part.unwrap().path()).unwrap());
    let of_first = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        let key = jars[0].1.as_bytes();
        bytes.windows(key.len()).any(|part| part == key)
    };
    let path = files
        .map(|file| file.unwrap().path())
        .find(of_first)
        .unwrap();
    // Even root cannot read a folder as a file.
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();

    let refused = jars[0].0.session(service.store.clone()).await.unwrap_err();
    assert_eq!(refused.status(), 503);
    assert!(
        refused.to_string().contains(path.to_str().unwrap()),
        "{refused}"
    );
    for (jar, _) in &jars[1..] {
        assert!(!service.is_gone(jar).await);
    }
    assert_eq!(service.store.list("ape").await.unwrap().len(), 2);
    let shown = service.run_with_keys("show", &[&jars[0].1]).fails(2);
    assert!(shown.contains(path.to_str().unwrap()), "{shown}");
}

#[test]
fn the_help_has_examples_for_each_command() {
    let help = silverback(["sessions", "--help"], "").ok();
    for part in [
        "list",
        "show",
        "end",
        "remove",
        "purge",
        "SILVERBACK_STORE",
        "mysql://",
        "mariadb://",
        "redis://",
        "--dialect",
        "--hash-token-in-store",
        "Examples:",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
    let help = silverback(["sessions", "list", "--help"], "").ok();
    for dialect in [
        "native",
        "scs-postgresstore",
        "scs-mysqlstore",
        "scs-mssqlstore",
        "scs-sqlite3store",
        "scs-gormstore",
        "scs-redisstore",
        "scs-goredisstore",
        "pgstore",
        "antonlindstrom-pgstore",
        "wader-gormstore",
        "dynamostore",
        "dynastore",
        "redistore",
        "rbcervilla-redisstore",
    ] {
        let line = format!("- {dialect}:");
        assert!(help.contains(&line), "{dialect}: {help}");
    }
    assert_eq!(silverback(["sessions"], "").status, 2);
}

/// Runs each command on a server that no other test uses.
#[cfg(any(
    feature = "aws",
    feature = "etcd",
    feature = "postgres",
    feature = "mysql",
    feature = "redis"
))]
pub(crate) async fn all_commands_work(service: &Service) {
    let (jar, ape) = service.session(|session| session.login("ape")).await;
    service.put("over", "v", Expiry::from_millis(1_000)).await;
    for filter in [&["--owner", "ape"][..], &[]] {
        let listed = service.run("list", filter).ok();
        assert_eq!(listed.lines().count(), 1, "{listed}");
        assert_eq!(listed.split('\t').next(), Some(&*ape));
    }
    let shown = service.run_with_keys("show", &[&ape]).ok();
    assert!(shown.contains("owner: ape\n"), "{shown}");
    // Redis does not keep a record that has expired.
    let purged = if service.url.starts_with("redis") {
        '0'
    } else {
        '1'
    };
    assert!(service.run("purge", &[]).ok().contains(purged));
    service.run_with_keys("end", &[&ape]).ok();
    assert!(service.is_gone(&jar).await);
    assert_eq!(service.run("list", &["--owner", "ape"]).ok(), "");
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn all_commands_work_on_postgres() {
    let server = match crate::servers::postgres::PostgresServer::start() {
        Ok(server) => server,
        Err(why) => return crate::required::not_run("postgres", &why),
    };
    let shop = ServerOptions::new();
    let service = Service::at(server.url(), &CodecOptions::new(), shop).await;
    all_commands_work(&service).await;
    // If no server answers, the error does not contain the URL.
    let port = crate::servers::free_port().unwrap();
    let nowhere = format!("postgres://ape:secret@127.0.0.1:{port}/nowhere");
    let refused = silverback(["sessions", "list", "--store", &nowhere], "").fails(2);
    assert!(!refused.contains("secret"), "{refused}");
    // Each error names its cause once.
    assert_eq!(
        refused.matches("Connection refused").count(),
        1,
        "{refused}"
    );
    let url = server.url();
    let (server_alone, _) = url.rsplit_once('/').unwrap();
    let missing = format!("{server_alone}/no_such");
    let refused = silverback(["sessions", "list", "--store", &missing], "").fails(2);
    let cause = "database \"no_such\" does not exist";
    assert_eq!(refused.matches(cause).count(), 1, "{refused}");
}

#[cfg(feature = "etcd")]
#[tokio::test(flavor = "multi_thread")]
async fn all_commands_work_on_etcd() {
    let server = match crate::servers::etcd::EtcdServer::start() {
        Ok(server) => server,
        Err(why) => return crate::required::not_run("etcd", &why),
    };
    let (codec, shop) = (CodecOptions::new(), ServerOptions::new());
    let url = format!("{}/?prefix=shop/", server.url());
    let service = Service::at(url, &codec, shop).await;
    all_commands_work(&service).await;
    let port = crate::servers::free_port().unwrap();
    let nowhere = format!("etcd://ape:secret@127.0.0.1:{port}");
    let refused = silverback(["sessions", "list", "--store", &nowhere], "").fails(2);
    assert!(!refused.contains("secret"), "{refused}");
    assert_eq!(
        refused.matches("Connection refused").count(),
        1,
        "{refused}"
    );
}

#[cfg(feature = "aws")]
#[tokio::test(flavor = "multi_thread")]
async fn all_commands_work_on_dynamodb() {
    use silverback::backend::{DynamoDb, DynamoDbOptions};

    let server = match crate::servers::dynamodb::DynamoDbServer::start() {
        Ok(server) => server,
        Err(why) => return crate::required::not_run("dynamodb", &why),
    };
    let client = crate::servers::dynamodb::client(&server.endpoint());
    let options = DynamoDbOptions::new().prefix("shop/");
    let backend = DynamoDb::from_client(&client, "web.sessions", options).unwrap();
    backend.migrate().await.unwrap();
    let url = format!(
        "dynamodb://web%2Esessions?endpoint={}&prefix=shop%2F",
        server.endpoint()
    );
    let (codec, shop) = (CodecOptions::new(), ServerOptions::new());
    let service = Service::over(Arc::new(backend), url, "", &codec, shop);
    all_commands_work(&service).await;
    let port = crate::servers::free_port().unwrap();
    let nowhere = format!("dynamodb:nowhere?endpoint=http://127.0.0.1:{port}");
    let refused = silverback(["sessions", "list", "--store", &nowhere], "").fails(2);
    assert!(refused.contains("to DynamoDB failed"), "{refused}");
    let nothing = silverback(["sessions", "list", "--store", "dynamodb:"], "").fails(2);
    assert!(nothing.contains("table"), "{nothing}");
}

/// The locks of a service that hangs are this process's; the program is another one.
#[tokio::test]
async fn held_locks_end_a_command_in_time_with_an_error() {
    let service = Service::new().await;
    let (_, key) = service.session(|session| session.insert("a", 1)).await;
    service.put(UNKNOWN, "v", Expiry::from_millis(0)).await;
    let folder = service.folder.clone().unwrap();
    let held: Vec<_> = std::fs::read_dir(folder.join("locks"))
        .unwrap()
        .map(|entry| {
            let file = std::fs::File::open(entry.unwrap().path()).unwrap();
            file.lock().unwrap();
            file
        })
        .collect();
    let began = std::time::Instant::now();
    let (refused, purged) = (service.run("remove", &[&key]), service.run("purge", &[]));
    let listed = service.run("list", &[]).ok();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert_ne!(refused.status, 0);
    for stderr in [refused.stderr, purged.stderr] {
        assert!(
            stderr.contains("another process holds the lock"),
            "{stderr}"
        );
    }
    assert_eq!(purged.stdout, "0\n");
    assert!(listed.contains(&key), "{listed}");
    drop(held);
    service.run("remove", &[&key]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_of_the_service_learns_that_the_program_has_ended_its_session() {
    let options = ServerOptions::new()
        .lifetime(Lifetime::new())
        .watch_interval(Duration::from_millis(20));
    let service = Service::with(&CodecOptions::new(), options).await;
    let ends: [fn(&Service, &str); 3] = [
        |service, key| drop(service.run_with_keys("end", &[key]).ok()),
        |service, key| drop(service.run("remove", &[key]).ok()),
        |service, _| drop(service.run("revoke", &["--owner", "ape"]).ok()),
    ];
    for end in ends {
        let (jar, key) = service.session(|session| session.login("ape")).await;
        let (kept, _) = service.session(|session| session.login("bonobo")).await;
        let session_of = async |jar: &Jar| jar.session(service.store.clone()).await.unwrap();
        let ended = tokio::spawn(session_of(&jar).await.ended());
        let kept = tokio::spawn(session_of(&kept).await.ended());
        end(&service, &key);
        let ended = tokio::time::timeout(MINUTE, ended).await;
        assert_eq!(ended.unwrap().unwrap(), SessionEnd::Ended);
        assert!(!kept.is_finished());
        kept.abort();
    }
}
