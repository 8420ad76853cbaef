//! The time that the middleware adds to a request, compared with `tower-sessions` with its memory
//! store and `actix-session` with its cookie store, in one run: `cargo bench --features
//! tower,actix,dbsc --bench session`.
//!
//! Each request is made, answered by a service that does nothing more, and dropped; the time of the
//! same service without any session is subtracted. The cookies are encrypted, as are those of
//! actix-session; tower-sessions' cookie is a bare ID and its values stay in memory. A session that is bound
//! to a device is compared with the same session unbound.

mod bound;
#[path = "../../tests/session/device.rs"]
#[allow(dead_code)] // tests make other proofs
mod device;
#[path = "../support/mod.rs"]
mod support;
mod with_actix;
mod with_tower;

use std::task::{Context, Poll, Waker};

use silverback::codec::{BlockKey, Codecs, HashKey, KeyPair};
use silverback::session::CookieStore;
use support::{Column, OURS};

/// The service without sessions.
const BARE: &str = "bare";
/// The peer of the workload's framework.
const PEER: &str = "peer";

const COLUMNS: &[Column] = &[
    Column {
        heading: ["bare service", "ns"],
        figure: |round| round.of(BARE),
    },
    Column {
        heading: ["silverback adds", "ns"],
        figure: |round| round.difference(OURS, BARE),
    },
    Column {
        heading: ["the peer adds", "/ silverback adds"],
        figure: |round| Some(round.difference(PEER, BARE)? / round.difference(OURS, BARE)?),
    },
];

/// The use of the session in a request.
#[derive(Clone, Copy, Debug)]
enum Use {
    Untouched,
    Read,
    Write,
}

impl Use {
    const ALL: [Use; 3] = [Use::Untouched, Use::Read, Use::Write];
}

/// The values of the session in addition to the counter, which is read and written.
const VALUES: [(&str, &str); 4] = [
    ("user", "0196f5b4-54a4-7a31-a4ff-52d60e4c3b0d"),
    ("name", "Koko"),
    ("theme", "dark"),
    ("csrf", "kL9wZ0dJYb3oV1xq7uQmT2c5nEr8sAhG"),
];

fn store() -> CookieStore {
    let keys = KeyPair::new(HashKey::new(&[7; 64]).unwrap(), BlockKey::from([7; 32]));
    CookieStore::new(Codecs::from_pairs([keys]).unwrap()).unwrap()
}

/// Returns the output of a future that never waits.
fn at_once<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the future waits"),
    }
}

fn main() {
    let workloads = || {
        let mut all = with_tower::workloads();
        all.extend(with_actix::workloads());
        all.extend(bound::workloads());
        all
    };
    support::run(COLUMNS, workloads, Vec::new);
}
