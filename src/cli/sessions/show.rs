//! `silverback sessions show`: shows the content of a session.

use std::fmt::Write as _;
use std::io::{self, Write};

use clap::Args;
use serde_json::{Value as Json, json};
use silverback::codec::UnixTime;
use silverback::gob::Value;
use silverback::session::{Lookup, Refusal, StoredSession};

use super::super::dates::format_date;
use super::super::failure::Failure;
use super::super::gob;
use super::keys::{KeyForm, find_keys};
use super::list::on_one_line;
use super::store::{Service, StoreArguments, reason};

/// Show the content of a session: its dates, its owner, and its values as JSON.
///
/// Give the keys of the service, the name of its cookie, and its store name if it has one. The
/// session is found by the KEY that `sessions list` prints, or by the cookie of a user who needs
/// help. The command does not count as a use of the session: `saved` is the time at which the
/// values were last written, and `expires` is the time at which the session ends without a
/// further use. A row that a Go program wrote may not contain `created` and `saved`.
#[derive(Args)]
pub(super) struct Show {
    #[command(flatten)]
    store: StoreArguments,

    #[command(flatten)]
    service: Service,

    /// Show the session of this cookie's value; - reads it from standard input, where other
    /// users of the machine cannot see it
    #[arg(long, value_name = "COOKIE", allow_hyphen_values = true)]
    cookie: Option<String>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// The key of the session, as `sessions list` prints it
    #[arg(required_unless_present = "cookie", conflicts_with = "cookie")]
    key: Option<String>,
}

impl Show {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let began = UnixTime::now();
        let arguments = self.store.parse_keys(self.key.as_slice())?;
        let store = self.store.open(&self.service).await?;
        let keys = find_keys(&arguments, &**store.backend()).await?;
        let found = match keys.into_iter().next() {
            Some(Some(key)) => store.find(&key).await?,
            Some(None) => Lookup::Refused(Refusal::Gone),
            None => store.find_by_cookie(&self.cookie()?).await?,
        };
        let session = found
            .into_result()
            .map_err(|refusal| Failure::Refused(reason(refusal)))?;
        let key = match (&self.key, self.store.key_form()) {
            (Some(key), KeyForm::SignedIds) => key,
            _ => session.id().as_str(),
        };
        let shown = Shown {
            key,
            session: &session,
            before: self.store.is_shared_with_go().then_some(began),
        };
        let shown = match self.json {
            true => json_of(&shown),
            false => lines_of(&shown),
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

/// A session, as it is shown.
struct Shown<'a> {
    key: &'a str,
    session: &'a StoredSession,
    /// If it is set, the session is known to have begun, and to have been saved, only at times
    /// before this one. A row of a Go program may not contain these times: they are then the present.
    before: Option<UnixTime>,
}

/// Returns the facts about a session, except its values: their names and contents. An absent
/// fact is null.
fn facts(shown: &Shown<'_>) -> [(&'static str, Json); 8] {
    let Shown {
        key,
        session,
        before,
    } = *shown;
    let past = |time: UnixTime| Some(time).filter(|time| before.is_none_or(|limit| *time < limit));
    let date = |time: UnixTime| Json::from(format_date(time));
    let date_of = |time: Option<UnixTime>| time.map_or(Json::Null, date);
    [
        ("key", json!(key)),
        ("owner", json!(session.owner())),
        ("login", date_of(session.authenticated_at())),
        ("created", date_of(past(session.created()))),
        ("saved", date_of(past(session.last_seen()))),
        ("expires", date_of(session.expires())),
        ("deadline", date_of(session.deadline())),
        ("remembered", json!(session.is_remembered())),
    ]
}

fn values(session: &StoredSession) -> String {
    gob::to_json(&Value::Composite(session.values().to_gob()))
}

/// Returns the JSON object of a session whose row was copied out of its server.
pub(super) fn json_of_copy(key: &str, session: &StoredSession) -> String {
    json_of(&Shown {
        key,
        session,
        before: None,
    })
}

fn json_of(shown: &Shown<'_>) -> String {
    let mut line = String::from("{");
    for (name, fact) in facts(shown) {
        // Writing to a String cannot fail.
        let _ = write!(line, "\"{name}\":{fact},");
    }
    // The text is kept as it is: a serde_json value would lose digits.
    line + "\"values\":" + &values(shown.session) + "}"
}

fn lines_of(shown: &Shown<'_>) -> String {
    let mut lines = String::new();
    for (name, fact) in facts(shown) {
        let fact = match fact {
            Json::Null => "none".to_owned(),
            Json::Bool(true) => "yes".to_owned(),
            Json::Bool(false) => "no".to_owned(),
            Json::String(text) => on_one_line(&text),
            other => other.to_string(),
        };
        let _ = writeln!(lines, "{name}: {fact}");
    }
    lines + "values: " + &values(shown.session)
}
