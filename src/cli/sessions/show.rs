//! `silverback sessions show`: what is in a session.

use std::fmt::Write as _;
use std::io::{self, Write};

use clap::Args;
use serde_json::{Value as Json, json};
use silverback::codec::UnixTime;
use silverback::gob::Value;
use silverback::session::StoredSession;

use super::super::dates::readable;
use super::super::{Failure, gob};
use super::list::on_one_line;
use super::store::{Place, Service, parse_key, reason};

/// Show what is in a session: when it began and ends, whose it is, and its values as JSON.
///
/// It takes the keys of the service, the name of its cookie, and its store name if it has
/// one. The session is found by the KEY that `sessions list` prints, or by the cookie of
/// somebody who asks for help. Nothing is noted of its use: `saved` is when its values were
/// written, and `expires` when it ends if it is not used until then.
#[derive(Args)]
pub(super) struct Show {
    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    service: Service,

    /// The session that this cookie's value stands for; - reads it from standard input,
    /// where other users of the machine cannot see it
    #[arg(long, value_name = "COOKIE", allow_hyphen_values = true)]
    cookie: Option<String>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// The session's key, as `sessions list` prints it
    #[arg(required_unless_present = "cookie", conflicts_with = "cookie")]
    key: Option<String>,
}

impl Show {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let key = self.key.as_deref().map(parse_key).transpose()?;
        let store = self.place.open(&self.service).await?;
        let store = store.ok_or_else(|| Failure::usage("this is missing: --name <NAME>"))?;
        let found = match key {
            Some(key) => store.find(&key).await?,
            None => store.find_by_cookie(&self.cookie()?).await?,
        };
        let session = found.map_err(|refusal| Failure::Refused(reason(refusal)))?;
        let shown = match self.json {
            true => json_of(&session),
            false => lines_of(&session),
        };
        writeln!(io::stdout(), "{shown}")?;
        Ok(())
    }

    fn cookie(&self) -> Result<String, Failure> {
        match self.cookie.as_deref() {
            Some("-") | None => {
                let mut line = String::new();
                io::stdin().read_line(&mut line)?;
                Ok(line.trim_ascii().to_owned())
            }
            Some(cookie) => Ok(cookie.to_owned()),
        }
    }
}

/// What is said of a session before its values: the name, and what is said; null for what
/// is not.
fn facts(session: &StoredSession) -> [(&'static str, Json); 8] {
    let date = |time: UnixTime| Json::from(readable(time));
    let date_of = |time: Option<UnixTime>| time.map_or(Json::Null, date);
    [
        ("key", json!(session.id())),
        ("owner", json!(session.owner())),
        ("login", date_of(session.authenticated_at())),
        ("created", date(session.created())),
        ("saved", date(session.last_seen())),
        ("expires", date_of(session.expires())),
        ("deadline", date_of(session.deadline())),
        ("remembered", json!(session.is_remembered())),
    ]
}

fn values(session: &StoredSession) -> String {
    gob::picture(&Value::Composite(session.values().to_gob()))
}

fn json_of(session: &StoredSession) -> String {
    let mut line = String::from("{");
    for (name, fact) in facts(session) {
        // Writing to a String cannot fail.
        let _ = write!(line, "\"{name}\":{fact},");
    }
    // Not through another JSON value: the picture keeps what JSON values do not.
    line + "\"values\":" + &values(session) + "}"
}

fn lines_of(session: &StoredSession) -> String {
    let mut lines = String::new();
    for (name, fact) in facts(session) {
        let fact = match fact {
            Json::Null => "none".to_owned(),
            Json::Bool(true) => "yes".to_owned(),
            Json::Bool(false) => "no".to_owned(),
            Json::String(text) => on_one_line(&text),
            other => other.to_string(),
        };
        let _ = writeln!(lines, "{name}: {fact}");
    }
    lines + "values: " + &values(session)
}
