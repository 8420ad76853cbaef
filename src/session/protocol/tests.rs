//! Tests of the protocol alone, over every interleaving of its calls. They cover each pair and each
//! three of intents on one session, and each pair with lost replies and requests cut off at each
//! call.

mod late;
mod limits;
mod moved;
mod rows;

use std::collections::BTreeMap;

use super::*;
use rows::Rows;

/// The data of a session: its login, and how often it holds each request's change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counts {
    login: u8,
    of: BTreeMap<usize, u32>,
}

impl Authenticated for Counts {
    type Login = u8;

    fn login(&self) -> u8 {
        self.login
    }
}

/// The task of a request. All requests have loaded the same session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Save,
    Renew,
    Login,
    LoginKeeping,
    End,
    /// An end by a request that arrives after others have begun, and so knows only the key.
    LateEnd,
}

const WISHES: [Wish; 5] = [
    Wish::Save,
    Wish::Renew,
    Wish::Login,
    Wish::LoginKeeping,
    Wish::End,
];

impl Wish {
    fn logs_in(self) -> bool {
        matches!(self, Wish::Login | Wish::LoginKeeping)
    }

    fn ends(self) -> bool {
        matches!(self, Wish::End | Wish::LateEnd)
    }
}

/// Returns the key of that name: the one that all requests came with, or one that they create.
fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

/// One request and its state.
#[derive(Clone)]
struct Request<'w> {
    number: usize,
    wish: Wish,
    protocol: Protocol<'w, Counts>,
    step: Step<Counts>,
    cut_off: bool,
}

impl Request<'_> {
    fn write(&self) -> WriteId {
        [u8::try_from(self.number).unwrap(); 16]
    }

    fn pending(&self) -> Option<&Call<Counts>> {
        match &self.step {
            Step::Ask(call) if !self.cut_off => Some(call),
            _ => None,
        }
    }

    fn verdict(&self) -> Option<&Verdict<Counts>> {
        match &self.step {
            Step::Done(verdict) if !self.cut_off => Some(verdict),
            _ => None,
        }
    }

    /// Returns the key of the ID that the request's client receives.
    fn released(&self) -> Option<&Key> {
        match self.verdict() {
            Some(Verdict::Saved(key, ..)) => Some(key),
            _ => None,
        }
    }

    fn is_acknowledged(&self) -> bool {
        matches!(self.verdict(), Some(Verdict::Saved(..) | Verdict::Ended))
    }

    fn has_ended_it(&self) -> bool {
        self.wish.ends() && self.is_acknowledged()
    }
}

type Change = Box<dyn Fn(Option<&Counts>) -> Result<Counts, Error> + Send + Sync>;

/// Returns each request's change, which counts the request. Each login is of a new owner.
fn changes(wishes: &[Wish]) -> Vec<Change> {
    let of = |(number, wish): (usize, &Wish)| -> Change {
        let wish = *wish;
        Box::new(move |fresh| {
            let mut counts = match (wish, fresh) {
                (Wish::Login, _) | (_, None) => Counts::default(),
                (_, Some(fresh)) => fresh.clone(),
            };
            if wish.logs_in() {
                counts.login = 10 + u8::try_from(number).unwrap();
            }
            *counts.of.entry(number).or_default() += 1;
            Ok(counts)
        })
    };
    wishes.iter().enumerate().map(of).collect()
}

fn requests<'w>(
    wishes: &[Wish],
    changes: &'w [Change],
    seen: &Found<Counts>,
    are_moved: bool,
) -> Vec<Request<'w>> {
    let request = |(number, (wish, change)): (usize, (&Wish, &'w Change))| {
        let seen_row = SeenRow {
            key: key("A"),
            revision: Some(seen.revision.clone()),
            login: 0,
        };
        let to = key(&format!("N{number}"));
        let seen = seen_row;
        let intent = match wish {
            Wish::Save => Intent::Save { seen },
            Wish::Renew => Intent::Renew { seen, to },
            Wish::Login | Wish::LoginKeeping => Intent::Replace {
                seen,
                to,
                keeps: *wish == Wish::LoginKeeping,
            },
            Wish::End => Intent::End { seen },
            Wish::LateEnd => Intent::End {
                seen: SeenRow {
                    revision: None,
                    ..seen
                },
            },
        };
        let new_data = (!wish.ends()).then(|| NewData {
            data: change(Some(&Counts::default())).unwrap(),
            recompute: change.as_ref(),
        });
        let write = [u8::try_from(number).unwrap(); 16];
        let mut protocol = Protocol::new(intent, new_data, write).moving(are_moved);
        let step = protocol.begin();
        Request {
            number,
            wish: *wish,
            protocol,
            step,
            cut_off: false,
        }
    };
    wishes
        .iter()
        .zip(changes)
        .enumerate()
        .map(request)
        .collect()
}

/// The faults that may happen, and how often in all.
#[derive(Clone, Copy)]
struct Faults {
    lost_replies: usize,
    cuts: usize,
}

const NONE: Faults = Faults {
    lost_replies: 0,
    cuts: 0,
};

/// Runs all interleavings, and returns their number.
fn explore(
    rows: &Rows,
    requests: &[Request<'_>],
    faults: Faults,
    check: &dyn Fn(&Rows, &[Request<'_>]),
    depth: usize,
) -> usize {
    assert!(depth < 200, "it never ends");
    let mut ways = 0;
    for (place, request) in requests.iter().enumerate() {
        let Some(call) = request.pending() else {
            continue;
        };
        let (call, write) = (call.clone(), request.write());
        let mut go = |rows: Rows, answer: Option<Answer<Counts>>, faults: Faults| {
            let mut requests = requests.to_vec();
            let request = &mut requests[place];
            match answer {
                Some(answer) => request.step = request.protocol.next(answer),
                None => request.cut_off = true,
            }
            ways += explore(&rows, &requests, faults, check, depth + 1);
        };
        let mut applied = rows.clone();
        let answer = applied.answer(call.clone(), write);
        go(applied.clone(), Some(answer), faults);
        if faults.lost_replies > 0 {
            let fewer = Faults {
                lost_replies: faults.lost_replies - 1,
                ..faults
            };
            match call {
                Call::Remove(..) => {}
                Call::Load(_) => go(rows.clone(), Some(Answer::Failed), fewer),
                _ => {
                    go(applied.clone(), Some(Answer::Unknown), fewer);
                    go(rows.clone(), Some(Answer::Unknown), fewer);
                    go(rows.clone(), Some(Answer::Failed), fewer);
                }
            }
        }
        if faults.cuts > 0 {
            let fewer = Faults {
                cuts: faults.cuts - 1,
                ..faults
            };
            go(applied, None, fewer);
            go(rows.clone(), None, fewer);
        }
    }
    if ways == 0 {
        check(rows, requests);
        return 1;
    }
    ways
}

fn explore_all(wishes: &[Wish], faults: Faults) -> usize {
    let is_faultless = faults.lost_replies + faults.cuts == 0;
    explore_from(Rows::default(), wishes, faults, &|rows, requests| {
        check_safety(rows, requests);
        if is_faultless {
            check_progress(rows, requests);
        }
    })
}

/// Runs all interleavings of requests on a session in those rows.
fn explore_from(
    mut rows: Rows,
    wishes: &[Wish],
    faults: Faults,
    check: &dyn Fn(&Rows, &[Request<'_>]),
) -> usize {
    rows.put(key("A"), Row::Live(Counts::default()), [0xff; 16]);
    let seen = rows.rows.get(&key("A")).unwrap().clone();
    let changes = changes(wishes);
    let requests = requests(wishes, &changes, &seen, rows.are_moved);
    explore(&rows, &requests, faults, check, 0)
}

/// Returns the live sessions with an ID that a client has.
fn open<'r>(rows: &'r Rows, requests: &[Request<'_>]) -> Vec<(Key, &'r Counts)> {
    let mut keys = vec![key("A")];
    keys.extend(requests.iter().filter_map(Request::released).cloned());
    keys.sort();
    keys.dedup();
    let open = keys.into_iter().filter_map(|key| {
        let counts = rows.live(&key)?;
        Some((key, counts))
    });
    open.collect()
}

fn story(requests: &[Request<'_>]) -> String {
    let of = |request: &Request<'_>| format!("{:?} {:?}", request.wish, request.verdict());
    requests.iter().map(of).collect::<Vec<_>>().join("; ")
}

/// Checks that a failed request has written nothing that still exists.
fn check_failures(rows: &Rows, requests: &[Request<'_>]) {
    let has_failed = |of: &&Request<'_>| of.verdict() == Some(&Verdict::Failed);
    for request in requests.iter().filter(has_failed) {
        let mut rows = rows.rows.values();
        let is_there = rows.any(|found| found.write == request.write());
        assert!(!is_there, "written after all: {}", story(requests));
    }
}

/// Checks the rules that hold under all faults.
fn check_safety(rows: &Rows, requests: &[Request<'_>]) {
    check_failures(rows, requests);
    let open = open(rows, requests);
    let story = story(requests);
    let has = |wish: Wish| requests.iter().any(|of| of.wish == wish);
    // Two logins after an end are independent of each other.
    let ends = requests.iter().any(|of| of.wish.ends());
    let are_apart = ends && open.iter().all(|(_, counts)| counts.login >= 10);
    assert!(open.len() <= 1 || are_apart, "two IDs open it: {story}");
    let logs_in = requests.iter().any(|of| of.wish.logs_in());
    if requests.iter().any(Request::has_ended_it) && !logs_in {
        assert!(open.is_empty(), "it came back: {story}");
    }
    for (_, counts) in open {
        assert!(
            counts.of.values().all(|count| *count == 1),
            "twice: {story}"
        );
        for request in requests {
            let is_in = counts.of.contains_key(&request.number);
            match request.wish {
                // The session of a later login need not hold the change.
                Wish::Save | Wish::Renew if !logs_in => {
                    let is_in_as_told = is_in || !request.is_acknowledged();
                    assert!(is_in_as_told, "lost: {story}");
                }
                // The session of a login must not hold changes of a session that ended.
                _ if counts.login >= 10 && usize::from(counts.login) - 10 != request.number => {
                    let is_kept = has(Wish::LoginKeeping);
                    assert!(!is_in || is_kept, "mixed: {story}");
                }
                _ => {}
            }
        }
    }
}

/// Checks the rules that hold without faults.
fn check_progress(rows: &Rows, requests: &[Request<'_>]) {
    let open = open(rows, requests);
    let story = story(requests);
    let is_told = |of: &Request<'_>| {
        matches!(
            of.verdict(),
            Some(Verdict::Saved(..) | Verdict::Ended | Verdict::Gone)
        )
    };
    assert!(requests.iter().all(is_told), "{story}");
    let ends = requests.iter().any(|of| of.wish.ends());
    if !ends {
        assert_eq!(open.len(), 1, "nobody has it: {story}");
    }
    if !ends && !requests.iter().any(|of| of.wish.logs_in()) {
        let all = requests.iter().all(Request::is_acknowledged);
        assert!(all, "lost to a renewal: {story}");
    }
    for request in requests {
        assert!(
            request.is_acknowledged() || !request.wish.logs_in(),
            "{story}"
        );
        for (_, counts) in &open {
            let is_in = counts.of.contains_key(&request.number);
            assert!(request.is_acknowledged() || !is_in, "silently: {story}");
        }
    }
    // Each live row must have an ID that a client has received.
    let released = 1 + requests.iter().filter(|of| of.released().is_some()).count();
    let live = rows
        .rows
        .values()
        .filter(|of| matches!(of.row, Row::Live(_)));
    assert!(live.count() <= released, "a row of nobody's: {story}");
    let orphans = rows.rows.iter().filter(|(of, found)| {
        let is_known = open.iter().any(|(key, _)| key == *of);
        matches!(found.row, Row::Live(_)) && !is_known
    });
    assert_eq!(orphans.count(), 0, "a row of nobody's: {story}");
}

/// Returns the sum of the interleavings of all pairs.
fn each_two(ways: impl Fn(&[Wish]) -> usize) -> usize {
    let pairs = WISHES
        .iter()
        .flat_map(|one| WISHES.map(|other| [*one, other]));
    pairs.map(|pair| ways(&pair)).sum()
}

fn each_three(ways: impl Fn(&[Wish]) -> usize) -> usize {
    let with = |pair: &[Wish]| {
        let threes = WISHES.iter().map(|third| [pair, &[*third]].concat());
        threes.map(|three| ways(&three)).sum()
    };
    each_two(with)
}

#[test]
fn without_concurrency_each_operation_has_its_effect() {
    for wish in WISHES {
        assert_eq!(explore_all(&[wish], NONE), 1);
    }
}

#[test]
fn every_interleaving_of_two() {
    let ways = each_two(|wishes| explore_all(wishes, NONE));
    assert!(ways > 90, "{ways}");
}

#[test]
fn every_interleaving_of_three() {
    let ways = each_three(|wishes| explore_all(wishes, NONE));
    assert!(ways > 10_000, "{ways}");
}

#[test]
fn every_interleaving_of_two_and_a_request_that_arrives_late() {
    let ways = each_two(|pair| {
        let with_late = [pair, &[Wish::LateEnd]].concat();
        explore_all(&with_late, NONE)
    });
    assert!(ways > 1_000, "{ways}");
}

#[test]
fn every_interleaving_of_two_with_lost_replies() {
    let faults = Faults {
        lost_replies: 2,
        cuts: 0,
    };
    let ways = each_two(|wishes| explore_all(wishes, faults));
    assert!(ways > 10_000, "{ways}");
}

#[test]
fn every_interleaving_of_two_with_requests_cut_off() {
    let faults = Faults {
        lost_replies: 1,
        cuts: 1,
    };
    let ways = each_two(|wishes| explore_all(wishes, faults));
    assert!(ways > 10_000, "{ways}");
}
