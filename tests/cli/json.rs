//! The shapes of `--json`: those of the guide, for each command.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::program::{KEYS, Run, silverback};
use crate::sessions::Service;

const PAGE: &str = include_str!("../../src/guide/program.md");

/// Returns the fields that the guide's table lists for a command.
fn documented(command: &str) -> BTreeSet<String> {
    let start = format!("| `{command}` |");
    let row = PAGE.lines().find(|line| line.starts_with(&start));
    let row = row.unwrap_or_else(|| panic!("{command} has no row"));
    let fields = row.split('|').nth(2).unwrap().split('`');
    fields.skip(1).step_by(2).map(str::to_owned).collect()
}

#[track_caller]
fn has_shape(command: &str, line: &str) -> Json {
    let object: Json = serde_json::from_str(line).unwrap();
    let fields: BTreeSet<String> = object.as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, documented(command), "{command}: {line}");
    object
}

#[track_caller]
fn one_object(command: &str, run: Run) -> Json {
    let printed = run.ok();
    assert_eq!(printed.lines().count(), 1, "{printed}");
    has_shape(command, &printed)
}

#[test]
fn commands_for_cookies_print_the_documented_fields() {
    let with_keys = |command: &str, arguments: &[&str], input: &str| {
        let fixed = [command, "--json", "--keys", KEYS, "--name", "sid"];
        silverback(fixed.iter().chain(arguments), input)
    };
    let pairs = one_object(
        "keygen",
        silverback(["keygen", "--json", "--pairs", "2"], ""),
    );
    assert_eq!(pairs["pairs"].as_array().unwrap().len(), 2);
    let sealed = one_object("encode", with_keys("encode", &[], "{\"n\": 7}"));
    let cookie = sealed["cookie"].as_str().unwrap();
    let opened = one_object("decode", with_keys("decode", &[cookie], ""));
    assert_eq!(
        (&opened["value"]["n"], &opened["key"]),
        (&7.into(), &1.into())
    );
    let types = with_keys("decode", &["--types", cookie], "").ok();
    assert_eq!(
        serde_json::from_str::<Json>(&types).unwrap()["types"][0],
        "int"
    );
    let inspected = one_object("inspect", silverback(["inspect", "--json", cookie], ""));
    assert_eq!(inspected["mac"]["bytes"], 32);
    let explained = one_object("why", with_keys("why", &[cookie], ""));
    assert_eq!(explained["opens"], true);
    let refused = with_keys("why", &["nonsense"], "");
    assert_eq!(refused.status, 1);
    assert_eq!(has_shape("why", &refused.stdout)["opens"], false);
    one_object("reseal", with_keys("reseal", &[cookie], ""));
    one_object("edit", with_keys("edit", &["--set", "n=8", cookie], ""));
    // A refused cookie has a shape of its own, alone and among others.
    for command in ["decode", "reseal", "edit"] {
        let one = with_keys(command, &["nonsense"], "");
        assert_eq!(
            (one.status, &*one.stdout),
            (1, "{\"refused\":\"not valid\"}\n")
        );
        let many = with_keys(command, &["-"], &format!("nonsense\n{cookie}\n"));
        let lines: Vec<&str> = many.stdout.lines().collect();
        assert_eq!((many.status, lines[0]), (1, "{\"refused\":\"not valid\"}"));
        has_shape(command, lines[1]);
    }
}

#[test]
fn commands_for_keys_print_the_documented_fields() {
    let folder = crate::scratch::Scratch::new("SILVERBACK_CLI_FOLDER");
    let path = folder.path().join("keys");
    let path = path.to_str().unwrap();
    let run = |step: &str, options: &[&str]| {
        let fixed = ["keys", step, path, "--json"];
        let printed = silverback(fixed.iter().chain(options), "");
        one_object(&format!("keys {step}"), printed)
    };
    run("add", &[]);
    run("add", &[]);
    run("promote", &["--deployed"]);
    run("retire", &["--wait", "0s", "--max-age", "0s"]);
    let status = run("status", &[]);
    assert_eq!(status["pairs"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_for_sessions_print_the_documented_fields() {
    let service = Service::new().await;
    let (_, key) = service.session(|session| session.login("ape")).await;
    let (_, other) = service.session(|session| session.insert("n", 1)).await;
    let listed = service.run("list", &["--json", "--owner", "ape"]);
    one_object("sessions list", listed);
    one_object(
        "sessions show",
        service.run_with_keys("show", &["--json", &key]),
    );
    let ended = one_object(
        "sessions end",
        service.run_with_keys("end", &["--json", &key]),
    );
    assert_eq!(
        (&ended["key"], &ended["ended"]),
        (&Json::from(&*key), &true.into())
    );
    let again = service.run_with_keys("end", &["--json", &key]);
    let printed = has_shape("sessions end", &again.stdout);
    assert_eq!((again.status, &printed["ended"]), (1, &false.into()));
    assert_eq!(printed["reason"], "there is no such session");
    let removed = service.run("remove", &["--json", &other]);
    assert_eq!(one_object("sessions remove", removed)["removed"], true);
    let missing = service.run("remove", &["--json", &other]);
    let printed = has_shape("sessions remove", &missing.stdout);
    assert_eq!((missing.status, &printed["removed"]), (1, &false.into()));
    one_object("sessions purge", service.run("purge", &["--json"]));
    one_object(
        "sessions revoke",
        service.run("revoke", &["--json", "--owner", "ape"]),
    );
    let to = Service::new().await;
    let migrate = [
        "sessions",
        "migrate",
        "--json",
        "--keys",
        KEYS,
        "--name",
        "__Host-id",
        "--from",
        &service.url,
        "--to",
        &to.url,
    ];
    one_object("sessions migrate", silverback(migrate, ""));
}
