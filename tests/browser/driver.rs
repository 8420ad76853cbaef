//! A browser for one test, and the chromedriver that drives it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::cookies::Cookie;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

use crate::required::not_run;

/// Longer than any page takes, on any machine.
const WATCHDOG: Duration = Duration::from_secs(60);

pub(crate) struct Browser {
    client: Client,
    driver: Driver,
}

/// The process, which ends with the test.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Browser {
    /// Starts a browser, or returns `None` after a message if it is missing and not required.
    pub(crate) async fn start() -> Option<Self> {
        Browser::start_with(&[]).await
    }

    /// Starts a browser with another user agent.
    pub(crate) async fn start_as(user_agent: &str) -> Option<Self> {
        Browser::start_with(&[format!("--user-agent={user_agent}")]).await
    }

    /// Starts a browser with more arguments.
    pub(crate) async fn start_with(more: &[String]) -> Option<Self> {
        let mut driver = Command::new("chromedriver");
        driver
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut driver = match driver.spawn() {
            Ok(child) => Driver(child),
            Err(why) => {
                not_run("chromedriver", &why.to_string());
                return None;
            }
        };
        let port = port(&mut driver.0);
        let usual = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage";
        let arguments = usual.split(' ').chain(more.iter().map(String::as_str));
        let arguments: Vec<&str> = arguments.collect();
        let options = json!({ "goog:chromeOptions": { "args": arguments } });
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(options.as_object().cloned().unwrap());
        let client = builder.connect(&format!("http://127.0.0.1:{port}")).await;
        Some(Browser {
            client: client.unwrap(),
            driver,
        })
    }

    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    pub(crate) async fn click(&self, what: &str) {
        let element = self.client.wait().at_most(WATCHDOG);
        let element = element.for_element(Locator::Css(what)).await.unwrap();
        element.click().await.unwrap();
    }

    pub(crate) async fn type_into(&self, what: &str, text: &str) {
        let element = self.client.wait().at_most(WATCHDOG);
        let element = element.for_element(Locator::Css(what)).await.unwrap();
        element.send_keys(text).await.unwrap();
    }

    /// Waits until the page shows `text`.
    pub(crate) async fn sees(&self, text: &str) {
        let begin = Instant::now();
        while !self.page().await.contains(text) {
            let page = self.page().await;
            assert!(
                begin.elapsed() < WATCHDOG,
                "{text:?} is not on the page: {page}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the element `what` contains exactly `text`.
    pub(crate) async fn reads(&self, what: &str, text: &str) {
        let begin = Instant::now();
        let script = format!("return document.querySelector('{what}').innerText");
        while self.script(&script).await != text {
            let page = self.page().await;
            assert!(
                begin.elapsed() < WATCHDOG,
                "{what} is not {text:?} on the page: {page}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Checks that the current page does not show `text`.
    pub(crate) async fn sees_no(&self, text: &str) {
        let page = self.page().await;
        assert!(!page.contains(text), "{text:?} is on the page: {page}");
    }

    pub(crate) async fn page(&self) -> String {
        self.script("return document.body ? document.body.innerText : ''")
            .await
    }

    /// Returns the text of the page's alert; an empty text if there is no alert.
    pub(crate) async fn alert(&self) -> String {
        self.script("return document.querySelector('[role=alert]').innerText")
            .await
    }

    pub(crate) async fn script(&self, script: &str) -> String {
        // The page may change while the script runs.
        let answer = self.client.execute(script, Vec::new()).await;
        let answer = answer
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned));
        answer.unwrap_or_default()
    }

    /// Returns a cookie of this page, HttpOnly or not.
    pub(crate) async fn cookie(&self, name: &str) -> Option<Cookie<'static>> {
        let cookies = self.client.get_all_cookies().await.unwrap();
        cookies.into_iter().find(|cookie| cookie.name() == name)
    }

    pub(crate) async fn delete_cookie(&self, name: &str) {
        self.client.delete_cookie(name).await.unwrap();
    }

    /// Saves a screenshot of the page.
    pub(crate) async fn screenshot(&self, name: &str, width: u32, height: u32) {
        self.client.set_window_size(width, height).await.unwrap();
        let picture = self.client.screenshot().await.unwrap();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        std::fs::write(path, picture).unwrap();
    }

    pub(crate) async fn close(self) {
        self.client.close().await.unwrap();
        drop(self.driver);
    }
}

/// Returns the port of chromedriver, which it prints.
fn port(driver: &mut Child) -> u16 {
    let mut output = BufReader::new(driver.stdout.take().unwrap());
    loop {
        let mut line = String::new();
        assert_ne!(
            output.read_line(&mut line).unwrap(),
            0,
            "chromedriver printed no port"
        );
        let port = line
            .rsplit_once("successfully on port ")
            .map(|(_, port)| port.trim().trim_end_matches('.'));
        if let Some(Ok(port)) = port.map(str::parse) {
            // The rest of its output must be read, or it would block.
            std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
            return port;
        }
    }
}
