//! Sessions that move between two stores: each kind of move, all interleavings of two requests at
//! the calls of their backends, and a kill at each call. In memory.

mod ended;
mod interleavings;
mod kills;
mod kinds;
mod stepping;

use std::sync::Arc;
use std::time::Duration;

use silverback::backend::{Backend, Layout, Memory};
use silverback::codec::{Codecs, KeyPair};
use silverback::session::testing::Jar;
use silverback::session::{
    CookieOptions, CookieStore, Dialect, Error, Lifetime, Migrating, MigrationStage, Refusal,
    ServerOptions, ServerStore, Session, Stores,
};

use super::in_layout::InLayout;
use super::support::codecs;
use stepping::Stepping;

const DAY: Duration = Duration::from_secs(86_400);

/// A kind of move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// To another server, with the same keys and cookie.
    Server,
    /// From scs to the native dialect.
    Scs,
    Keys,
    CookieName,
    /// From sessions in cookies to sessions in a server.
    Cookie,
    /// The same, from cookies that can be revoked.
    RevocableCookie,
}

const KINDS: [Kind; 6] = [
    Kind::Server,
    Kind::Scs,
    Kind::Keys,
    Kind::CookieName,
    Kind::Cookie,
    Kind::RevocableCookie,
];

/// Changes the options of a store.
type More = fn(ServerOptions) -> ServerOptions;

/// Two stores between which sessions move. Each call of a method makes the stores of a new process.
#[derive(Clone)]
struct Site {
    kind: Kind,
    old: Arc<dyn Backend>,
    new: Arc<dyn Backend>,
    pairs: [KeyPair; 2],
}

impl Site {
    fn new(kind: Kind) -> Self {
        Site {
            kind,
            old: match kind {
                Kind::Scs => Arc::new(InLayout::new(Memory::new(), Layout::Scs)),
                _ => Arc::new(Memory::new()),
            },
            new: Arc::new(Memory::new()),
            pairs: [(); 2].map(|()| KeyPair::generate().unwrap()),
        }
    }

    /// Returns the same site, each call to whose backends is a step.
    fn stepping(&self) -> Self {
        Site {
            old: Arc::new(Stepping(self.old.clone())),
            new: Arc::new(Stepping(self.new.clone())),
            ..self.clone()
        }
    }

    fn codecs(&self, is_new: bool) -> Codecs {
        let changes_keys = self.kind == Kind::Keys;
        codecs([self.pairs[usize::from(is_new && changes_keys)].clone()])
    }

    fn options(&self, is_new: bool) -> ServerOptions {
        let cookie = match (self.kind, is_new) {
            (Kind::CookieName | Kind::Scs, false) => CookieOptions::new().name("session"),
            _ => CookieOptions::new().name("__Host-id"),
        };
        ServerOptions::new().cookie(cookie.unwrap())
    }

    fn native(&self, backend: &Arc<dyn Backend>, is_new: bool, more: More) -> ServerStore {
        let dialect = Dialect::native(self.codecs(is_new)).anonymous_idle(DAY);
        let options = more(self.options(is_new));
        ServerStore::with_options(dialect, backend.clone(), options).unwrap()
    }

    fn old_rows(&self) -> ServerStore {
        self.old_rows_with(|options| options)
    }

    fn old_rows_with(&self, more: More) -> ServerStore {
        match self.kind {
            Kind::Scs => {
                let options = more(self.options(false));
                ServerStore::with_options(Dialect::scs(), self.old.clone(), options).unwrap()
            }
            _ => self.native(&self.old, false, more),
        }
    }

    fn old_cookies(&self) -> CookieStore {
        let cookie = CookieOptions::new().name("__Host-id").unwrap();
        let store = CookieStore::with_options(self.codecs(false), cookie, Lifetime::new()).unwrap();
        match self.kind {
            Kind::RevocableCookie => store.revocable_in(self.old.clone()).unwrap(),
            _ => store,
        }
    }

    fn is_of_cookies(&self) -> bool {
        matches!(self.kind, Kind::Cookie | Kind::RevocableCookie)
    }

    fn new_rows(&self) -> ServerStore {
        self.new_rows_with(|options| options)
    }

    fn new_rows_with(&self, more: More) -> ServerStore {
        self.native(&self.new, true, more)
    }

    fn migrating(&self) -> Migrating {
        let migrating = match self.is_of_cookies() {
            true => Migrating::new(self.old_cookies(), self.new_rows()),
            false => Migrating::new(self.old_rows(), self.new_rows()),
        };
        migrating.unwrap()
    }

    /// Returns the stores of a process.
    fn process(&self, process: Process) -> Stores {
        match process {
            Process::OldAlone if self.is_of_cookies() => self.old_cookies().into(),
            Process::OldAlone => self.old_rows().into(),
            Process::At(stage) => self.migrating().stage(stage).into(),
            Process::Back(stage) => {
                let back = Migrating::new(self.new_rows(), self.old_rows()).unwrap();
                back.stage(stage).into()
            }
            Process::NewAlone => self.new_rows().into(),
        }
    }

    /// Returns a jar with a session of one visit, that began in a process.
    async fn jar(&self, process: Process, owner: Option<&str>) -> Jar {
        let fill = |session: &Session| {
            if let Some(owner) = owner {
                session.login(owner)?;
            }
            session.insert("visits", 1)
        };
        Jar::with(self.process(process), fill).await.unwrap()
    }
}

/// A step of the deployment at which a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Process {
    OldAlone,
    At(MigrationStage),
    /// On the way back, with the stores exchanged.
    Back(MigrationStage),
    NewAlone,
}

const PREPARE: Process = Process::At(MigrationStage::Prepare);
const MOVE: Process = Process::At(MigrationStage::Move);

/// A request of a client: its result, and the client's cookies after it.
async fn request(
    stores: Stores,
    jar: &Jar,
    handle: impl FnOnce(&Session) -> Result<(), Error>,
) -> (Result<(), Error>, Jar) {
    let mut after = jar.clone();
    let sessions = jar.sessions(stores);
    let done = async {
        let session = sessions.session().await?;
        handle(&session)?;
        sessions.finish().await
    };
    let done = done.await.map(|fields| {
        for field in fields.iter().flat_map(|fields| fields.set_cookies()) {
            after.receive(field);
        }
    });
    (done, after)
}

/// Counts a visit of an existing session.
fn count(session: &Session) -> Result<(), Error> {
    if session.is_new() {
        return Err(Error::usage("there is no session"));
    }
    let counted = session.update("visits", |visits: &mut u64| *visits += 1);
    counted.map(drop)
}

/// What a client sees of its session.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sight {
    Visits(u64, Option<String>),
    Nothing(Option<Refusal>),
}

async fn sight(stores: Stores, jar: &Jar) -> Sight {
    let session = jar.session(stores).await.unwrap();
    match session.get("visits").unwrap() {
        Some(visits) if !session.is_new() => Sight::Visits(visits, session.owner()),
        _ => Sight::Nothing(session.refusal()),
    }
}

fn is_open(sight: &Sight) -> bool {
    matches!(sight, Sight::Visits(..))
}
