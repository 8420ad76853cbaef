//! [`MetricsEvents`]: events as counters.

use metrics::{Unit, counter, describe_counter};

use super::{Event, Observer};

const EVENTS: &str = "silverback_session_events_total";

/// An observer that counts events with the crate `metrics`, whose exporters serve Prometheus, StatsD
/// and others.
///
/// | counter | labels |
/// |---|---|
/// | `silverback_session_events_total` | `event`: the [name](super::EventKind::name); `cookie`: the name of the cookie; `reason`: of a refused cookie, otherwise empty |
///
/// ```
/// use silverback::codec::KeyPairs;
/// use silverback::session::{CookieStore, events::MetricsEvents};
///
/// let store = CookieStore::new(KeyPairs::generate(1)?)?.observer(MetricsEvents::new());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Install the exporter first. Some rules that are worth an alert: `event="load_failed"` or
/// `"unavailable"` grows; `event="refused", reason="not valid"` grows suddenly, as with wrong keys
/// after a deployment; `event="stale_key"` has stopped growing, so that the old key can be removed.
#[derive(Clone, Copy, Debug)]
pub struct MetricsEvents(());

impl MetricsEvents {
    /// Creates the observer, and describes the counter.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it describes the counter")]
    pub fn new() -> Self {
        describe_counter!(EVENTS, Unit::Count, "Events of sessions, by name");
        MetricsEvents(())
    }
}

impl Observer for MetricsEvents {
    fn observe(&self, event: &Event<'_>) {
        let reason = event.refusal().map(|refusal| refusal.to_string());
        let labels = [
            ("event", event.kind().name().to_owned()),
            ("cookie", event.cookie_name().to_owned()),
            ("reason", reason.unwrap_or_default()),
        ];
        counter!(EVENTS, &labels).increment(1);
    }
}
