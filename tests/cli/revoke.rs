//! `silverback sessions revoke`: ends exactly the selected sessions, also while others begin.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};
use silverback::backend::{Expiry, Key};
use silverback::codec::{CodecOptions, KeyPairs, UnixTime};
use silverback::session::testing::Jar;
use silverback::session::{CookieStore, Lifetime, ServerOptions};

use crate::program::{KEYS, OTHER, Run, command, run, silverback};
use crate::required::not_run;
use crate::sessions::Service;

const HOUR: Duration = Duration::from_secs(3_600);

fn json_of(run: Run) -> Json {
    serde_json::from_str(&run.ok()).unwrap()
}

fn counts(ended: u64, later: u64) -> Json {
    json!({"dry_run": false, "ended": ended, "later": later, "failed": 0})
}

/// Runs `sessions revoke --json` with the service's keys, without waiting for late requests.
fn revoke(service: &Service, arguments: &[&str]) -> Run {
    let fixed = ["--json", "--yes", "--wait", "0s"];
    service.run_with_keys("revoke", &[&fixed, arguments].concat())
}

/// Returns a service over the same store, whose clock is that much behind.
async fn behind(service: &Service, time: Duration) -> Service {
    let options = ServerOptions::new()
        .lifetime(Lifetime::new())
        .clock(move || UnixTime::now() - time);
    Service::at(service.url.clone(), &CodecOptions::new(), options).await
}

async fn logins(service: &Service, owner: &str, count: usize) -> Vec<Jar> {
    let mut jars = Vec::new();
    for _ in 0..count {
        jars.push(service.session(|session| session.login(owner)).await.0);
    }
    jars
}

async fn live(service: &Service, jars: &[Jar]) -> usize {
    let mut live = 0;
    for jar in jars {
        live += usize::from(!service.is_gone(jar).await);
    }
    live
}

/// Ends sessions by owner, by date and all of them, and looks at each session after each step.
async fn exactly_the_selected_sessions_end(service: &Service) {
    let old = behind(service, HOUR / 4).await;
    let old_apes = logins(&old, "ape", 2).await;
    let old_others = logins(&old, "other", 3).await;
    let apes = logins(service, "ape", 3).await;
    let others = logins(service, "other", 4).await;
    let (anonymous, key) = service.session(|session| session.insert("n", 1)).await;
    let anonymous = [anonymous];
    let state = async || {
        let sets = [
            &old_apes,
            &old_others,
            &apes,
            &others,
            &anonymous[..].to_vec(),
        ];
        let mut state = Vec::new();
        for set in sets {
            state.push(live(service, set).await);
        }
        state
    };
    assert_eq!(state().await, [2, 3, 3, 4, 1]);

    let dry = json_of(revoke(service, &["--all", "--dry-run"]));
    assert_eq!(
        dry,
        json!({"dry_run": true, "ended": 13, "later": 0, "failed": 0})
    );
    let dry = json_of(revoke(service, &["--before", "10m", "--dry-run"]));
    assert_eq!(
        dry,
        json!({"dry_run": true, "ended": 5, "later": 8, "failed": 0})
    );
    assert_eq!(state().await, [2, 3, 3, 4, 1]);

    let of_ape = ["--owner", "ape", "--before", "10m"];
    assert_eq!(json_of(revoke(service, &of_ape)), counts(2, 3));
    assert_eq!(state().await, [0, 3, 3, 4, 1]);
    assert_eq!(json_of(revoke(service, &of_ape)), counts(0, 3));

    assert_eq!(json_of(revoke(service, &["--before", "10m"])), counts(3, 8));
    assert_eq!(state().await, [0, 0, 3, 4, 1]);
    assert_eq!(json_of(revoke(service, &["--before", "10m"])), counts(0, 8));

    // All sessions of an owner end in one step, without the keys.
    let of_ape = ["--owner", "ape", "--json"];
    let dry = [&of_ape[..], &["--dry-run"]].concat();
    assert_eq!(json_of(service.run("revoke", &dry))["ended"], 3);
    assert_eq!(json_of(service.run("revoke", &of_ape)), counts(3, 0));
    assert_eq!(state().await, [0, 0, 0, 4, 1]);
    assert_eq!(json_of(service.run("revoke", &of_ape)), counts(0, 0));
    let again = logins(service, "ape", 1).await;
    assert_eq!(
        live(service, &again).await,
        1,
        "a later login is another generation"
    );

    assert_eq!(json_of(revoke(service, &["--all"])), counts(6, 0));
    assert_eq!(state().await, [0, 0, 0, 0, 0]);
    assert_eq!(live(service, &again).await, 0);
    assert_eq!(json_of(revoke(service, &["--all"])), counts(0, 0));
    let tombstone = service.backend().load(&Key::new(&*key).unwrap()).await;
    assert!(tombstone.unwrap().is_some(), "it ended as by a logout");
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_selected_sessions_end_in_files() {
    exactly_the_selected_sessions_end(&Service::new().await).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_selected_sessions_end_in_sqlite() {
    let service = in_sqlite("revoke").await;
    exactly_the_selected_sessions_end(&service).await;
}

/// Returns a service with a new SQLite database.
#[cfg(feature = "sqlite")]
async fn in_sqlite(name: &str) -> Service {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.db"));
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
    let (codec, options) = (CodecOptions::new(), ServerOptions::new());
    let url = format!("sqlite:{}", path.display());
    Service::at(url, &codec, options.lifetime(Lifetime::new())).await
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_selected_sessions_end_in_redis() {
    let server = match crate::servers::redis::RedisServer::start(&[]) {
        Ok(server) => server,
        Err(why) => return not_run("redis", &why),
    };
    let options = ServerOptions::new().lifetime(Lifetime::new());
    let service = Service::at(server.url(), &CodecOptions::new(), options).await;
    exactly_the_selected_sessions_end(&service).await;
    // The owner's record of a revocation expires, too.
    service.run("revoke", &["--owner", "stranger"]).ok();
    let immortal = "local n = 0 for _, key in ipairs(redis.call('KEYS', '*')) do \
                    if redis.call('TTL', key) == -1 then n = n + 1 end end return n";
    let immortal = server.command(&format!("EVAL \"{immortal}\" 0"));
    assert_eq!(immortal.unwrap().trim(), ":0");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_in_cookies_end_with_their_owner() {
    let service = Service::new().await;
    let keys = KEYS.parse::<KeyPairs>().unwrap();
    let store = CookieStore::new(keys)
        .unwrap()
        .revocable_in(service.backend().clone());
    let store = store.unwrap();
    let login = async |owner: &str| {
        let jar = Jar::with(store.clone(), |session| session.login(owner)).await;
        jar.unwrap()
    };
    let is_new = async |jar: &Jar| jar.session(store.clone()).await.unwrap().is_new();
    let (ape, other) = (login("ape").await, login("other").await);
    assert_eq!((is_new(&ape).await, is_new(&other).await), (false, false));
    let revoked = json_of(service.run("revoke", &["--owner", "ape", "--json"]));
    assert_eq!(revoked, counts(0, 0));
    assert_eq!((is_new(&ape).await, is_new(&other).await), (true, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_keys_do_not_open_stays_and_is_named() {
    let service = Service::new().await;
    let jars = logins(&service, "ape", 13).await;
    let wrong = [
        "--keys",
        OTHER,
        "--name",
        "__Host-id",
        "--all",
        "--yes",
        "--wait",
        "0s",
        "--json",
    ];
    let refused = service.run("revoke", &wrong);
    assert_eq!(refused.status, 1);
    let printed: Json = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(
        printed,
        json!({"dry_run": false, "ended": 0, "later": 0, "failed": 13})
    );
    assert_eq!(refused.stderr.lines().count(), 10, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("the keys, --name, --store-name"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains(OTHER));
    assert_eq!(live(&service, &jars).await, 13);
}

/// Counts sessions that begin, move and are saved late during a run.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_during_the_run_is_ended_or_newer() {
    let service = Arc::new(Service::new().await);
    let slow = behind(&service, Duration::from_secs(30)).await;
    let mut moving = logins(&service, "ape", 300).await;
    let began = UnixTime::now();
    let (run, stop) = (service.clone(), Arc::new(AtomicBool::new(false)));
    let run = tokio::task::spawn_blocking(move || {
        run.run_with_keys("revoke", &["--all", "--yes", "--json", "--wait", "8s"])
    });
    let (of, stopped) = (service.clone(), stop.clone());
    let new = tokio::spawn(async move {
        let mut jars = Vec::new();
        while !stopped.load(Ordering::Relaxed) {
            jars.extend(logins(&of, "new", 1).await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        jars
    });
    // Sessions move to other keys, before and behind the place that is read.
    for jar in &mut moving {
        let sessions = jar.sessions(service.store.clone());
        let renewed = sessions.session().await.unwrap().renew();
        if let (Ok(()), Ok(Some(fields))) = (renewed, sessions.finish().await) {
            jar.receive_all(fields.set_cookies());
        }
    }
    // A request that has logged in before the run saves its session during the run.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let late = logins(&slow, "late", 1).await;
    let counted = json_of(run.await.unwrap());
    stop.store(true, Ordering::Relaxed);
    let new = new.await.unwrap();

    assert_eq!(live(&service, &late).await, 0, "{counted}");
    let mut newer = 0;
    for jar in moving.iter().chain(&new) {
        let session = jar.session(service.store.clone()).await.unwrap();
        let Some(id) = session.id().filter(|_| !session.is_new()) else {
            continue;
        };
        let key = Key::new(id.as_str()).unwrap();
        let found = service.store.find(&key).await.unwrap().found().unwrap();
        // A renewal of an anonymous browser is a new session.
        assert!(found.created() > began, "{} {began}", found.created());
        newer += 1;
    }
    assert!(
        newer > 0 && counted["ended"].as_u64().unwrap() >= 301,
        "{newer} {counted}"
    );
    let second = json_of(revoke(
        &service,
        &["--before", &(began + Duration::from_secs(1)).to_string()],
    ));
    assert_eq!(second["ended"], 0, "{second}");
}

/// Ends 10,000 sessions of 4 KB, and samples the memory of the program.
async fn ten_thousand_sessions_end(service: &Service) {
    let filling = "x".repeat(4_000);
    let fill = async |count: usize| {
        for _ in 0..count / 20 {
            let sessions = (0..20).map(|_| {
                let (store, filling) = (service.store.clone(), filling.clone());
                tokio::spawn(async move {
                    Jar::with(store, |session| session.insert("filling", filling))
                        .await
                        .unwrap();
                })
            });
            for session in sessions.collect::<Vec<_>>() {
                session.await.unwrap();
            }
        }
    };
    let peak_of_run = async |expected: u64| {
        let url = service.url.clone();
        tokio::task::spawn_blocking(move || {
            let keys = [
                "--keys",
                KEYS,
                "--name",
                "__Host-id",
                "--all",
                "--yes",
                "--json",
            ];
            let before = ["sessions", "revoke", "--store", &url, "--wait", "0s"];
            let mut program = command(before.iter().chain(&keys));
            let mut child = program
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            let status = format!("/proc/{}/status", child.id());
            let mut peak = 0;
            while child.try_wait().unwrap().is_none() {
                let status = std::fs::read_to_string(&status).unwrap_or_default();
                let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let size = line.and_then(|line| line.trim().strip_suffix(" kB"));
                peak = peak.max(size.and_then(|size| size.parse().ok()).unwrap_or(0));
                std::thread::sleep(Duration::from_millis(5));
            }
            let printed = child.wait_with_output().unwrap().stdout;
            let printed: Json = serde_json::from_slice(&printed).unwrap();
            assert_eq!(printed, counts(expected, 0));
            peak
        })
        .await
        .unwrap()
    };
    fill(500).await;
    let few: u64 = peak_of_run(500).await;
    fill(10_000).await;
    let many = peak_of_run(10_000).await;
    // The rows have 54 MB.
    eprintln!("peaks of {} kB and {} kB", few, many);
    if cfg!(target_os = "linux") {
        assert!(few > 0 && many < few + 16_000, "{few} kB, then {many} kB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_sessions_end_in_bounded_memory_in_files() {
    ten_thousand_sessions_end(&Service::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_use_ends_nothing() {
    let service = Service::new().await;
    let jars = logins(&service, "ape", 1).await;
    service.put("other", "v", Expiry::NEVER).await;
    for (arguments, expected) in [
        (
            &["--name", "id"][..],
            "--owner <NAME>|--all|--before <TIME>",
        ),
        (&["--all", "--owner", "ape"], "cannot be used with"),
        (&["--all", "--name", "id"], "--yes"),
        (&["--before", "1h", "--name", "id"], "--yes"),
        (&["--before", "9999-01-01", "--yes"], "in the future"),
        (&["--before", "yesterday", "--yes"], "an age such as 2h"),
        (&["--all", "--yes"], "--name"),
        (&["--all", "--yes", "--name", "id"], "no keys are given"),
        (&["--owner", ""], "owner"),
        (
            &["--owner", "ape", "--dialect", "scs-sqlite3store"],
            "have no owners",
        ),
    ] {
        let error = service.run("revoke", arguments).fails(2);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
    assert_eq!(live(&service, &jars).await, 1);
}

/// Runs the program on a terminal.
#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_is_asked_before_all_sessions_end() {
    let service = Service::new().await;
    let jars = logins(&service, "ape", 2).await;
    let program = env!("CARGO_BIN_EXE_silverback");
    let line = format!(
        "{program} sessions revoke --all --wait 0s --keys {KEYS} --name __Host-id --store {}",
        service.url
    );
    let answer = |answer: &str| {
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]);
        run(script, answer)
    };
    if Command::new("script").arg("--version").output().is_err() {
        return not_run("script", "it is part of util-linux");
    }
    let refused = answer("no\n");
    assert!(
        refused.stdout.contains("no session was ended"),
        "{}",
        refused.stdout
    );
    assert_eq!((refused.status, live(&service, &jars).await), (2, 2));
    let ended = answer("yes\n");
    assert!(
        ended.stdout.contains("Type yes to go on: "),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("ended: 2"), "{}", ended.stdout);
    assert_eq!((ended.status, live(&service, &jars).await), (0, 0));
}

#[cfg(all(feature = "sqlite", feature = "mysql"))]
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_go_programs_have_no_date_and_no_owner() {
    use crate::go_rows::Vectors;

    let vectors = Vectors::of("scs-sqlite3store");
    let is_live = |row: &&Json| !row["want"].is_null() && row["deadline"].as_str() > Some("2030");
    let rows: Vec<&Json> = vectors.rows.iter().filter(is_live).collect();
    let path = vectors
        .database("revoke", &rows, "expiry = expiry + ?1")
        .await;
    let url = format!("sqlite:{}", path.display());
    let fixed = [
        "sessions",
        "revoke",
        "--store",
        &url,
        "--dialect",
        "scs-sqlite3store",
        "--yes",
        "--json",
        "--wait",
        "0s",
    ];
    let revoke = |arguments: &[&str]| silverback(fixed.iter().chain(arguments), "");
    let all = rows.len() as u64;
    assert!(all > 10);
    assert_eq!(json_of(revoke(&["--before", "1s"])), counts(0, all));
    assert!(
        revoke(&["--owner", "ape"])
            .fails(2)
            .contains("have no owners")
    );
    assert_eq!(json_of(revoke(&["--all"])), counts(all, 0));
    assert_eq!(json_of(revoke(&["--all"])), counts(0, 0));
}

#[cfg(all(feature = "memcached", feature = "redis"))]
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_list_ends_the_sessions_of_an_owner() {
    let server = match crate::servers::memcached::MemcachedServer::start(&[]) {
        Ok(server) => server,
        Err(why) => return not_run("memcached", &why),
    };
    let options = ServerOptions::new().lifetime(Lifetime::new());
    let service = Service::at(server.url(), &CodecOptions::new(), options).await;
    let (apes, others) = (
        logins(&service, "ape", 2).await,
        logins(&service, "other", 1).await,
    );
    let refused = service
        .run_with_keys("revoke", &["--all", "--yes"])
        .fails(2);
    assert!(refused.contains("another store name"), "{refused}");
    let counted = json_of(service.run("revoke", &["--owner", "ape", "--json"]));
    assert_eq!(counted["ended"], Json::Null);
    assert_eq!(
        (live(&service, &apes).await, live(&service, &others).await),
        (0, 1)
    );
}
