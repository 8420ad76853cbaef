//! [`Script`]: the scripts that the server runs, one for each operation.

use std::sync::LazyLock;

use redis::Cmd;

use super::super::effect::Effect::{self, Reads, Writes};

const COMMON: &str = include_str!("scripts/common.lua");
const SEEN: &str = include_str!("scripts/seen.lua");
const GO: &str = include_str!("scripts/go_common.lua");

pub(super) struct Script {
    pub(super) effect: Effect,
    text: String,
    /// The name that the server gives to the text: its SHA-1.
    hash: String,
}

macro_rules! scripts {
    ($($name:ident: $effect:ident, $($text:expr),+;)*) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new($effect, [$($text),+].concat()));)*
    };
}

scripts! {
    LOAD: Reads, COMMON, include_str!("scripts/load.lua");
    LOAD_MANY: Reads, COMMON, include_str!("scripts/load_many.lua");
    CREATE: Writes, COMMON, include_str!("scripts/create.lua");
    SWAP: Writes, COMMON, SEEN, include_str!("scripts/swap.lua");
    TOUCH: Writes, COMMON, SEEN, include_str!("scripts/touch.lua");
    REMOVE: Writes, COMMON, SEEN, include_str!("scripts/remove.lua");
    PEEK: Reads, COMMON, include_str!("scripts/peek.lua");
    READ_OWNER: Reads, COMMON, include_str!("scripts/owner.lua");
    CHANGE_OWNER: Writes, COMMON, include_str!("scripts/owner.lua");
    LOGIN: Writes, COMMON, include_str!("scripts/login.lua");
    LIST: Reads, COMMON, include_str!("scripts/list.lua");
    GO_LOAD: Reads, GO, include_str!("scripts/go_load.lua");
    GO_LOAD_MANY: Reads, GO, include_str!("scripts/go_load_many.lua");
    GO_CREATE: Writes, GO, include_str!("scripts/go_create.lua");
    GO_SWAP: Writes, GO, include_str!("scripts/go_swap.lua");
    GO_TOUCH: Writes, GO, include_str!("scripts/go_touch.lua");
    GO_REMOVE: Writes, GO, include_str!("scripts/go_remove.lua");
    GO_MOVE: Writes, GO, include_str!("scripts/go_move.lua");
    GO_PEEK: Reads, GO, include_str!("scripts/go_peek.lua");
}

impl Script {
    fn new(effect: Effect, text: String) -> Self {
        let hash = redis::Script::new(&text).get_hash().to_owned();
        Script { effect, text, hash }
    }
}

/// One call of a script.
pub(super) struct Call<'c> {
    pub(super) script: &'c Script,
    pub(super) keys: &'c [&'c [u8]],
    pub(super) arguments: &'c [&'c [u8]],
}

impl Call<'_> {
    /// Returns the command for a server that knows the script.
    pub(super) fn by_hash(&self) -> Cmd {
        self.command("EVALSHA", &self.script.hash)
    }

    /// Returns the command for a server that does not know the script. It does from then on.
    pub(super) fn by_text(&self) -> Cmd {
        self.command("EVAL", &self.script.text)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let parts = self.keys.iter().chain(self.arguments);
        let size: usize = parts.map(|part| part.len() + 16).sum();
        let mut command = Cmd::with_capacity(8, script.len() + size + 64);
        command.arg(name).arg(script).arg(self.keys.len());
        for part in self.keys.iter().chain(self.arguments) {
            command.arg(*part);
        }
        command
    }
}
