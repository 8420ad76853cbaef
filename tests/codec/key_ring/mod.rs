//! A ring replaces its chain as a whole, and keeps it if the new keys are refused.

mod commands;
mod files;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use silverback::codec::{
    Codec, CodecOptions, Codecs, Error, KeyFingerprint, KeyPair, KeyPairs, KeyRing, KeyRingEvent,
    KeyRingOptions, KeySource,
};

use crate::scratch::Scratch;
use crate::support::{NOW, encrypting, signing};

/// A generous limit for a thread to do its work.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn scratch() -> Scratch {
    Scratch::new("SILVERBACK_CODEC_FOLDER")
}

/// Returns the text of pairs, one a line.
pub(crate) fn spec(pairs: &[KeyPair]) -> String {
    let hex = base16ct::lower::encode_string;
    let lines = pairs.iter().map(|pair| match pair.block() {
        Some(block) => format!("{}:{}\n", hex(pair.hash().expose()), hex(block.expose())),
        None => format!("{}\n", hex(pair.hash().expose())),
    });
    lines.collect()
}

pub(crate) fn fingerprints(pairs: &[KeyPair]) -> Vec<KeyFingerprint> {
    pairs.iter().map(KeyPair::fingerprint).collect()
}

/// Keys that a test changes.
#[derive(Clone)]
struct Variable(Arc<Mutex<String>>);

impl Variable {
    fn new(pairs: &[KeyPair]) -> Self {
        Variable(Arc::new(Mutex::new(spec(pairs))))
    }

    fn set(&self, pairs: &[KeyPair]) {
        *self.0.lock().unwrap() = spec(pairs);
    }

    fn ring(&self, options: KeyRingOptions) -> KeyRing {
        let text = self.0.clone();
        let source = KeySource::function(move || text.lock().unwrap().parse());
        KeyRing::with_options(source, options).unwrap()
    }
}

#[test]
fn a_rotation_without_a_restart_refuses_no_cookie() {
    let (old, new) = (encrypting(1), signing(2));
    let keys = Variable::new(std::slice::from_ref(&old));
    let ring = keys.ring(KeyRingOptions::new());
    let of_old = ring.seal_at("sid", b"ape", NOW).unwrap();
    let only_old = Codecs::from_pairs([old.clone()]).unwrap();
    let only_new = Codecs::from_pairs([new.clone()]).unwrap();

    assert!(!ring.reload().unwrap(), "nothing has changed");
    keys.set(&[old.clone(), new.clone()]);
    assert!(ring.reload().unwrap());
    let sealed = ring.seal_at("sid", b"ape", NOW).unwrap();
    assert!(only_old.open_at("sid", &sealed, NOW).is_ok());
    let of_new = only_new.seal_at("sid", b"ape", NOW).unwrap();
    assert!(ring.open_at("sid", &of_new, NOW).unwrap().is_stale());

    keys.set(&[new.clone(), old]);
    ring.reload().unwrap();
    assert!(ring.open_at("sid", &of_old, NOW).unwrap().is_stale());
    let sealed = ring.seal_at("sid", b"ape", NOW).unwrap();
    assert!(only_new.open_at("sid", &sealed, NOW).is_ok(), "at once");

    keys.set(&[new]);
    ring.reload().unwrap();
    assert!(
        ring.open_at("sid", &of_old, NOW)
            .unwrap_err()
            .is_not_valid()
    );
    assert!(!ring.open_at("sid", &of_new, NOW).unwrap().is_stale());
    assert_eq!(ring.status().replacements, 3);
}

#[test]
fn the_options_of_the_codec_hold_for_each_chain() {
    let keys = Variable::new(&[signing(1)]);
    let options = CodecOptions::new().max_age(Duration::from_secs(77));
    let ring = keys.ring(KeyRingOptions::new().codec(options));
    keys.set(&[signing(2), signing(1)]);
    ring.reload().unwrap();
    let ages = ring
        .secure_cookies()
        .iter()
        .map(|codec| codec.max_age().as_secs())
        .collect::<Vec<_>>();
    assert_eq!(ages, [77, 77]);
}

#[test]
fn a_pair_that_stays_keeps_its_count_of_openings() {
    let [one, two, three] = [1, 2, 3].map(signing);
    let cookie_of = |pair: &KeyPair| {
        let codecs = Codecs::from_pairs([pair.clone()]).unwrap();
        codecs.seal_at("sid", b"ape", NOW).unwrap()
    };
    let keys = Variable::new(&[one.clone(), two.clone()]);
    let ring = keys.ring(KeyRingOptions::new());
    ring.open_at("sid", &cookie_of(&two), NOW).unwrap();
    assert_eq!(ring.openings(), [1]);

    keys.set(&[one.clone(), two.clone(), three.clone()]);
    ring.reload().unwrap();
    ring.open_at("sid", &cookie_of(&two), NOW).unwrap();
    assert_eq!(ring.openings(), [2, 0]);

    keys.set(&[three, one.clone(), two.clone()]);
    let before = ring.chain();
    ring.reload().unwrap();
    assert_eq!(ring.openings(), [0, 2], "the primary was not counted");
    before.open_at("sid", &cookie_of(&two), NOW).unwrap();
    assert_eq!(ring.openings(), [0, 3], "a request that began before");
}

#[test]
fn a_panic_of_the_source_is_reported_and_does_not_end_the_watch() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let source = KeySource::function(move || match counted.fetch_add(1, Ordering::SeqCst) {
        1 => panic!("a bug"),
        0 => spec(&[signing(1)]).parse(),
        _ => spec(&[signing(2)]).parse(),
    });
    let events = Arc::new(AtomicUsize::new(0));
    let refused = events.clone();
    let options = KeyRingOptions::new().on_event(move |event| match event {
        KeyRingEvent::Refused(_) => {
            refused.fetch_add(1, Ordering::SeqCst);
        }
        _ => panic!("a bug of the application"),
    });
    let ring = KeyRing::with_options(source, options).unwrap();
    let watch = ring.watch(Duration::from_millis(1)).unwrap();
    wait_until(|| ring.status().replacements == 1);
    drop(watch);
    assert_eq!(
        ring.status().refusals,
        1,
        "a panic of on_event is no refusal"
    );
    assert_eq!(events.load(Ordering::SeqCst), 1);
    assert_eq!(ring.status().keys, fingerprints(&[signing(2)]));
}

/// Waits until that is true, or fails after a generous limit.
#[track_caller]
pub(crate) fn wait_until(is_done: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !is_done() {
        assert!(start.elapsed() < LIMIT, "this takes too long");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_dropped_watch_ends_its_thread_and_frees_the_source() {
    let (sender, receiver) = mpsc::channel::<()>();
    let source = KeySource::function(move || {
        let _ = &sender; // closes the channel with the source
        spec(&[signing(1)]).parse()
    });
    let ring = KeyRing::with_options(source, KeyRingOptions::new()).unwrap();
    let watch = ring.watch(Duration::from_secs(3600)).unwrap();
    drop(ring);
    assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Empty));
    drop(watch);
    let closed = receiver.recv_timeout(LIMIT);
    assert_eq!(closed, Err(mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn a_watch_needs_an_interval() {
    let ring = Variable::new(&[signing(1)]).ring(KeyRingOptions::new());
    assert!(ring.watch(Duration::ZERO).unwrap_err().is_usage());
}

#[test]
fn each_replacement_and_each_refusal_is_an_event() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    let options = KeyRingOptions::new().on_event(move |event| {
        seen.lock().unwrap().push(match event {
            KeyRingEvent::Replaced(status) => format!("{:?}", status.keys),
            KeyRingEvent::Refused(error) => error.to_string(),
            _ => unreachable!(),
        });
    });
    let keys = Variable::new(&[signing(1)]);
    let ring = keys.ring(options);
    ring.reload().unwrap();
    keys.set(&[signing(1), signing(1)]);
    let error = ring.reload().unwrap_err().to_string();
    assert_eq!(ring.status().last_error, Some(error.clone()));
    assert!(error.contains("share a hash key"), "{error}");
    keys.set(&[signing(2)]);
    ring.reload().unwrap();
    let keys = format!("{:?}", fingerprints(&[signing(2)]));
    assert_eq!(*events.lock().unwrap(), [error, keys]);
    let status = ring.status();
    assert_eq!((status.replacements, status.refusals), (1, 1));
    assert!(status.last_error.is_none() && status.refused_at.is_some());
}

/// An application may ask for the status, or reload, when it gets an event.
#[test]
fn a_ring_can_be_used_in_an_event() {
    let ring: Arc<Mutex<Option<KeyRing>>> = Arc::default();
    let (of_event, keys) = (ring.clone(), Variable::new(&[signing(1)]));
    let made = keys.ring(KeyRingOptions::new().on_event(move |_| {
        let ring = of_event.lock().unwrap().clone().unwrap();
        assert!(!ring.reload().unwrap());
        assert_eq!(ring.status().replacements, 1);
    }));
    *ring.lock().unwrap() = Some(made.clone());
    keys.set(&[signing(2)]);
    assert!(made.reload().unwrap());
}

#[test]
fn an_error_of_a_function_is_returned_and_the_chain_stays() {
    let fails = Arc::new(AtomicUsize::new(0));
    let of_source = fails.clone();
    let source = KeySource::function(move || match of_source.load(Ordering::SeqCst) {
        0 => KeyPairs::generate(1),
        _ => Err(Error::internal("the key service does not answer")),
    });
    let ring = KeyRing::with_options(source, KeyRingOptions::new()).unwrap();
    let sealed = ring.seal("sid", b"ape").unwrap();
    fails.store(1, Ordering::SeqCst);
    let error = ring.reload().unwrap_err();
    assert!(error.is_internal() && error.to_string().contains("does not answer"));
    assert!(ring.open("sid", &sealed).is_ok());
}
