//! `silverback completions` and `silverback man`: shells and man read what is printed.

use std::path::Path;
use std::process::Command;

use crate::program::{run, silverback};
use crate::required::not_run;

fn is_there(program: &str) -> bool {
    let tried = Command::new(program).arg("--version").output();
    if let Err(why) = &tried {
        not_run(program, &why.to_string());
    }
    tried.is_ok()
}

#[test]
fn each_shell_gets_a_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = silverback(["completions", shell], "").ok();
        for word in ["decode", "revoke", "keys-file"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    assert!(
        silverback(["completions", "x"], "")
            .fails(2)
            .contains("one of: bash")
    );
}

#[test]
fn bash_completes_commands_options_and_values() {
    if !is_there("bash") {
        return;
    }
    let script = silverback(["completions", "bash"], "").ok();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("silverback.bash");
    std::fs::write(&path, &script).unwrap();
    let mut check = Command::new("bash");
    check.arg("-n").arg(&path);
    assert_eq!(run(check, "").ok(), "");
    let complete = |words: &[&str]| {
        let ask = format!(
            "source {}; COMP_WORDS=({}); COMP_CWORD={}; _silverback silverback {:?} {:?}; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            path.display(),
            words.join(" "),
            words.len() - 1,
            words[words.len() - 1],
            words[words.len() - 2],
        );
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", &ask]);
        let printed = run(bash, "").ok();
        printed.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete(&["silverback", "dec"]), ["decode"]);
    assert_eq!(complete(&["silverback", "sessions", "rev"]), ["revoke"]);
    assert_eq!(
        complete(&["silverback", "decode", "--keys-f"]),
        ["--keys-file"]
    );
    let dialects = complete(&["silverback", "sessions", "list", "--dialect", "scs-p"]);
    assert_eq!(dialects, ["scs-postgresstore"]);
}

#[test]
fn man_reads_a_page_for_each_command() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("man pages");
    let _ = std::fs::remove_dir_all(&folder);
    silverback([std::ffi::OsStr::new("man"), folder.as_os_str()], "").ok();
    let pages = std::fs::read_dir(&folder)
        .unwrap()
        .map(|page| page.unwrap().path());
    let pages: Vec<_> = pages.collect();
    let names: Vec<String> = pages
        .iter()
        .map(|page| page.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    for name in [
        "silverback.1",
        "silverback-decode.1",
        "silverback-sessions-revoke.1",
    ] {
        assert!(names.iter().any(|of| of == name), "{names:?}");
    }
    assert!(pages.len() >= 18, "{names:?}");
    let one = silverback(["man"], "").ok();
    assert_eq!(
        one,
        std::fs::read_to_string(folder.join("silverback.1")).unwrap()
    );
    for page in &pages {
        let text = std::fs::read_to_string(page).unwrap();
        // The man page of a command has its name, its options and its examples.
        for part in [
            ".TH silverback",
            ".SH NAME",
            ".SH SYNOPSIS",
            ".SH DESCRIPTION",
        ] {
            assert!(text.contains(part), "{}: {part}", page.display());
        }
    }
    if !is_there("groff") {
        return;
    }
    for page in &pages {
        let mut groff = Command::new("groff");
        groff.args(["-man", "-Tutf8", "-ww", "-z"]).arg(page);
        let checked = run(groff, "");
        assert_eq!(
            (checked.status, &*checked.stderr),
            (0, ""),
            "{}",
            page.display()
        );
    }
}
