//! The command line.

use std::path::PathBuf;

use super::listen::USUAL_PORT;
use super::{Plan, Settings, Step, StoreName};

pub(crate) const HELP: &str = "\
Runs a shop in Go and in Rust, with the same sessions, behind one address.

Usage: cargo go-migration [--features postgres] [-- [PORT] [--store STORE] [--database URL] [--folder PATH]]
       cargo go-migration -- keys append|promote|drop [--folder PATH]
       cargo go-migration -- routes split|go|rust [--folder PATH]

PORT       The port on 127.0.0.1. Without it: 3000, or the next one that is free. 0: any free port.
--store    cookie: gorilla's CookieStore (the default)
           pgstore: gorilla's pgstore (--features postgres)
           scs: scs with postgresstore (--features postgres)
--database The PostgreSQL database of pgstore and scs: postgres://USER:PASSWORD@HOST/DATABASE. Without it:
           the variable DATABASE_URL, or else a private server, whose data is removed at the end.
--folder   The folder of the keys and routes. Without it: target/go_migration.

keys       Takes a step of a rotation, in a second terminal.
routes     Sends the paths below /rust to Rust and all others to Go (split), or all paths to one program.";

#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    Serve(Settings),
    Keys(PathBuf, Step),
    Routes(PathBuf, Plan),
}

/// Returns the command, or `None` if the arguments are not understood.
pub(crate) fn parse(given: impl IntoIterator<Item = String>) -> Option<Command> {
    let mut words = Vec::new();
    let mut folder = PathBuf::from("target/go_migration");
    let (mut store, mut database) = (StoreName::Cookie, None);
    let mut given = given.into_iter();
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--help" => return Some(Command::Help),
            "--folder" => folder = given.next()?.into(),
            "--store" => store = StoreName::of(&given.next()?)?,
            "--database" => database = Some(given.next()?),
            _ => words.push(argument),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let port = match words[..] {
        ["keys", step] => return Some(Command::Keys(folder, Step::of(step)?)),
        ["routes", plan] => return Some(Command::Routes(folder, Plan::of(plan)?)),
        [] => USUAL_PORT,
        [port] => port.parse().ok()?,
        _ => return None,
    };
    Some(Command::Serve(Settings {
        port,
        store,
        database,
        folder,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Option<Command> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_come_in_any_order() {
        let settings = |port, store, database: Option<&str>, folder: &str| {
            let (database, folder) = (database.map(str::to_owned), folder.into());
            Some(Command::Serve(Settings {
                port,
                store,
                database,
                folder,
            }))
        };
        let usual = settings(3000, StoreName::Cookie, None, "target/go_migration");
        assert_eq!(parsed(""), usual);
        let all = settings(8080, StoreName::Scs, Some("postgres://db"), "there");
        for line in [
            "8080 --store scs --database postgres://db --folder there",
            "--folder there --database postgres://db --store scs 8080",
        ] {
            assert_eq!(parsed(line), all, "{line}");
        }
        let keys = Command::Keys("there".into(), Step::Promote);
        assert_eq!(parsed("keys promote --folder there"), Some(keys));
        let routes = Command::Routes("target/go_migration".into(), Plan::Go);
        assert_eq!(parsed("routes go"), Some(routes));
    }

    #[test]
    fn other_arguments_are_not_understood() {
        for line in [
            "65536",
            "--store",
            "--store redis",
            "--port 80",
            "keys",
            "keys rotate",
            "routes both",
            "80 81",
        ] {
            assert_eq!(parsed(line), None, "{line}");
        }
    }
}
