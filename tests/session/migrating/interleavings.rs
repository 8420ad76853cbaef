//! Two requests of one session, in two processes, in every order of their calls to the backends.

use silverback::backend::Key;
use silverback::session::testing::Jar;
use silverback::session::{Error, MigrationStage, Session};

use super::stepping::{Stepped, at_once};
use super::{Kind, MOVE, PREPARE, Process, Sight, Site, count, is_open, request, sight};

type Answer = (Result<(), Error>, Jar);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Count,
    Logout,
    Renew,
    Login,
    EndOthers,
    /// The program copies the session, or moves it.
    Copies,
    Moves,
}

impl Act {
    fn handle(self, session: &Session) -> Result<(), Error> {
        match self {
            Act::Count | Act::Copies | Act::Moves => count(session),
            Act::Logout => session.end(),
            Act::Renew => {
                count(session)?;
                session.renew()
            }
            Act::Login => session.login("bonobo"),
            Act::EndOthers => {
                count(session)?;
                session.end_others()
            }
        }
    }

    fn counts(self) -> bool {
        matches!(self, Act::Count | Act::Renew | Act::EndOthers)
    }
}

/// One of the two requests.
#[derive(Clone, Copy, Debug)]
struct Actor {
    process: Process,
    act: Act,
}

impl Actor {
    async fn run(self, site: Site, jar: Jar) -> Answer {
        if !matches!(self.act, Act::Copies | Act::Moves) {
            return request(site.process(self.process), &jar, |session| {
                self.act.handle(session)
            })
            .await;
        }
        let done = async {
            for key in keys(&site, &jar).await {
                match self.act {
                    Act::Copies => site.migrating().copy(&key).await?,
                    _ => site.migrating().move_session(&key).await?,
                };
            }
            Ok(())
        };
        (done.await, jar)
    }
}

/// Returns the keys of the old store. Those of scs are the tokens in the cookies.
async fn keys(site: &Site, jar: &Jar) -> Vec<Key> {
    let Some(scan) = site.old.scan() else {
        return jar
            .get("session")
            .map(|token| Key::new(token).unwrap())
            .into_iter()
            .collect();
    };
    let entries = scan.page(None, 10).await.unwrap().entries;
    entries.into_iter().map(|entry| entry.key).collect()
}

/// The result of one order.
struct Run {
    site: Site,
    before: Jar,
    answers: [Answer; 2],
}

/// Runs two requests in every order in which their process is changed at most three times, and
/// returns the number of orders: one makes some calls, the other makes some, the first makes all
/// that are left, and then the other.
fn in_every_order(kind: Kind, begins: Process, actors: [Actor; 2], check: impl Fn(&Run)) -> usize {
    let mut orders = 0;
    for is_swapped in [false, true] {
        for first_steps in 0.. {
            let mut is_done = false;
            let stride = if is_full() { 1 } else { 2 };
            for second_steps in (first_steps % stride..).step_by(stride) {
                let (run, done) = in_order(
                    kind,
                    begins,
                    actors,
                    is_swapped,
                    [first_steps, second_steps],
                );
                check(&run);
                orders += 1;
                is_done = done[0];
                if done[0] || done[1] {
                    break;
                }
            }
            if is_done {
                break;
            }
        }
    }
    orders
}

/// Runs two requests in one order. Also returns which of them ended within its steps.
fn in_order(
    kind: Kind,
    begins: Process,
    actors: [Actor; 2],
    is_swapped: bool,
    steps: [usize; 2],
) -> (Run, [bool; 2]) {
    let site = Site::new(kind);
    let before = at_once(site.jar(begins, Some("ape")));
    let stepping = site.stepping();
    let mut requests =
        actors.map(|actor| Stepped::new(actor.run(stepping.clone(), before.clone())));
    let places = if is_swapped { [1, 0] } else { [0, 1] };
    let mut done = [false; 2];
    for (turn, place) in places.into_iter().enumerate() {
        for _ in 0..steps[turn] {
            requests[place].step();
        }
        done[turn] = requests[place].is_done();
    }
    for place in places {
        requests[place].run();
    }
    let answers = requests.map(|request| request.result.expect("it has ended"));
    let run = Run {
        site,
        before,
        answers,
    };
    (run, done)
}

/// Returns the requests in all pairs of neighbouring stages. The program copies and moves only
/// while all processes know both stores.
fn pairs_of(acts: [Act; 2]) -> impl Iterator<Item = [Actor; 2]> {
    let transfers = acts
        .iter()
        .any(|act| matches!(act, Act::Copies | Act::Moves));
    let with_old = [[Process::OldAlone, PREPARE], [PREPARE, Process::OldAlone]];
    let both_known = [[PREPARE, MOVE], [MOVE, PREPARE], [MOVE, MOVE]];
    let with_old = with_old.into_iter().filter(move |_| !transfers);
    with_old.chain(both_known).map(move |processes| {
        [0, 1].map(|place| Actor {
            process: processes[place],
            act: acts[place],
        })
    })
}

/// Returns what each of the jars sees, in a process that moves sessions and in one that does not.
fn sights(run: &Run) -> Vec<Sight> {
    let [(_, one), (_, other)] = &run.answers;
    let jars = [&run.before, one, other];
    let of = |jar: &Jar| [PREPARE, MOVE].map(|at| at_once(sight(run.site.process(at), jar)));
    jars.into_iter().flat_map(of).collect()
}

/// The kinds of moves between rows. Other keys and other names behave alike.
const IN_ROWS: [Kind; 3] = [Kind::Server, Kind::Scs, Kind::CookieName];

/// Returns whether every order of every kind runs: if `SILVERBACK_ROUNDS` is 1000 or more.
fn is_full() -> bool {
    let rounds = std::env::var("SILVERBACK_ROUNDS").ok();
    let rounds = rounds.and_then(|rounds| rounds.parse::<u64>().ok());
    rounds.is_some_and(|rounds| rounds >= 1_000)
}

/// Returns the requests in all pairs of neighbouring stages, each with all kinds or in turn with one.
fn all_of(acts: &[[Act; 2]]) -> Vec<(Kind, [Actor; 2])> {
    let pairs = acts.iter().flat_map(|acts| pairs_of(*acts));
    let of_kinds = pairs.enumerate().flat_map(|(number, actors)| {
        let kinds = match is_full() {
            true => IN_ROWS.to_vec(),
            false => vec![IN_ROWS[number % IN_ROWS.len()]],
        };
        kinds.into_iter().map(move |kind| (kind, actors))
    });
    of_kinds.collect()
}

#[test]
fn no_update_is_lost() {
    let mut orders = 0;
    for (kind, actors) in all_of(&[
        [Act::Count, Act::Count],
        [Act::Count, Act::Renew],
        [Act::Renew, Act::Renew],
        [Act::Count, Act::Copies],
        [Act::Count, Act::Moves],
        [Act::Renew, Act::Moves],
    ]) {
        orders += in_every_order(kind, Process::OldAlone, actors, |run| {
            let counted = actors.iter().zip(&run.answers);
            let counted = counted.filter(|(actor, (done, _))| actor.act.counts() && done.is_ok());
            let visits = 1 + u64::try_from(counted.count()).unwrap();
            let renews = actors.iter().any(|of| of.act == Act::Renew);
            for (done, _) in &run.answers {
                assert!(renews || done.is_ok(), "{kind:?} {actors:?}: {done:?}");
            }
            let seen = sights(run);
            // A request whose session another process renews in rows without tombstones is gone, and
            // its response is no error.
            let may_be_gone = kind == Kind::Scs && renews;
            let expected = Sight::Visits(visits, Some("ape".to_owned()));
            assert!(
                seen.contains(&expected) || (may_be_gone && seen.iter().any(is_open)),
                "{kind:?} {actors:?}: {visits} visits are acknowledged: {seen:?}"
            );
        });
    }
    println!("{orders} orders");
    assert!(orders > 500, "only {orders} orders");
}

#[test]
fn a_logout_is_final_in_both_stores() {
    let others = [Act::Count, Act::Renew, Act::Copies, Act::Moves, Act::Logout];
    let ends = [Act::Logout, Act::Login];
    let acts = ends.map(|end| others.map(|other| [end, other]));
    let mut orders = 0;
    for (kind, actors) in all_of(acts.as_flattened()) {
        orders += in_every_order(kind, Process::OldAlone, actors, |run| {
            let [(done, _), (_, other_jar)] = &run.answers;
            done.as_ref().unwrap();
            // The cookie of a renewal may arrive after the logout: it opens nothing.
            for jar in [&run.before, other_jar] {
                for process in [PREPARE, MOVE, Process::NewAlone, Process::OldAlone] {
                    let seen = at_once(sight(run.site.process(process), jar));
                    // Rows without tombstones do not show another process that they were renewed.
                    let may_stay = kind == Kind::Scs && actors[1].act == Act::Renew;
                    assert!(
                        !is_open(&seen) || may_stay,
                        "{kind:?} {actors:?} {process:?}: {seen:?}"
                    );
                }
            }
        });
    }
    println!("{orders} orders");
    assert!(orders > 500, "only {orders} orders");
}

/// One of two requests ends all other sessions of the owner, and another session moves.
#[test]
fn a_revocation_ends_sessions_that_move() {
    let mut orders = 0;
    for kind in [Kind::Server, Kind::Keys, Kind::RevocableCookie] {
        // Sessions in cookies move only with a visit.
        let acts = match kind {
            Kind::RevocableCookie => vec![Act::Count],
            _ => vec![Act::Count, Act::Moves, Act::Copies],
        };
        for process in [PREPARE, MOVE] {
            for act in acts.clone() {
                let mover = Actor { process: MOVE, act };
                orders += revoked_in_every_order(kind, process, mover);
            }
        }
    }
    println!("{orders} orders");
    assert!(orders > 500, "only {orders} orders");
}

fn revoked_in_every_order(kind: Kind, process: Process, mover: Actor) -> usize {
    let Process::At(stage) = process else {
        return 0;
    };
    let mut orders = 0;
    for mask in (0_u32..1 << 12).step_by(if is_full() { 1 } else { 37 }) {
        let site = Site::new(kind);
        let jar = at_once(site.jar(Process::OldAlone, Some("ape")));
        let stepping = site.stepping();
        let revoker = stepping.migrating().stage(stage);
        let mut revokes = Stepped::new(async move { revoker.end_all("ape").await });
        let mut moves = Stepped::new(mover.run(stepping, jar.clone()));
        for bit in 0..12 {
            match mask >> bit & 1 {
                0 => moves.step(),
                _ => revokes.step(),
            }
        }
        moves.run();
        revokes.run();
        revokes.result.unwrap().unwrap();
        let after = moves.result.unwrap().1;
        for jar in [&jar, &after] {
            for process in [PREPARE, MOVE, Process::NewAlone] {
                let seen = at_once(sight(site.process(process), jar));
                assert!(
                    !is_open(&seen),
                    "{kind:?} {mover:?} {mask:b} {process:?}: {seen:?}"
                );
            }
        }
        orders += 1;
    }
    orders
}

/// The way back has the same stages, and the same laws.
#[test]
fn sessions_move_back() {
    let mut orders = 0;
    let back = Process::Back(MigrationStage::Move);
    for kind in [Kind::Server, Kind::Keys, Kind::CookieName] {
        for processes in [[back, back], [PREPARE, back], [back, PREPARE]] {
            let actors = processes.map(|process| Actor {
                process,
                act: Act::Count,
            });
            orders += in_every_order(kind, MOVE, actors, |run| {
                let [(one, _), (other, other_jar)] = &run.answers;
                assert!(one.is_ok() && other.is_ok());
                let jar = match other_jar.cookie() == run.before.cookie() {
                    true => &run.answers[0].1,
                    false => other_jar,
                };
                let (done, jar) = at_once(request(run.site.process(back), jar, count));
                done.unwrap();
                let expected = Sight::Visits(4, Some("ape".to_owned()));
                let seen = at_once(sight(run.site.process(Process::OldAlone), &jar));
                assert_eq!(seen, expected, "{kind:?} {actors:?}");
            });
        }
    }
    println!("{orders} orders");
    assert!(orders > 300, "only {orders} orders");
}

/// The request that ends the owner's other sessions keeps its own, wherever it is.
#[test]
fn a_session_that_ends_others_stays() {
    for kind in [Kind::Server, Kind::Keys] {
        for process in [PREPARE, MOVE] {
            let site = Site::new(kind);
            let other = at_once(site.jar(Process::OldAlone, Some("ape")));
            let moved = at_once(site.jar(MOVE, Some("ape")));
            let jar = at_once(site.jar(Process::OldAlone, Some("ape")));
            let act = Act::EndOthers;
            let (done, jar) = at_once(request(site.process(process), &jar, |session| {
                act.handle(session)
            }));
            done.unwrap();
            let own = at_once(sight(site.process(process), &jar));
            assert_eq!(own, Sight::Visits(2, Some("ape".to_owned())), "{kind:?}");
            for jar in [other, moved] {
                let seen = at_once(sight(site.process(process), &jar));
                assert!(!is_open(&seen), "{kind:?} {process:?}: {seen:?}");
            }
        }
    }
}

/// Sessions that are in cookies: the first save moves one, and the others follow it.
#[test]
fn concurrent_requests_move_one_session_out_of_a_cookie() {
    let mut orders = 0;
    for kind in [Kind::Cookie, Kind::RevocableCookie] {
        for acts in [
            [Act::Count, Act::Count],
            [Act::Count, Act::Renew],
            [Act::Count, Act::Logout],
            [Act::Renew, Act::Logout],
            [Act::Login, Act::Count],
        ] {
            let actors = acts.map(|act| Actor { process: MOVE, act });
            orders += in_every_order(kind, Process::OldAlone, actors, |run| {
                let counted = actors.iter().zip(&run.answers);
                let counted =
                    counted.filter(|(actor, (done, _))| actor.act.counts() && done.is_ok());
                let visits = 1 + u64::try_from(counted.count()).unwrap();
                let seen = sights(run);
                let of_ape =
                    |seen: &Sight| matches!(seen, Sight::Visits(_, Some(of)) if of == "ape");
                if acts.contains(&Act::Logout) || acts.contains(&Act::Login) {
                    assert!(!seen.iter().any(of_ape), "{kind:?} {acts:?}: {seen:?}");
                } else {
                    let expected = Sight::Visits(visits, Some("ape".to_owned()));
                    assert!(
                        seen.contains(&expected),
                        "{kind:?} {acts:?} {visits}: {seen:?}"
                    );
                }
            });
        }
    }
    println!("{orders} orders");
    assert!(orders > 300, "only {orders} orders");
}
