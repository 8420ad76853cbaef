//! A process is killed at each call to a backend, while it moves a session, saves it or ends it.

use silverback::session::testing::Jar;
use silverback::session::{Error, Session};

use super::stepping::{Stepped, at_once};
use super::{KINDS, Kind, MOVE, PREPARE, Process, Sight, Site, count, is_open, request, sight};

/// Runs a request up to each of its calls, kills it there, and checks the site. Returns the number of
/// kills.
fn at_each_call(
    kind: Kind,
    process: Process,
    handle: fn(&Session) -> Result<(), Error>,
    check: impl Fn(&Site, &Jar, bool),
) -> usize {
    for calls in 0.. {
        let site = Site::new(kind);
        let jar = at_once(site.jar(Process::OldAlone, Some("ape")));
        let stores = site.stepping().process(process);
        let mut stepped = Stepped::new(request(stores, &jar, handle));
        for _ in 0..calls {
            stepped.step();
        }
        let is_done = stepped.is_done();
        stepped.kill();
        check(&site, &jar, is_done);
        if is_done {
            return calls;
        }
    }
    0
}

#[test]
fn no_session_is_lost() {
    let mut kills = 0;
    for kind in KINDS {
        for process in [PREPARE, MOVE] {
            kills += at_each_call(kind, process, count, |site, jar, _| {
                for next in [PREPARE, MOVE] {
                    let seen = at_once(sight(site.process(next), jar));
                    let Sight::Visits(1 | 2, Some(owner)) = &seen else {
                        panic!("{kind:?} {process:?}: {seen:?}");
                    };
                    assert_eq!(owner, "ape");
                }
                // The client never got the response, and goes on with its old cookie.
                let before = at_once(sight(site.process(MOVE), jar));
                let (done, after) = at_once(request(site.process(MOVE), jar, count));
                done.unwrap();
                let seen = at_once(sight(site.process(Process::NewAlone), &after));
                let visits = |sight: &Sight| match sight {
                    Sight::Visits(visits, _) => *visits,
                    Sight::Nothing(_) => 0,
                };
                // What was not acknowledged may be there or not.
                let counted = visits(&seen) - visits(&before);
                assert!((1..=2).contains(&counted), "{kind:?}: {before:?} {seen:?}");
            });
        }
    }
    println!("{kills} kills");
    assert!(kills > 50, "only {kills} kills");
}

/// A request that moves a session is killed at each call. Then the session ends, by a request of
/// either stage.
#[test]
fn no_session_is_restored_by_what_a_kill_has_left() {
    let mut kills = 0;
    for kind in KINDS {
        for ends_at in [PREPARE, MOVE] {
            kills += at_each_call(kind, MOVE, count, |site, jar, _| {
                let end = |session: &Session| session.end();
                let (done, _) = at_once(request(site.process(ends_at), jar, end));
                done.unwrap();
                assert_nothing_opens(site, jar);
            });
        }
    }
    println!("{kills} kills");
    assert!(kills > 50, "only {kills} kills");
}

/// A logout is killed at each call, and a request moves the session after it.
#[test]
fn a_killed_logout_loses_nothing_or_ends_all() {
    let mut kills = 0;
    for kind in KINDS {
        for process in [PREPARE, MOVE] {
            let end: fn(&Session) -> Result<(), Error> = |session| session.end();
            kills += at_each_call(kind, process, end, |site, jar, is_done| {
                let seen = at_once(sight(site.process(MOVE), jar));
                assert!(!is_done || !is_open(&seen), "{kind:?}: {seen:?}");
                let (done, _) = at_once(request(site.process(MOVE), jar, end));
                done.unwrap();
                assert_nothing_opens(site, jar);
            });
        }
    }
    println!("{kills} kills");
    assert!(kills > 20, "only {kills} kills");
}

/// The program that copies or moves all sessions is killed at each call.
#[test]
fn a_killed_transfer_loses_and_restores_nothing() {
    let mut kills = 0;
    for kind in [Kind::Server, Kind::Keys, Kind::CookieName] {
        for moves in [false, true] {
            for ends in [false, true] {
                kills += transfer_at_each_call(kind, moves, ends);
            }
        }
    }
    println!("{kills} kills");
    assert!(kills > 30, "only {kills} kills");
}

fn transfer_at_each_call(kind: Kind, moves: bool, ends: bool) -> usize {
    for calls in 0.. {
        let site = Site::new(kind);
        let jar = at_once(site.jar(Process::OldAlone, Some("ape")));
        let scan = site.old.scan().unwrap();
        let entries = at_once(scan.page(None, 10)).unwrap().entries;
        let key = entries[0].key.clone();
        let stores = site.stepping().migrating();
        let mut stepped = Stepped::new(async {
            match moves {
                true => stores.move_session(&key).await,
                false => stores.copy(&key).await,
            }
        });
        for _ in 0..calls {
            stepped.step();
        }
        let is_done = stepped.is_done();
        stepped.kill();
        match ends {
            true => {
                let end = |session: &Session| session.end();
                let (done, _) = at_once(request(site.process(PREPARE), &jar, end));
                done.unwrap();
                assert_nothing_opens(&site, &jar);
            }
            false => {
                let (done, after) = at_once(request(site.process(PREPARE), &jar, count));
                done.unwrap();
                let expected = Sight::Visits(2, Some("ape".to_owned()));
                let seen = at_once(sight(site.process(MOVE), &after));
                assert_eq!(seen, expected, "{kind:?} {moves}");
            }
        }
        if is_done {
            return calls;
        }
    }
    0
}

fn assert_nothing_opens(site: &Site, jar: &Jar) {
    for process in [PREPARE, MOVE, Process::NewAlone] {
        let seen = at_once(sight(site.process(process), jar));
        assert!(!is_open(&seen), "{:?} {process:?}: {seen:?}", site.kind);
    }
    if !site.is_of_cookies() {
        let seen = at_once(sight(site.process(Process::OldAlone), jar));
        assert!(!is_open(&seen), "{:?}: {seen:?}", site.kind);
    }
}
