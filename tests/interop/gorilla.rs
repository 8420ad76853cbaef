//! The Go program, built once, which answers one question in each line.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::cases::Case;
use crate::required::not_run;

/// A running Go program, which ends with its standard input.
pub(crate) struct Gorilla {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Gorilla {
    /// Starts the program, or returns `None` after a message if there is no `go` and it is not
    /// required.
    pub(crate) fn start() -> Option<Self> {
        Gorilla::start_in_zone("UTC")
    }

    /// Starts the program in a time zone.
    pub(crate) fn start_in_zone(zone: &str) -> Option<Self> {
        Gorilla::run("interop", ".", &[], zone)
    }

    /// Starts the program without types of its own: only the packages register types.
    pub(crate) fn start_stock() -> Option<Self> {
        Gorilla::run("interop", ".", &["stock"], "UTC")
    }

    /// Starts a program with scs alone, which registers no types.
    pub(crate) fn start_stock_scs() -> Option<Self> {
        Gorilla::run("stock", "./stock", &[], "UTC")
    }

    /// Starts a program that decides with Go's own protection against other origins.
    pub(crate) fn start_cross_origin() -> Option<Self> {
        Gorilla::run("cross_origin", "./cross_origin", &[], "UTC")
    }

    fn run(name: &'static str, package: &str, arguments: &[&str], zone: &str) -> Option<Self> {
        static PROGRAMS: Mutex<BTreeMap<&str, Result<PathBuf, String>>> =
            Mutex::new(BTreeMap::new());
        let mut programs = PROGRAMS.lock().unwrap();
        let program = programs.entry(name).or_insert_with(|| build(name, package));
        let program = match program {
            Ok(program) => program.clone(),
            Err(why) => {
                not_run("go", why);
                return None;
            }
        };
        drop(programs);
        let mut child = Command::new(program)
            .args(arguments)
            .env("TZ", zone)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Some(Gorilla {
            child,
            questions,
            answers,
        })
    }

    /// Opens a cookie of Silverback with gorilla.
    pub(crate) fn open(&mut self, case: &Case, cookie: &str) -> Vec<u8> {
        let answer = self.ask("open", case, cookie);
        assert_eq!(answer.get("error"), None, "{case:?}: {cookie}");
        payload(&answer)
    }

    /// Expects gorilla to refuse a cookie.
    pub(crate) fn refuses(&mut self, case: &Case, cookie: &str) {
        let answer = self.ask("open", case, cookie);
        assert!(answer.get("error").is_some(), "{case:?}: {cookie}");
    }

    /// Seals a cookie with gorilla.
    pub(crate) fn seal(&mut self, case: &Case) -> String {
        let answer = self.ask("seal", case, "");
        assert_eq!(answer.get("error"), None, "{case:?}");
        answer["cookie"].as_str().unwrap().to_owned()
    }

    fn ask(&mut self, op: &str, case: &Case, cookie: &str) -> Value {
        self.send(&json!({
            "op": op,
            "hash_key": base16ct::lower::encode_string(&case.hash_key),
            "block_key": base16ct::lower::encode_string(&case.block_key),
            "hash": case.hash,
            "serializer": case.serializer,
            "name": case.name,
            "cookie": cookie,
            "payload": base16ct::lower::encode_string(&case.payload),
        }))
    }

    /// Sends a question, and returns the answer, which must be no error.
    pub(crate) fn must(&mut self, question: &Value) -> Value {
        let answer = self.send(question);
        assert_eq!(answer.get("error"), None, "{question}");
        answer
    }

    /// Sends a question, and returns the answer, which may be an error.
    pub(crate) fn send(&mut self, question: &Value) -> Value {
        writeln!(self.questions.as_mut().unwrap(), "{question}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }
}

/// Returns the payload of an answer.
pub(crate) fn payload(answer: &Value) -> Vec<u8> {
    let payload = answer.get("payload").and_then(Value::as_str);
    base16ct::lower::decode_vec(payload.unwrap_or_default()).unwrap()
}

impl Drop for Gorilla {
    fn drop(&mut self) {
        drop(self.questions.take());
        let _ = self.child.wait();
    }
}

fn build(name: &str, package: &str) -> Result<PathBuf, String> {
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(package)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop"))
        .output()
        .map_err(|error| error.to_string())?;
    if !built.status.success() {
        return Err(String::from_utf8_lossy(&built.stderr).into_owned());
    }
    Ok(program)
}
