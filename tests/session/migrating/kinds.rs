//! Each kind of move, from the old store alone to the new store alone.

use std::sync::Arc;

use silverback::backend::Memory;
use silverback::codec::{HashKey, KeyPair};
use silverback::session::testing::Jar;
use silverback::session::{CookieStore, Error, Migrating, MigrationStage, Session, Transfer};

use super::super::server::test_backend::TestBackend;
use super::super::support::codecs;
use super::stepping::at_once;
use super::{KINDS, Kind, MOVE, PREPARE, Process, Sight, Site, count, is_open, request, sight};

const DONE: Process = Process::At(MigrationStage::Done);

/// Visits at each step of the deployment, and checks the cookies at the end.
fn walks(kind: Kind) -> (Site, Jar) {
    let site = Site::new(kind);
    let mut jar = at_once(site.jar(Process::OldAlone, Some("ape")));
    let steps = [
        Process::OldAlone,
        PREPARE,
        MOVE,
        PREPARE,
        MOVE,
        DONE,
        MOVE,
        Process::NewAlone,
    ];
    for (visits, process) in (2..).zip(steps) {
        let (done, after) = at_once(request(site.process(process), &jar, count));
        done.unwrap();
        jar = after;
        let seen = at_once(sight(site.process(process), &jar));
        assert_eq!(
            seen,
            Sight::Visits(visits, Some("ape".to_owned())),
            "{process:?}"
        );
    }
    (site, jar)
}

#[test]
fn a_session_moves_to_another_server() {
    walks(Kind::Server);
}

#[test]
fn a_session_moves_from_scs_to_the_native_dialect() {
    let (_, jar) = walks(Kind::Scs);
    assert_eq!(jar.get("session"), None, "the old cookie is removed");
    assert!(jar.get("__Host-id").is_some());
}

#[test]
fn a_session_moves_to_other_keys() {
    walks(Kind::Keys);
}

#[test]
fn a_session_moves_to_another_cookie_name() {
    let (_, jar) = walks(Kind::CookieName);
    assert_eq!(jar.get("session"), None, "the old cookie is removed");
    assert!(jar.get("__Host-id").is_some());
}

#[test]
fn a_session_moves_from_a_cookie_to_a_server() {
    walks(Kind::Cookie);
    walks(Kind::RevocableCookie);
}

#[test]
fn a_session_keeps_its_public_id() {
    for kind in [Kind::Server, Kind::Scs, Kind::Keys, Kind::CookieName] {
        let site = Site::new(kind);
        let jar = at_once(site.jar(Process::OldAlone, Some("ape")));
        let id = |process, jar: &Jar| {
            let session = at_once(jar.session(site.process(process))).unwrap();
            session.id().unwrap()
        };
        let before = id(PREPARE, &jar);
        let (done, jar) = at_once(request(site.process(MOVE), &jar, count));
        done.unwrap();
        assert_eq!(id(MOVE, &jar), before, "{kind:?}");
    }
}

/// A cookie of the former name does not come back with the next request.
#[test]
fn a_logout_removes_both_cookies() {
    for kind in [Kind::Scs, Kind::CookieName] {
        let site = Site::new(kind);
        let mut jar = at_once(site.jar(Process::OldAlone, Some("ape")));
        let theirs = at_once(site.jar(MOVE, Some("ape")));
        jar.set("__Host-id", theirs.get("__Host-id").unwrap());
        let end = |session: &Session| session.end();
        let (done, jar) = at_once(request(site.process(MOVE), &jar, end));
        done.unwrap();
        assert_eq!(jar.cookie(), "", "{kind:?}");
    }
}

/// A text of the cookie that the client had when its session moved.
#[test]
fn a_spent_cookie_opens_the_session_that_has_moved_and_nothing_after_its_end() {
    for kind in [Kind::Cookie, Kind::RevocableCookie] {
        let site = Site::new(kind);
        let old = at_once(site.jar(Process::OldAlone, Some("ape")));
        let (done, jar) = at_once(request(site.process(MOVE), &old, count));
        done.unwrap();
        let expected = Sight::Visits(2, Some("ape".to_owned()));
        assert_eq!(at_once(sight(site.process(PREPARE), &old)), expected);
        let end = |session: &Session| session.end();
        let (done, _) = at_once(request(site.process(MOVE), &jar, end));
        done.unwrap();
        for process in [PREPARE, MOVE] {
            assert!(!is_open(&at_once(sight(site.process(process), &old))));
        }
    }
}

#[test]
fn a_login_and_a_renewal_spend_the_cookie() {
    for process in [PREPARE, MOVE] {
        for renews in [true, false] {
            let site = Site::new(Kind::Cookie);
            let old = at_once(site.jar(Process::OldAlone, Some("ape")));
            let (done, new) = at_once(request(
                site.process(process),
                &old,
                |session| match renews {
                    true => session.renew(),
                    false => session.login_keeping_values("ape"),
                },
            ));
            done.unwrap();
            let expected = Sight::Visits(1, Some("ape".to_owned()));
            assert_eq!(at_once(sight(site.process(process), &new)), expected);
            assert!(!is_open(&at_once(sight(site.process(process), &old))));
        }
    }
}

#[test]
fn a_copy_is_written_once_and_follows_its_original() {
    let site = Site::new(Kind::Keys);
    let jar = at_once(site.jar(Process::OldAlone, Some("ape")));
    let scan = site.old.scan().unwrap();
    let key = at_once(scan.page(None, 10)).unwrap().entries[0].key.clone();
    let copy = || at_once(site.migrating().copy(&key)).unwrap();
    assert_eq!(copy(), Transfer::Done);
    assert_eq!(copy(), Transfer::Same);
    let (done, jar) = at_once(request(site.process(PREPARE), &jar, count));
    done.unwrap();
    assert_eq!(copy(), Transfer::Done);
    assert_eq!(copy(), Transfer::Same);
    let list = at_once(site.migrating().list("ape")).unwrap();
    assert_eq!(list.len(), 1, "a copy is no second session");
    assert_eq!(
        at_once(site.migrating().move_session(&key)).unwrap(),
        Transfer::Done
    );
    let (done, _) = at_once(request(site.process(MOVE), &jar, count));
    done.unwrap();
    assert_eq!(copy(), Transfer::Newer);
    assert_eq!(at_once(site.migrating().list("ape")).unwrap().len(), 1);
    at_once(site.migrating().end("ape", list[0].id())).unwrap();
    assert!(at_once(site.migrating().list("ape")).unwrap().is_empty());
}

#[test]
fn stores_that_cannot_keep_the_laws_are_refused() {
    let site = Site::new(Kind::Scs);
    let back = Migrating::new(site.new_rows(), site.old_rows());
    assert!(back.unwrap_err().is_usage());
    let signed = KeyPair::sign_only(HashKey::generate().unwrap());
    let signed = CookieStore::new(codecs([signed])).unwrap();
    let moved = Migrating::new(signed, site.new_rows());
    let error = moved.unwrap_err();
    assert!(
        error.is_usage() && error.to_string().contains("block key"),
        "{error}"
    );
}

/// A request of a session that was in the old store, while one of the servers does not answer.
#[test]
fn an_unavailable_store_is_an_error_and_never_an_empty_session() {
    for kind in KINDS {
        for is_new in [false, true] {
            if kind == Kind::Cookie && !is_new {
                continue; // there is no old server
            }
            let mut site = Site::new(kind);
            let side = if is_new { &mut site.new } else { &mut site.old };
            let server = TestBackend::new(side.clone());
            *side = Arc::new(server.clone());
            let jar = at_once(site.jar(Process::OldAlone, Some("ape")));
            for process in [PREPARE, MOVE] {
                server.is_down(true);
                type Handle = fn(&Session) -> Result<(), Error>;
                let handles: [Handle; 2] = [count, |session| session.end()];
                for handle in handles {
                    let (done, after) = at_once(request(site.process(process), &jar, handle));
                    let error = done.unwrap_err();
                    assert_eq!(
                        error.status(),
                        503,
                        "{kind:?} {is_new} {process:?}: {error}"
                    );
                    assert_eq!(after.cookie(), jar.cookie());
                }
                server.is_down(false);
                let seen = at_once(sight(site.process(process), &jar));
                assert_eq!(seen, Sight::Visits(1, Some("ape".to_owned())), "{kind:?}");
            }
        }
    }
}

/// The mark of a row that has moved expires when the row would have expired. A session that is used
/// lasts longer.
#[test]
fn a_session_that_was_saved_after_its_move_needs_no_mark_in_the_old_store() {
    for kind in [Kind::Server, Kind::Keys, Kind::CookieName] {
        let mut site = Site::new(kind);
        let jar = at_once(site.jar(Process::OldAlone, Some("ape")));
        let (done, jar) = at_once(request(site.process(MOVE), &jar, count));
        done.unwrap();
        site.old = Arc::new(Memory::new());
        for process in [PREPARE, MOVE, Process::NewAlone] {
            let seen = at_once(sight(site.process(process), &jar));
            let expected = Sight::Visits(2, Some("ape".to_owned()));
            assert_eq!(seen, expected, "{kind:?} {process:?}");
        }
    }
}

/// A request loads a session in the old store. Another one renews it there, and a third one moves it.
#[test]
fn a_late_request_follows_a_session_that_was_renewed_and_moved() {
    for kind in [Kind::Server, Kind::CookieName] {
        for ends in [false, true] {
            let site = Site::new(kind);
            let jar = at_once(site.jar(Process::OldAlone, Some("ape")));
            let late = jar.sessions(site.process(PREPARE));
            let session = at_once(late.session()).unwrap();
            let renew = |session: &Session| session.renew();
            let (done, jar) = at_once(request(site.process(PREPARE), &jar, renew));
            done.unwrap();
            let (done, jar) = at_once(request(site.process(MOVE), &jar, count));
            done.unwrap();
            match ends {
                true => session.end().unwrap(),
                false => count(&session).unwrap(),
            }
            at_once(late.finish()).unwrap();
            let seen = at_once(sight(site.process(MOVE), &jar));
            match ends {
                true => assert!(!is_open(&seen), "{kind:?}: {seen:?}"),
                false => assert_eq!(seen, Sight::Visits(3, Some("ape".to_owned()))),
            }
        }
    }
}
