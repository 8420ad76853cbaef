//! Random requests and configurations of the guard against requests of other origins: few words,
//! so that hosts, origins and patterns often fit, and nasty ones.

/// Random numbers: SplitMix64.
pub(crate) struct Dice(pub(crate) u64);

/// A request: the texts from which HTTP/1.1 is made.
#[derive(Clone, Debug)]
pub(crate) struct RandomRequest {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: Vec<(&'static str, String)>,
}

const METHODS: [&str; 18] = [
    "POST", "POST", "POST", "POST", "PUT", "DELETE", "PATCH", "GET", "HEAD", "OPTIONS", "CONNECT",
    "CONNECT", "TRACE", "get", "Post", "GETS", "M-SEARCH", "PROPFIND",
];
const HOSTS: [&str; 22] = [
    "example.com",
    "example.com",
    "example.com",
    "example.com:80",
    "example.com:8443",
    "Example.com",
    "example.com.",
    "example.com:",
    "localhost",
    "127.0.0.1:8080",
    "[::1]",
    "[::1]:8443",
    "::1",
    "[fe80::1%25en0]",
    "[fe80::1%25%41]:1",
    "[::ffff:1.2.3.4]",
    "[1.2.3.4]",
    "a:b:80",
    "a:1,b:2",
    "xn--bcher-kva.example",
    "b%C3%BCcher.example",
    "",
];
const SCHEMES: [&str; 14] = [
    "https://",
    "https://",
    "https://",
    "http://",
    "http://",
    "HTTP://",
    "//",
    "///",
    "",
    "https:",
    "app+x.y-z://",
    "1http://",
    "://",
    "postgres://",
];
const USERINFOS: [&str; 9] = [
    "",
    "",
    "",
    "",
    "",
    "user@",
    "us%zzer@",
    "user:pa%3ass@",
    "us er@",
];
const AFTER_HOSTS: [&str; 14] = [
    "",
    "",
    "",
    "",
    "",
    "",
    "/",
    "/path",
    "?",
    "?query",
    "#",
    "#fragment",
    "#%zz",
    "/%zz",
];
const SITES: [&str; 9] = [
    "same-origin",
    "none",
    "same-site",
    "cross-site",
    "cross-site",
    "Same-Origin",
    "",
    "none, cross-site",
    "null",
];
const SEGMENTS: [&str; 27] = [
    "a",
    "a",
    "a",
    "a",
    "b",
    "b",
    "b",
    "c",
    "c",
    "%61",
    "%2F",
    "%2f",
    ".",
    "..",
    "%2e%2E",
    "",
    "",
    "%zz",
    "\u{e9}",
    "%C3%A9",
    "%ff",
    "{x}",
    "*",
    "!",
    "\"",
    "[b]",
    "a;b@c:d,e=f",
];
const WILDCARDS: [&str; 17] = [
    "{x}", "{x}", "{x}", "{y}", "{y}", "{z}", "{x...}", "{y...}", "{$}", "{$}", "{", "{}", "{x}y",
    "y{x}", "{1}", "{_1}", "{$...}",
];
/// Characters that a mutation puts into a text.
const NASTY: [char; 20] = [
    ':', '/', '@', '[', ']', '%', '#', '?', '.', '-', '0', 'a', 'A', '*', '{', '}', '\u{e9}', ',',
    ' ', '<',
];

impl Dice {
    /// Returns a number below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % sides
    }

    /// Returns true one time of `sides`.
    pub(crate) fn is_one_of(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    fn of(&mut self, words: &[&str]) -> String {
        words[self.roll(words.len())].to_owned()
    }

    /// Changes a text in one place, one time of eight.
    fn mutated(&mut self, text: String) -> String {
        if !self.is_one_of(8) {
            return text;
        }
        let mut chars: Vec<char> = text.chars().collect();
        let place = self.roll(chars.len() + 1);
        let nasty = NASTY[self.roll(NASTY.len())];
        match self.roll(3) {
            0 if place < chars.len() => drop(chars.remove(place)),
            1 if place < chars.len() => chars[place] = nasty,
            _ => chars.insert(place, nasty),
        }
        chars.into_iter().collect()
    }

    fn host(&mut self) -> String {
        let host = self.of(&HOSTS);
        self.mutated(host)
    }

    /// Returns an Origin, half of the time of this host.
    pub(crate) fn origin(&mut self, host: &str) -> String {
        if self.is_one_of(12) {
            return self.of(&["null", "", "*", "mailto:a@example.com", "https://"]);
        }
        let host = match self.roll(2) {
            0 => host.to_owned(),
            _ => self.of(&HOSTS),
        };
        let (scheme, userinfo) = (self.of(&SCHEMES), self.of(&USERINFOS));
        let origin = format!("{scheme}{userinfo}{host}{}", self.of(&AFTER_HOSTS));
        self.mutated(origin)
    }

    fn path(&mut self) -> String {
        let segments = (0..self.roll(4)).map(|_| format!("/{}", self.of(&SEGMENTS)));
        let path: String = segments.collect();
        let slash = if path.is_empty() || self.is_one_of(3) {
            "/"
        } else {
            ""
        };
        self.mutated(path + slash)
    }

    fn target(&mut self) -> String {
        let query = self.of(&["", "", "", "?query", "?", "?a?b", "?%zz"]);
        match self.roll(20) {
            0 => "*".to_owned(),
            1 => self.host(),
            2 | 3 => format!("http://{}{}{query}", self.host(), self.path()),
            4 => format!(
                "{}{}{}{query}",
                self.of(&SCHEMES),
                self.of(&USERINFOS),
                self.host()
            ),
            _ => self.path() + &query,
        }
    }

    pub(crate) fn request(&mut self) -> RandomRequest {
        let host = self.host();
        let mut fields = vec![("Host", host.clone())];
        if self.is_one_of(30) {
            fields.clear();
        }
        for _ in 0..self.roll(5).min(2) {
            fields.push(("Origin", self.origin(&host)));
        }
        for _ in 0..self.roll(4).saturating_sub(1) {
            fields.push(("Sec-Fetch-Site", self.of(&SITES)));
        }
        let fields = fields.into_iter();
        RandomRequest {
            method: self.of(&METHODS),
            target: self.target(),
            // A server reads fields without the spaces around their values.
            fields: fields
                .map(|(name, value)| (name, value.trim().to_owned()))
                .collect(),
        }
    }

    pub(crate) fn pattern(&mut self) -> String {
        let method = match self.roll(3) {
            0 => self.of(&METHODS) + &self.of(&[" ", " ", "  ", "\t", " \t"]),
            _ => String::new(),
        };
        let host = match self.roll(4) {
            0 => self.host(),
            _ => String::new(),
        };
        let mut path = String::new();
        for _ in 0..self.roll(4) {
            let words = if self.is_one_of(2) {
                &WILDCARDS[..]
            } else {
                &SEGMENTS[..]
            };
            path = path + "/" + &self.of(words);
        }
        let slash = if path.is_empty() || self.is_one_of(4) {
            "/"
        } else {
            ""
        };
        let pattern = format!("{method}{host}{path}{slash}");
        self.mutated(pattern)
    }

    /// Returns a number of texts, at most `most`.
    pub(crate) fn some(&mut self, most: usize, text: impl Fn(&mut Self) -> String) -> Vec<String> {
        (0..self.roll(most + 1)).map(|_| text(self)).collect()
    }
}
