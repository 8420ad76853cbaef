//! `silverback man`: prints the man page of the program, or writes the pages of all commands.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Command, ValueHint};
use clap_mangen::Man as Page;

use super::failure::Failure;

/// Print the man page of this program, or write a page for each command into a folder.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Man {
    /// The folder for the pages, such as /usr/local/share/man/man1; it is created if it is missing
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    folder: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Examples:
  silverback man > silverback.1 && man ./silverback.1
  silverback man /usr/local/share/man/man1 && man silverback-sessions-list";

impl Man {
    pub(super) fn run(&self, program: Command) -> Result<(), Failure> {
        match &self.folder {
            Some(folder) => {
                std::fs::create_dir_all(folder)?;
                clap_mangen::generate_to(program, folder)?;
            }
            None => {
                let mut page = Vec::new();
                Page::new(program.disable_help_subcommand(true)).render(&mut page)?;
                io::stdout().write_all(&page)?;
            }
        }
        Ok(())
    }
}
