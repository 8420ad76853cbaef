//! The file that says which program answers a path.

use std::error::Error;
use std::path::Path;

pub(crate) const FILE: &str = "routes";

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Program {
    Go,
    Rust,
}

/// A stage of the move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Plan {
    /// The paths below `/rust` have moved.
    Split,
    /// No path has moved, or all have moved back.
    Go,
    /// All paths have moved.
    Rust,
}

impl Plan {
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name {
            "split" => Some(Plan::Split),
            "go" => Some(Plan::Go),
            "rust" => Some(Plan::Rust),
            _ => None,
        }
    }

    fn lines(self) -> &'static str {
        match self {
            Plan::Split => "/rust rust\n/ go\n",
            Plan::Go => "/ go\n",
            Plan::Rust => "/ rust\n",
        }
    }

    fn effect(self) -> &'static str {
        match self {
            Plan::Split => "Rust answers the paths below /rust, and Go all others.",
            Plan::Go => "Go answers all paths.",
            Plan::Rust => "Rust answers all paths.",
        }
    }
}

/// Replaces the file, and returns the effect.
pub(crate) fn write(path: &Path, plan: Plan) -> Result<&'static str, Box<dyn Error>> {
    let head = "# The proxy reads this file at each request. The first prefix that fits decides.\n";
    // The proxy may read the file at any time, so it is replaced as a whole.
    let new = path.with_extension("new");
    std::fs::write(&new, format!("{head}{}", plan.lines()))?;
    std::fs::rename(&new, path)?;
    Ok(plan.effect())
}

/// Prefixes of paths, each with the program that answers the paths below it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Routes {
    prefixes: Vec<(String, Program)>,
    /// The program of the line `/`, which must be the last one.
    rest: Program,
}

impl Routes {
    pub(crate) fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut prefixes = lines.map(line).collect::<Result<Vec<_>, _>>()?;
        match prefixes.pop() {
            Some((prefix, rest)) if prefix.is_empty() => Ok(Routes { prefixes, rest }),
            _ => Err("the last line must be `/ go` or `/ rust`".into()),
        }
    }

    /// Returns the program for a path, or `None` if a program could read the path in another way than
    /// the prefixes do: with an encoded letter, as in `/%72ust`, or with empty or dotted parts.
    pub(crate) fn program(&self, path: &str) -> Option<Program> {
        let mut parts = path.trim_end_matches('/').split('/').skip(1);
        if parts.any(|part| part.contains('%') || ["", ".", ".."].contains(&part)) {
            return None;
        }
        let fits = |prefix: &str| {
            let rest = path.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let found = self.prefixes.iter().find(|(prefix, _)| fits(prefix));
        Some(found.map_or(self.rest, |(_, program)| *program))
    }
}

/// Reads `PREFIX PROGRAM`. The prefix `/` becomes an empty text.
fn line(line: &str) -> Result<(String, Program), Box<dyn Error>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let program = match words[..] {
        [_, "go"] => Program::Go,
        [_, "rust"] => Program::Rust,
        _ => return Err(format!("the line {line:?} is not `PREFIX go` or `PREFIX rust`").into()),
    };
    Ok((words[0].trim_end_matches('/').to_owned(), program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_a_slash() {
        let routes = Routes::parse(Plan::Split.lines()).unwrap();
        for path in ["/rust", "/rust/", "/rust/cart"] {
            assert_eq!(routes.program(path), Some(Program::Rust), "{path}");
        }
        for path in ["/", "/go/", "/rustic", "/go/rust/"] {
            assert_eq!(routes.program(path), Some(Program::Go), "{path}");
        }
    }

    /// Go's and axum's routers decode a path, and Go's cleans it.
    #[test]
    fn a_path_that_the_programs_read_differently_is_refused() {
        let routes = Routes::parse(Plan::Split.lines()).unwrap();
        for path in ["/%72ust/", "/go/../rust/", "/./rust", "//rust/", "/go//x"] {
            assert_eq!(routes.program(path), None, "{path}");
        }
    }

    #[test]
    fn the_first_line_that_fits_decides() {
        let routes = Routes::parse("/rust/old go\n\n# moved\n/rust/ rust\n/ go").unwrap();
        assert_eq!(routes.program("/rust/old/1"), Some(Program::Go));
        assert_eq!(routes.program("/rust/new"), Some(Program::Rust));
    }

    #[test]
    fn a_file_without_a_route_for_each_path_is_refused() {
        for text in ["", "/rust rust", "/ go\n/rust rust", "/ php", "/rust"] {
            assert!(Routes::parse(text).is_err(), "{text}");
        }
    }
}
