//! [`Pattern`]: a pattern of Go's ServeMux (net/http/pattern.go), and the order of two patterns.

use super::escapes::unescaped;
use super::path::is_clean;

/// A pattern, `[METHOD ][HOST]/[PATH]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) text: String,
    /// Empty: any method. GET includes HEAD.
    method: String,
    /// Empty: any host.
    host: String,
    /// At least one.
    segments: Vec<Segment>,
}

/// A part of a pattern's path between slashes. The order is that in which ServeMux tries them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    /// A text without escapes. `{$}`, the end after a slash, is the text `/`, as in Go.
    Literal(Vec<u8>),
    /// `{name}`: one segment.
    Any,
    /// `{name...}`, or a slash at the end: all segments from here on.
    Rest,
}

/// The key of `{$}`, and of the end of a path that ends with a slash.
const SLASH: &[u8] = b"/";

impl Pattern {
    /// Parses a pattern, or returns what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (method, rest) = match text.split_once([' ', '\t']) {
            Some((method, rest)) => (method, rest.trim_start_matches([' ', '\t'])),
            None => ("", text),
        };
        if !method.bytes().all(is_in_token) {
            return Err("its method is not a method");
        }
        let slash = rest
            .find('/')
            .ok_or("it has no path, which begins with a slash")?;
        let (host, path) = rest.split_at(slash);
        if host.contains('{') {
            return Err("its host has a wildcard");
        }
        if path.contains("//") {
            // Go accepts it without a method, and then lets the empty segment match any segment.
            return Err("it has an empty segment");
        }
        if !matches!(method, "" | "CONNECT") && !is_clean(path.as_bytes()) {
            return Err("it has a segment of dots, which no request has");
        }
        Ok(Pattern {
            text: text.to_owned(),
            method: method.to_owned(),
            host: host.to_owned(),
            segments: segments(path)?,
        })
    }

    /// Returns whether a request matches. The path is [escaped](super::path::escaped).
    pub(super) fn matches(&self, host: &[u8], method: &str, path: &[u8]) -> bool {
        let is_host = self.host.is_empty() || self.host.as_bytes() == host;
        let is_method = match &*self.method {
            "" => true,
            "GET" => matches!(method, "GET" | "HEAD"),
            own => own == method,
        };
        is_host && is_method && self.matches_path(path)
    }

    fn matches_path(&self, mut path: &[u8]) -> bool {
        for segment in &self.segments {
            let Some((name, rest)) = first_segment(path) else {
                return false;
            };
            let is_match = match segment {
                Segment::Rest => return true,
                Segment::Any => name != SLASH,
                Segment::Literal(text) => name == *text,
            };
            if !is_match {
                return false;
            }
            path = rest;
        }
        path.is_empty()
    }

    /// Returns the place of the pattern in the order in which ServeMux tries all that match one
    /// request (routing_tree.go): a host first, then a method, then the path from the left.
    pub(super) fn precedence(&self) -> impl Ord + use<> {
        let method = match &*self.method {
            "" => 2,
            "GET" => 1, // after HEAD, for a HEAD
            _ => 0,
        };
        (self.host.is_empty(), method, self.segments.clone())
    }

    /// Returns whether the pattern matches any number of further segments.
    pub(super) fn is_open(&self) -> bool {
        self.segments.last() == Some(&Segment::Rest)
    }

    /// Returns whether the pattern, which matches a path with a slash at its end, matches that path
    /// without a segment for its open end (`exactMatch` in server.go).
    pub(super) fn is_exact(&self, path: &[u8]) -> bool {
        let slashes = path.iter().filter(|byte| **byte == b'/').count();
        !self.is_open() || self.segments.len() == slashes
    }

    /// Returns whether some requests match both patterns, and neither pattern is more specific.
    pub(super) fn conflicts_with(&self, other: &Self) -> bool {
        let differences = || {
            let mut excess = self.excess_of_method(other)?;
            excess.add(self.excess_of_path(other)?);
            Some(excess)
        };
        self.host == other.host
            && differences().is_some_and(|excess| excess.of_self == excess.of_other)
    }

    /// Compares the methods. Returns `None` if no method matches both.
    fn excess_of_method(&self, other: &Self) -> Option<Excess> {
        match (&*self.method, &*other.method) {
            (own, others) if own == others => Some(Excess::NEITHER),
            ("", _) | ("GET", "HEAD") => Some(Excess::OF_SELF),
            (_, "") | ("HEAD", "GET") => Some(Excess::OF_OTHER),
            _ => None,
        }
    }

    /// Compares the paths. Returns `None` if no path matches both.
    fn excess_of_path(&self, other: &Self) -> Option<Excess> {
        let mut excess = Excess::NEITHER;
        for (own, others) in self.segments.iter().zip(&other.segments) {
            excess.add(own.excess(others)?);
        }
        match self.segments.len().cmp(&other.segments.len()) {
            std::cmp::Ordering::Equal => Some(excess),
            std::cmp::Ordering::Less => self.is_open().then(|| excess.with(Excess::OF_SELF)),
            std::cmp::Ordering::Greater => other.is_open().then(|| excess.with(Excess::OF_OTHER)),
        }
    }
}

/// Which of two patterns that have a request in common matches requests that the other one does not.
#[derive(Clone, Copy)]
struct Excess {
    of_self: bool,
    of_other: bool,
}

impl Excess {
    const NEITHER: Excess = Excess {
        of_self: false,
        of_other: false,
    };
    const OF_SELF: Excess = Excess {
        of_self: true,
        ..Excess::NEITHER
    };
    const OF_OTHER: Excess = Excess {
        of_other: true,
        ..Excess::NEITHER
    };

    fn add(&mut self, more: Excess) {
        self.of_self |= more.of_self;
        self.of_other |= more.of_other;
    }

    fn with(mut self, more: Excess) -> Self {
        self.add(more);
        self
    }
}

impl Segment {
    /// Compares two segments. Returns `None` if no segment matches both.
    fn excess(&self, other: &Self) -> Option<Excess> {
        let is_slash = |literal: &[u8]| literal == SLASH;
        match (self, other) {
            (Segment::Rest, Segment::Rest) | (Segment::Any, Segment::Any) => Some(Excess::NEITHER),
            (Segment::Rest, _) => Some(Excess::OF_SELF),
            (_, Segment::Rest) => Some(Excess::OF_OTHER),
            (Segment::Any, Segment::Literal(text)) => (!is_slash(text)).then_some(Excess::OF_SELF),
            (Segment::Literal(text), Segment::Any) => (!is_slash(text)).then_some(Excess::OF_OTHER),
            (Segment::Literal(own), Segment::Literal(others)) => {
                (own == others).then_some(Excess::NEITHER)
            }
        }
    }
}

/// Splits off the first segment, without escapes, and the rest. The slash at the end of a path is a
/// segment of its own. Returns `None` after the last segment.
fn first_segment(path: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    if path == SLASH {
        return Some((SLASH.to_vec(), &[]));
    }
    let path = path.strip_prefix(SLASH)?;
    let end = path.iter().position(|byte| *byte == b'/');
    let (name, rest) = path.split_at(end.unwrap_or(path.len()));
    Some((unescaped_or_same(name), rest))
}

fn unescaped_or_same(segment: &[u8]) -> Vec<u8> {
    unescaped(segment).unwrap_or_else(|| segment.to_vec())
}

/// Parses the path of a pattern.
fn segments(path: &str) -> Result<Vec<Segment>, &'static str> {
    let mut names = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    let mut segments = Vec::new();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        segments.push(segment(part, is_last, &mut names)?);
    }
    Ok(segments)
}

/// Parses one segment. `names` are those of the wildcards before it.
fn segment<'p>(
    part: &'p str,
    is_last: bool,
    names: &mut Vec<&'p str>,
) -> Result<Segment, &'static str> {
    if !part.contains('{') {
        return Ok(match part {
            "" => Segment::Rest,
            text => Segment::Literal(unescaped_or_same(text.as_bytes())),
        });
    }
    let name = part
        .strip_prefix('{')
        .and_then(|name| name.strip_suffix('}'));
    let name = name.ok_or("a wildcard is a whole segment, {name}")?;
    let (name, is_open) = match name.strip_suffix("...") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let is_end = name == "$" && !is_open;
    if (is_open || is_end) && !is_last {
        return Err("{name...} and {$} are possible only at the end");
    }
    if is_end {
        return Ok(Segment::Literal(SLASH.to_vec()));
    }
    if !is_name(name) {
        return Err("the name of a wildcard has ASCII letters, digits and underscores");
    }
    if names.contains(&name) {
        return Err("two wildcards have the same name");
    }
    names.push(name);
    Ok(if is_open { Segment::Rest } else { Segment::Any })
}

/// Returns whether a text is an identifier of ASCII characters. (Go also allows other letters.)
fn is_name(text: &str) -> bool {
    let begins_well = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    begins_well
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns whether a byte can be in a method (RFC 9110 section 5.6.2, token).
fn is_in_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
