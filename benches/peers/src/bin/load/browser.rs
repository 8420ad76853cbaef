//! Browsers that send the next request after each response, and the latencies.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const BROWSERS: usize = 8;

/// The requests before the measured ones, in which connections are opened and caches filled.
const FIRST_REQUESTS: usize = 20;

#[derive(Clone, Copy)]
pub(crate) enum Page {
    Begin,
    Read,
    Write,
    Tell,
}

impl Page {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Page::Begin => "begin",
            Page::Read => "read",
            Page::Write => "write",
            Page::Tell => "tell",
        }
    }
}

/// The duration of each request, the fastest first, and of all together.
pub(crate) struct Latencies {
    sorted: Vec<Duration>,
    took: Duration,
}

impl Latencies {
    pub(crate) fn of(mut sorted: Vec<Duration>, took: Duration) -> Self {
        sorted.sort();
        Latencies { sorted, took }
    }

    /// Returns a quantile in microseconds: this part of all requests was faster.
    pub(crate) fn part(&self, part: f64) -> f64 {
        let place = (self.sorted.len() as f64 * part) as usize;
        let place = place.min(self.sorted.len() - 1);
        self.sorted[place].as_secs_f64() * 1e6
    }

    pub(crate) fn count(&self) -> usize {
        self.sorted.len()
    }

    pub(crate) fn slowest(&self) -> Duration {
        self.sorted.last().copied().unwrap_or_default()
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.sorted.len() as f64 / self.took.as_secs_f64()
    }
}

/// Returns the median, the lowest and the highest.
pub(crate) fn spread(mut figures: Vec<f64>) -> String {
    figures.sort_by(f64::total_cmp);
    let (median, last) = (figures[figures.len() / 2], figures[figures.len() - 1]);
    let digits = if median < 10.0 { 2 } else { 0 };
    format!(
        "{median:.digits$} [{:.digits$}-{last:.digits$}]",
        figures[0]
    )
}

/// A connection, and the cookie of a session.
pub(crate) struct Browser {
    stream: BufReader<TcpStream>,
    cookie: String,
    writes: usize,
}

impl Browser {
    /// Returns a browser with a session that holds a counter, at 7, and four texts.
    pub(crate) fn new(port: u16) -> Self {
        let mut browser = Browser::with_cookie(port, String::new());
        browser.ask(Page::Begin);
        assert!(!browser.cookie.is_empty(), "no cookie was set");
        browser
    }

    /// Returns another tab of a browser: a separate connection with the same session.
    pub(crate) fn with_cookie(port: u16, cookie: String) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream.set_nodelay(true).expect("an option");
        Browser {
            stream: BufReader::new(stream),
            cookie,
            writes: 0,
        }
    }

    pub(crate) fn cookie(&self) -> String {
        self.cookie.clone()
    }

    /// Sends a request without waiting for its response.
    pub(crate) fn send(&mut self, page: Page) {
        let (path, cookie) = (page.name(), &self.cookie);
        let request =
            format!("GET /{path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n");
        let stream = self.stream.get_mut();
        stream
            .write_all(request.as_bytes())
            .expect("the server listens");
    }

    /// Returns the body of the page.
    pub(crate) fn ask(&mut self, page: Page) -> String {
        self.send(page);
        let path = page.name();
        let (mut line, mut length) = (String::new(), 0);
        self.stream.read_line(&mut line).expect("a status");
        assert!(line.contains(" 200 "), "{path}: {line}");
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("a field");
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match &*name.to_ascii_lowercase() {
                "content-length" => length = value.parse().expect("a length"),
                "set-cookie" => {
                    let cookie = value.split(';').next().unwrap_or_default();
                    cookie.clone_into(&mut self.cookie);
                }
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("a body");
        self.writes += usize::from(matches!(page, Page::Write));
        String::from_utf8(body).expect("text")
    }

    /// Returns the duration of each of that many requests.
    pub(crate) fn time(&mut self, page: Page, requests: usize) -> Vec<Duration> {
        let times = (0..requests).map(|_| {
            let began = Instant::now();
            self.ask(page);
            began.elapsed()
        });
        times.collect()
    }

    pub(crate) fn check_that_all_was_saved(&mut self) {
        let expected = (7 + self.writes).to_string();
        assert_eq!(self.ask(Page::Tell), expected, "a write was not saved");
    }
}

/// Measures all browsers at once: the latencies of reading, and then of writing.
pub(crate) fn visit(port: u16, requests: usize) -> [Latencies; 2] {
    let mut browsers: Vec<Browser> = (0..BROWSERS).map(|_| Browser::new(port)).collect();
    all(&mut browsers, Page::Write, FIRST_REQUESTS);
    let measured = [Page::Read, Page::Write].map(|page| all(&mut browsers, page, requests));
    for browser in &mut browsers {
        browser.check_that_all_was_saved();
    }
    measured
}

/// Requests a page that many times in one session.
pub(crate) fn repeat(port: u16, page: Page, requests: usize) {
    let mut browser = Browser::new(port);
    browser.time(page, requests);
}

/// Begins that many sessions.
pub(crate) fn begin_sessions(port: u16, sessions: usize) {
    std::thread::scope(|scope| {
        for number in 0..BROWSERS {
            let own = (sessions + number) / BROWSERS;
            scope.spawn(move || {
                let mut browser = Browser::with_cookie(port, String::new());
                for _ in 0..own {
                    browser.cookie.clear();
                    browser.ask(Page::Begin);
                }
            });
        }
    });
}

fn all(browsers: &mut [Browser], page: Page, requests: usize) -> Latencies {
    let began = Instant::now();
    let times = std::thread::scope(|scope| {
        let tasks: Vec<_> = browsers
            .iter_mut()
            .map(|browser| scope.spawn(move || browser.time(page, requests)))
            .collect();
        let times = tasks
            .into_iter()
            .map(|task| task.join().expect("a browser"));
        times.flatten().collect()
    });
    Latencies::of(times, began.elapsed())
}
