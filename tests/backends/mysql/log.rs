//! The server's log of the statements that it has received.

use super::super::servers::mariadb::MariaDbServer;

/// A command of the log, in the server's words.
#[derive(Debug)]
pub(super) struct Command {
    /// `Prepare`, `Execute` or `Query`: one round trip each.
    pub(super) kind: String,
    pub(super) text: String,
}

impl Command {
    /// Returns the statements that read or change rows. A text may have several.
    pub(super) fn statements(&self) -> impl Iterator<Item = &str> {
        let runs = ["Execute", "Query"].contains(&self.kind.as_str());
        let all = self.text.split("; ").filter(move |_| runs);
        all.filter(|statement| {
            let mut kinds = ["SELECT ", "UPDATE ", "DELETE "].into_iter();
            kinds.any(|kind| statement.starts_with(kind)) && statement.contains(" WHERE ")
        })
    }
}

/// Returns the length of the log.
pub(super) fn length(server: &MariaDbServer) -> usize {
    server.statements().len()
}

/// Returns the commands from that place of the log on, of the connections to that database.
pub(super) fn commands(server: &MariaDbServer, database: &str, from: usize) -> Vec<Command> {
    let log = server.statements();
    let connected = format!(" on {database} using ");
    let entries = log.lines().filter_map(entry);
    let connects =
        entries.filter(|(_, kind, text)| *kind == "Connect" && text.contains(&connected));
    let ours: Vec<u64> = connects.map(|(connection, ..)| connection).collect();
    let new = log
        .get(from..)
        .unwrap_or_default()
        .lines()
        .filter_map(entry);
    let new = new.filter(|(connection, kind, _)| {
        ours.contains(connection) && ["Prepare", "Execute", "Query"].contains(kind)
    });
    let commands = new.map(|(_, kind, text)| Command {
        kind: kind.to_owned(),
        text: text.to_owned(),
    });
    commands.collect()
}

/// Returns the connection, the command and its text. A line begins with the time, or with tabs.
fn entry(line: &str) -> Option<(u64, &str, &str)> {
    let (_, rest) = line.split_once('\t')?;
    let (before, text) = rest.trim_start_matches('\t').split_once('\t')?;
    let (connection, kind) = before.trim_start().split_once(' ')?;
    Some((connection.parse().ok()?, kind, text))
}
