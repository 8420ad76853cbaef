//! Tests of the rule over every interleaving of logins, repeated logins and renewals, call by call,
//! with one request cut off at each of its calls. Other rules must fail the same tests.

use std::collections::HashSet;

use super::*;

/// The live rows, each under its place, which is its key.
type Rows = BTreeMap<usize, Standing>;

/// The task of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Wish {
    Login,
    /// A login in the browser with the session at this place.
    Relogin(usize),
    /// A renewal of the session at this place.
    Renew(usize),
}

/// The next call of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Next {
    Begin,
    Create(Standing),
    /// Ends the former session, or moves it to this request's own place.
    Bury(usize),
    List,
    Load(Vec<usize>, Vec<(usize, Standing)>),
    End(Vec<usize>),
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Request {
    wish: Wish,
    /// The place of the row that it creates.
    place: usize,
    next: Next,
}

/// The state of a run: the rows, the present places of renewed rows, and the requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    rows: Rows,
    renewed: BTreeMap<usize, usize>,
    /// The present places of rows that a login has replaced.
    replaced: BTreeMap<usize, usize>,
    logins: u64,
    requests: Vec<Request>,
    cuts: usize,
}

/// A rule. Its arguments are the listed sessions, the limit, and the number of the login that
/// lists.
type Rule = fn(&[Standing], usize, u64) -> BTreeSet<u64>;

fn ours(sessions: &[Standing], max_sessions: usize, _: u64) -> BTreeSet<u64> {
    too_many(sessions.iter().copied(), max_sessions)
}

impl State {
    /// Creates the state after `before` logins, with the requests still to come.
    fn new(before: usize, wishes: &[Wish], cuts: usize) -> Self {
        let rows = (0..before).map(|place| {
            let number = place as u64 + 1;
            let replaces = None;
            let place_of_before = None;
            let standing = Standing {
                number,
                replaces,
                place: place_of_before,
            };
            (place, standing)
        });
        let requests = wishes.iter().enumerate().map(|(number, wish)| Request {
            wish: *wish,
            place: before + number,
            next: Next::Begin,
        });
        State {
            rows: rows.collect(),
            renewed: BTreeMap::new(),
            replaced: BTreeMap::new(),
            logins: before as u64,
            requests: requests.collect(),
            cuts,
        }
    }

    /// Returns the present place of the row that was at `place`.
    fn place_now(&self, place: usize) -> usize {
        self.renewed
            .get(&place)
            .map_or(place, |to| self.place_now(*to))
    }

    /// Returns the state after that request's next call has been answered.
    fn after(&self, number: usize, rule: Rule, max_sessions: usize) -> Self {
        let mut state = self.clone();
        let Request { wish, place, next } = self.requests[number].clone();
        let next = match next {
            Next::Begin => state.begin(wish),
            Next::Create(standing) => {
                state.rows.insert(place, standing);
                match wish {
                    Wish::Login => Next::List,
                    Wish::Relogin(before) | Wish::Renew(before) => Next::Bury(before),
                }
            }
            Next::Bury(before) => state.bury(wish, before, place),
            Next::List => Next::Load(state.rows.keys().copied().collect(), Vec::new()),
            Next::Load(mut keys, mut found) => {
                let place = keys.pop().map(|place| state.place_now(place));
                let row = place.and_then(|place| Some((place, *state.rows.get(&place)?)));
                found.extend(row);
                match keys.is_empty() {
                    false => Next::Load(keys, found),
                    true => Next::End(self.ended(number, &found, rule, max_sessions)),
                }
            }
            Next::End(mut ended) => {
                let place = ended.pop().map(|place| state.place_now(place));
                place.map(|place| state.rows.remove(&place));
                Next::End(ended)
            }
            Next::Nothing => Next::Nothing,
        };
        state.requests[number].next = match next {
            Next::End(ended) if ended.is_empty() => Next::Nothing,
            next => next,
        };
        state
    }

    fn begin(&mut self, wish: Wish) -> Next {
        let number_at = |rows: &Rows, place| rows.get(place).map(|of: &Standing| of.number);
        match wish {
            Wish::Renew(before) => match self.rows.get(&before) {
                Some(standing) => Next::Create(*standing),
                None => Next::Nothing,
            },
            Wish::Login | Wish::Relogin(_) => {
                self.logins += 1;
                Next::Create(Standing {
                    number: self.logins,
                    replaces: match wish {
                        Wish::Relogin(before) => number_at(&self.rows, &before),
                        _ => None,
                    },
                    place: match wish {
                        Wish::Relogin(before) => Some(before as u64),
                        _ => None,
                    },
                })
            }
        }
    }

    fn bury(&mut self, wish: Wish, before: usize, place: usize) -> Next {
        let mut before = self.place_now(before);
        if let Wish::Relogin(_) = wish {
            // A login follows the login that was first to replace the row, and replaces it.
            while let Some(to) = self.replaced.get(&before) {
                before = self.place_now(*to);
            }
            self.replaced.insert(before, place);
        }
        let was_there = self.rows.remove(&before).is_some();
        match wish {
            Wish::Renew(_) => {
                if was_there {
                    self.renewed.insert(before, place);
                } else {
                    self.rows.remove(&place);
                }
                Next::Nothing
            }
            _ => Next::List,
        }
    }

    fn ended(
        &self,
        number: usize,
        found: &[(usize, Standing)],
        rule: Rule,
        max_sessions: usize,
    ) -> Vec<usize> {
        let standings: Vec<Standing> = found.iter().map(|(_, standing)| *standing).collect();
        let own = self.rows.get(&self.requests[number].place);
        let ended = rule(&standings, max_sessions, own.map_or(0, |own| own.number));
        let rows = found.iter().filter(|(_, of)| ended.contains(&of.number));
        rows.map(|(place, _)| *place).collect()
    }

    /// Returns the state after that request has been cut off. The session that it replaces then no
    /// longer ends.
    fn cut_off(&self, number: usize) -> Self {
        let mut state = self.clone();
        state.cuts -= 1;
        state.requests[number].next = Next::Nothing;
        state
    }
}

/// Returns all states in which no request has a next call.
fn ends_of(state: State, rule: Rule, max_sessions: usize) -> HashSet<State> {
    let (mut ends, mut seen, mut left) = (HashSet::new(), HashSet::new(), vec![state]);
    while let Some(state) = left.pop() {
        if !seen.insert(state.clone()) {
            continue;
        }
        let open = |number: &usize| state.requests[*number].next != Next::Nothing;
        let open: Vec<usize> = (0..state.requests.len()).filter(open).collect();
        for number in &open {
            left.push(state.after(*number, rule, max_sessions));
            if state.cuts > 0 {
                left.push(state.cut_off(*number));
            }
        }
        if open.is_empty() {
            ends.insert(state);
        }
    }
    ends
}

/// Returns the numbers of the remaining sessions.
fn left(state: &State) -> Vec<u64> {
    let mut numbers: Vec<u64> = state.rows.values().map(|of| of.number).collect();
    numbers.sort_unstable();
    numbers
}

/// Returns whether exactly the latest sessions remain, each once. Sessions that a repeated login
/// has replaced do not count.
fn is_right(state: &State, max_sessions: usize) -> bool {
    let replaced = state
        .requests
        .iter()
        .filter_map(|request| match request.wish {
            Wish::Relogin(before) => Some(before as u64 + 1),
            _ => None,
        });
    let replaced: Vec<u64> = replaced.collect();
    let mut all = (1..=state.logins).filter(|number| !replaced.contains(number));
    let ended = all.clone().count().saturating_sub(max_sessions);
    let latest: Vec<u64> = all.by_ref().skip(ended).collect();
    left(state) == latest
}

/// Returns the number of end states with the wrong sessions.
fn wrong(before: usize, wishes: &[Wish], max_sessions: usize, rule: Rule) -> usize {
    let ends = ends_of(State::new(before, wishes, 0), rule, max_sessions);
    assert!(!ends.is_empty());
    ends.iter()
        .filter(|end| !is_right(end, max_sessions))
        .count()
}

#[test]
fn concurrent_logins_leave_the_latest_sessions() {
    for (logins, most_before) in [(2, 2), (3, 1)] {
        for before in 0..=most_before {
            for max_sessions in 1..4 {
                let wrong = wrong(before, &vec![Wish::Login; logins], max_sessions, ours);
                assert_eq!(wrong, 0, "{before} {logins} {max_sessions}");
            }
        }
    }
}

#[test]
fn a_repeated_login_of_a_browser_ends_no_third_session() {
    let wishes: [&[Wish]; 2] = [
        &[Wish::Relogin(1), Wish::Login],
        &[Wish::Relogin(1), Wish::Relogin(0)],
    ];
    for wishes in wishes {
        for before in 2..4 {
            for max_sessions in 1..5 {
                let wrong = wrong(before, wishes, max_sessions, ours);
                assert_eq!(wrong, 0, "{wishes:?} {before} {max_sessions}");
            }
        }
    }
}

/// Two requests of one browser that log in at once leave one session: which of the two is chance.
#[test]
fn two_concurrent_logins_of_a_browser_end_no_third_session() {
    let twice = [Wish::Relogin(1); 2];
    let wrong = |rule: Rule| {
        let mut wrong = 0;
        for before in 2..4 {
            for max_sessions in 1..5 {
                let ends = ends_of(State::new(before, &twice, 0), rule, max_sessions);
                let expected = before.min(max_sessions);
                wrong += ends.iter().filter(|end| end.rows.len() != expected).count();
            }
        }
        wrong
    };
    assert_eq!(wrong(ours), 0);
    let without_places: Rule = |sessions, max_sessions, _| {
        let sessions = sessions.iter().map(|of| Standing { place: None, ..*of });
        too_many(sessions, max_sessions)
    };
    assert!(wrong(without_places) > 0);
}

#[test]
fn a_session_during_a_renewal_counts_once_and_ends_under_both_ids() {
    for renewed in 0..2 {
        for max_sessions in 1..4 {
            let wishes = [Wish::Renew(renewed), Wish::Login, Wish::Login];
            assert_eq!(
                wrong(2, &wishes, max_sessions, ours),
                0,
                "{renewed} {max_sessions}"
            );
        }
    }
}

/// A login that is cut off can leave too many sessions, but never ends too many. The next login
/// ends the rest, once the longest request has passed.
#[test]
fn after_an_interrupted_login_the_next_one_ends_the_oldest() {
    for wishes in [[Wish::Login; 2], [Wish::Relogin(0), Wish::Login]] {
        for max_sessions in 1..4 {
            for mut end in ends_of(State::new(2, &wishes, 1), ours, max_sessions) {
                for row in end.rows.values_mut() {
                    (row.replaces, row.place) = (None, None);
                }
                let created = left(&end);
                assert!(created.len() >= max_sessions.min(2), "{end:?}");
                (end.requests, end.cuts) = (State::new(4, &[Wish::Login], 0).requests, 0);
                for repaired in ends_of(end.clone(), ours, max_sessions) {
                    let mut latest = [&created[..], &[repaired.logins]].concat();
                    latest.drain(..latest.len().saturating_sub(max_sessions));
                    assert_eq!(left(&repaired), latest, "{end:?}");
                }
            }
        }
    }
}

/// Rules that look like ours. Each leaves too few or too many sessions after some interleaving.
#[test]
fn wrong_rules_fail_these_tests() {
    /// A login ends all other sessions beyond the limit. Of two concurrent logins, each may end the
    /// other.
    const ENDS_ALL_OTHERS: Rule = |sessions, max_sessions, own| {
        let others = sessions.iter().map(|of| of.number);
        let others: BTreeSet<u64> = others.filter(|of| *of != own).collect();
        let ended = (others.len() + 1).saturating_sub(max_sessions);
        others.into_iter().take(ended).collect()
    };
    /// A login never ends itself.
    const SPARES_ITSELF: Rule = |sessions, max_sessions, own| {
        let mut ended = ours(sessions, max_sessions, own);
        ended.remove(&own);
        ended
    };
    /// The session that a login replaces counts in addition to the new one.
    const COUNTS_THE_REPLACED: Rule = |sessions, max_sessions, _| {
        let alone = sessions.iter().map(|of| Standing {
            replaces: None,
            place: None,
            ..*of
        });
        too_many(alone, max_sessions)
    };
    /// A session counts once for each of its rows.
    const COUNTS_ROWS: Rule = |sessions, max_sessions, own| {
        let twice = sessions.len() - BTreeSet::from_iter(sessions.iter().map(|of| of.number)).len();
        ours(sessions, max_sessions.saturating_sub(twice), own)
    };
    let two = [Wish::Login; 2];
    assert!(wrong(0, &two, 1, ENDS_ALL_OTHERS) > 0);
    assert!(wrong(0, &two, 1, SPARES_ITSELF) > 0);
    let relogin = [Wish::Relogin(1), Wish::Login];
    assert!(wrong(2, &relogin, 3, COUNTS_THE_REPLACED) > 0);
    let renewal = [Wish::Renew(1), Wish::Login];
    assert!(wrong(2, &renewal, 3, COUNTS_ROWS) > 0);
}
