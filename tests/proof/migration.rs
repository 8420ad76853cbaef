//! Sessions move between two stores under random traffic, and all processes are killed (SIGKILL)
//! again and again: two that serve requests at neighbouring stages, and the program that moves all
//! records. No session is lost, and none that has ended opens again.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use silverback::backend::{Backend, ConnectOptions, GoKeys, connect_go_keys};
use silverback::codec::{Codecs, KeyPairs};
use silverback::session::testing::Jar;
use silverback::session::{
    CookieOptions, Dialect, Error, Migrating, MigrationStage, ServerOptions, ServerStore, Session,
    Stores,
};

use super::dice::Dice;
use super::{ROUNDS, RUNTIME, connected, postgres, redis};

/// The sessions that the processes use at the same time.
const SESSIONS: usize = 12;

/// The requests that a process serves at the same time.
const CONCURRENT: usize = 6;

/// The time for which ended sessions leave tombstones.
const LONGEST_REQUEST: Duration = Duration::from_secs(5);

const ROLE: &str = "SILVERBACK_PROOF_MIGRATION";
const OLD_COOKIE: &str = "sid";
const NEW_COOKIE: &str = "__Host-id";

/// A pair of stores.
#[derive(Clone)]
pub(crate) struct Move {
    pub(crate) name: &'static str,
    is_scs: bool,
    old: fn(&Path) -> Result<String, String>,
    new: fn(&Path) -> Result<String, String>,
}

pub(crate) const MOVES: &[Move] = &[
    Move {
        name: "files_to_sqlite",
        is_scs: false,
        old: |folder| Ok(format!("files:{}", folder.join("old").display())),
        new: |folder| Ok(format!("sqlite:{}", folder.join("new.db").display())),
    },
    Move {
        name: "sqlite_to_redis",
        is_scs: false,
        old: |folder| Ok(format!("sqlite:{}", folder.join("old.db").display())),
        new: |_| redis(),
    },
    Move {
        name: "postgres_to_redis",
        is_scs: false,
        old: |_| RUNTIME.block_on(postgres()),
        new: |_| redis(),
    },
    Move {
        name: "scs_in_redis_to_sqlite",
        is_scs: true,
        old: |_| redis().map(|url| url.split('?').next().unwrap_or(&url).to_owned()),
        new: |folder| Ok(format!("sqlite:{}", folder.join("new.db").display())),
    },
];

/// What a process must know to open both stores.
#[derive(Clone)]
struct Site {
    old: String,
    new: String,
    keys: String,
    is_scs: bool,
}

impl Site {
    /// Opens the stores, as a process does when it begins.
    fn open(&self) -> Migrating {
        let codecs = || {
            let pairs: KeyPairs = self.keys.parse().expect("keys");
            Codecs::from_pairs(pairs).expect("a chain")
        };
        let with = |dialect: Dialect, backend: Arc<dyn Backend>, name| {
            let cookie = CookieOptions::new().name(name).expect("a name");
            let options = ServerOptions::new()
                .cookie(cookie)
                .longest_request(LONGEST_REQUEST);
            ServerStore::with_options(dialect, backend, options).expect("a store")
        };
        let (old, dialect) = match self.is_scs {
            true => {
                let keys = GoKeys::scs_redisstore();
                let connect = connect_go_keys(&self.old, keys, ConnectOptions::new());
                let backend = RUNTIME.block_on(connect).expect("a backend");
                (backend, Dialect::scs().into())
            }
            false => (connected(&self.old), Dialect::native(codecs()).into()),
        };
        let old = with(dialect, old, OLD_COOKIE);
        let new = Dialect::native(codecs()).into();
        Migrating::new(old, with(new, connected(&self.new), NEW_COOKIE)).expect("two stores")
    }

    /// Starts a process that serves requests at a stage.
    fn serve(&self, stage: &str, cookies: &[String]) -> Child {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .env(ROLE, stage)
            .envs([("PROOF_OLD", &self.old), ("PROOF_NEW", &self.new)])
            .env("PROOF_KEYS", &self.keys)
            .env("PROOF_SCS", if self.is_scs { "1" } else { "" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut input = child.stdin.take().expect("a pipe");
        writeln!(input, "{}", cookies.join("\n")).expect("the process reads its input");
        child
    }

    /// Starts the program that moves all records.
    fn migrate(&self) -> Option<Child> {
        let program = option_env!("CARGO_BIN_EXE_silverback")?;
        let dialect = if self.is_scs {
            "scs-redisstore"
        } else {
            "native"
        };
        let child = Command::new(program)
            .args(["sessions", "migrate", "--move", "--from-dialect", dialect])
            .args(["--name", OLD_COOKIE, "--to-name", NEW_COOKIE])
            .envs([("SILVERBACK_FROM", &self.old), ("SILVERBACK_TO", &self.new)])
            .env("SILVERBACK_KEYS", &self.keys)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Some(child.expect("a process"))
    }
}

/// What is known of one session.
struct Known {
    /// All cookies that the client was ever sent.
    jars: Vec<Jar>,
    acknowledged: u64,
    tried: u64,
    end_tried: bool,
    end_acknowledged: bool,
}

impl Known {
    fn begin(stores: &Migrating, dice: &mut Dice) -> Self {
        let stage = [MigrationStage::Prepare, MigrationStage::Move][dice.roll(2)];
        let jar = RUNTIME.block_on(Jar::with(stores.stage(stage), |session| {
            session.login("ape")?;
            session.insert("visits", 0)
        }));
        Known {
            jars: vec![jar.expect("a session")],
            acknowledged: 0,
            tried: 0,
            end_tried: false,
            end_acknowledged: false,
        }
    }

    /// Notes a line of a process: what it tries, or what it has done.
    fn note(&mut self, act: &str, cookie: Option<&str>) {
        match (act, cookie) {
            ("count", None) => self.tried += 1,
            ("end", None) => self.end_tried = true,
            ("count", Some(_)) => self.acknowledged += 1,
            ("end", Some(_)) => self.end_acknowledged = true,
            other => panic!("{other:?}"),
        }
        if let Some(cookie) = cookie.filter(|cookie| !cookie.is_empty()) {
            self.jars.push(jar_of(cookie));
        }
    }
}

fn jar_of(cookie: &str) -> Jar {
    let mut jar = Jar::new();
    cookie.split("; ").for_each(|pair| jar.receive(pair));
    jar
}

/// The figures of all rounds.
#[derive(Default)]
struct Figures {
    kills: usize,
    acknowledged: u64,
    ends: usize,
    checked: usize,
    lost: usize,
    lost_updates: usize,
    restored: usize,
}

pub(crate) fn loses_and_restores_nothing(of: &Move, folder: &Path) -> Result<String, String> {
    let random = || silverback::backend::Generation::random().expect("random bytes");
    let site = Site {
        old: (of.old)(folder)?,
        new: (of.new)(folder)?,
        keys: format!("{}{}:{}{}", random(), random(), random(), random()),
        is_scs: of.is_scs,
    };
    let stores = site.open();
    let mut dice = Dice::new();
    let mut known: Vec<Known> = Vec::new();
    let mut ended: Vec<Known> = Vec::new();
    let mut figures = Figures::default();
    // Each round starts and kills three processes.
    for round in 0..ROUNDS.div_ceil(4) {
        ended.extend(known.extract_if(.., |of| of.end_tried));
        while known.len() < SESSIONS {
            known.push(Known::begin(&stores, &mut dice));
        }
        for line in killed(&site, &known, round, &mut dice, &mut figures) {
            let mut parts = line.splitn(4, ' ');
            let mut next = || parts.next().unwrap_or_default();
            let (what, number, act, cookie) = (next(), next(), next(), next());
            let of = &mut known[number.parse::<usize>().expect("a session")];
            of.note(act, (what == "done").then_some(cookie));
        }
        for of in &known {
            check(&stores, of, &mut figures);
        }
    }
    // Nothing opens an ended session when its tombstones have expired, either.
    std::thread::sleep(LONGEST_REQUEST + Duration::from_secs(2));
    let ended: Vec<Known> = ended.into_iter().filter(|of| of.end_acknowledged).collect();
    ended.iter().for_each(|of| look(&stores, of, &mut figures));
    let Figures {
        kills,
        acknowledged,
        ends,
        checked,
        lost,
        lost_updates,
        restored,
    } = figures;
    let said = format!(
        "{kills} kills, {acknowledged} updates and {ends} logouts acknowledged, {checked} looks: \
         {lost} lost, {lost_updates} with lost updates, {restored} restored"
    );
    assert!(lost + lost_updates + restored == 0, "{said}");
    assert!(acknowledged > 0 && ends > 0, "{said}");
    Ok(said)
}

/// Runs all processes, kills them, and returns the whole lines that they wrote.
fn killed(
    site: &Site,
    known: &[Known],
    round: usize,
    dice: &mut Dice,
    figures: &mut Figures,
) -> Vec<String> {
    let cookies: Vec<String> = known
        .iter()
        .map(|of| of.jars[dice.roll(of.jars.len())].cookie())
        .collect();
    // Half of the rounds run a fleet with two stages.
    let stages = [
        "move",
        if round.is_multiple_of(2) {
            "prepare"
        } else {
            "move"
        },
    ];
    let mut servers = stages.map(|stage| site.serve(stage, &cookies));
    let readers = servers.each_mut().map(|server| {
        let mut output = BufReader::new(server.stdout.take().expect("a pipe"));
        let mut first = String::new();
        output.read_line(&mut first).expect("text");
        std::thread::spawn(move || {
            let mut text = first;
            output.read_to_string(&mut text).expect("text");
            text
        })
    });
    let mut mover = site.migrate();
    std::thread::sleep(Duration::from_millis(20 + dice.roll(180) as u64));
    for process in servers.iter_mut().chain(&mut mover) {
        process.kill().expect("a process");
        process.wait().expect("a process");
        figures.kills += 1;
    }
    let texts = readers.map(|reader| reader.join().expect("text"));
    let whole = texts.iter().flat_map(|text| {
        let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
        whole.lines().skip(1)
    });
    whole.map(str::to_owned).collect()
}

/// Counts what was acknowledged, and looks at the session.
fn check(stores: &Migrating, of: &Known, figures: &mut Figures) {
    figures.acknowledged += of.acknowledged;
    figures.ends += usize::from(of.end_acknowledged);
    look(stores, of, figures);
}

/// Looks at a session with each cookie that its client was sent, at both stages.
fn look(stores: &Migrating, of: &Known, figures: &mut Figures) {
    for stage in [MigrationStage::Prepare, MigrationStage::Move] {
        for jar in &of.jars {
            figures.checked += 1;
            let session = RUNTIME.block_on(jar.session(stores.stage(stage)));
            let session = session.expect("the stores answer");
            let visits: Option<u64> = session.get("visits").expect("a number");
            match visits {
                Some(_) if of.end_acknowledged => figures.restored += 1,
                None if !of.end_tried => figures.lost += 1,
                Some(visits) if !(of.acknowledged..=of.tried).contains(&visits) => {
                    figures.lost_updates += 1;
                }
                _ => {}
            }
        }
    }
}

/// Returns whether this was a process that serves requests, which is killed before this returns.
pub(crate) fn was_server() -> bool {
    let Ok(stage) = std::env::var(ROLE) else {
        return false;
    };
    let variable = |name: &str| std::env::var(name).expect("a variable");
    let site = Site {
        old: variable("PROOF_OLD"),
        new: variable("PROOF_NEW"),
        keys: variable("PROOF_KEYS"),
        is_scs: !variable("PROOF_SCS").is_empty(),
    };
    let stage = match &*stage {
        "prepare" => MigrationStage::Prepare,
        _ => MigrationStage::Move,
    };
    let stores = Stores::from(site.open().stage(stage));
    let jars: Vec<Jar> = std::io::stdin()
        .lines()
        .map(|line| jar_of(&line.expect("text")))
        .collect();
    println!("connected");
    RUNTIME.block_on(async {
        let requests = (0..CONCURRENT).map(|_| tokio::spawn(serve(stores.clone(), jars.clone())));
        for request in requests.collect::<Vec<_>>() {
            request.await.expect("requests");
        }
    });
    true
}

async fn serve(stores: Stores, mut jars: Vec<Jar>) {
    let mut dice = Dice::new();
    loop {
        let number = dice.roll(jars.len());
        let act = if dice.roll(20) == 0 { "end" } else { "count" };
        println!("try {number} {act}");
        let sessions = jars[number].sessions(stores.clone());
        let done: Result<(), Error> = async {
            let session = sessions.session().await?;
            if session.is_new() {
                return Err(Error::usage("the session has ended"));
            }
            handle(&session, act)?;
            session.save().await?;
            if let Some(fields) = sessions.finish().await? {
                let fields = fields.set_cookies();
                fields.iter().for_each(|field| jars[number].receive(field));
            }
            Ok(())
        }
        .await;
        if done.is_ok() {
            let cookie = match act {
                "end" => String::new(),
                _ => jars[number].cookie(),
            };
            println!("done {number} {act} {cookie}");
        }
    }
}

fn handle(session: &Session, act: &str) -> Result<(), Error> {
    match act {
        "end" => session.end(),
        _ => session
            .update("visits", |visits: &mut u64| *visits += 1)
            .map(drop),
    }
}
