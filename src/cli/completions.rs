//! `silverback completions`: prints the completions that a shell reads.

use std::io::{self, Write};

use clap::{Args, Command};
use clap_complete::Shell;

use super::failure::Failure;

/// Print a script that completes the commands, options and values of this program in a shell.
///
/// A file name is completed where an option takes one. Keys, cookies and owners are never
/// completed.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Completions {
    /// The shell that reads the script
    shell: Shell,
}

const AFTER_HELP: &str = "\
Examples:
  source <(silverback completions bash)      # for this shell; in ~/.bashrc for every shell
  silverback completions zsh > ~/.zfunc/_silverback
  silverback completions fish > ~/.config/fish/completions/silverback.fish";

impl Completions {
    pub(super) fn run(&self, mut program: Command) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "silverback", &mut script);
        io::stdout().write_all(&script)?;
        Ok(())
    }
}
