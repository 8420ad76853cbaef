//! Rules that each command keeps, checked on clap's tree of commands.

use clap::{Command, CommandFactory};

use super::Arguments;

/// The commands that print no data: scripts and pages that another program reads as they are.
const WITHOUT_DATA: [&str; 2] = ["completions", "man"];

/// Returns each command that has no commands below it, with its whole name.
fn commands() -> Vec<(String, Command)> {
    fn collect(command: &Command, before: &str, all: &mut Vec<(String, Command)>) {
        for command in command
            .get_subcommands()
            .filter(|of| of.get_name() != "help")
        {
            let name = format!("{before}{}", command.get_name());
            match command.has_subcommands() {
                true => collect(command, &format!("{name} "), all),
                false => all.push((name, command.clone())),
            }
        }
    }
    let mut all = Vec::new();
    collect(&Arguments::command(), "", &mut all);
    all
}

#[test]
fn the_description_of_the_commands_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn every_command_that_prints_data_has_json() {
    let commands = commands();
    assert!(commands.len() >= 16, "{}", commands.len());
    for (name, command) in &commands {
        let mut options = command.get_arguments().filter_map(clap::Arg::get_long);
        let prints_data = !WITHOUT_DATA.contains(&name.as_str());
        assert_eq!(
            options.any(|option| option == "json"),
            prints_data,
            "{name}"
        );
    }
    let is_there = |name: &&str| commands.iter().any(|(of, _)| of == name);
    assert!(WITHOUT_DATA.iter().all(is_there));
}

#[test]
fn every_json_has_a_documented_shape() {
    let page = include_str!("../guide/program.md");
    for (name, _) in commands() {
        let is_documented = page.contains(&format!("\n| `{name}` | `"));
        assert_eq!(
            is_documented,
            !WITHOUT_DATA.contains(&name.as_str()),
            "{name}"
        );
    }
}

#[test]
fn every_command_has_an_example() {
    // The help of `sessions` and of `keys` has the examples of their commands.
    let help = |command: &Command| command.get_after_help().map(ToString::to_string);
    let program = Arguments::command();
    let groups = program.get_subcommands().filter(|of| of.has_subcommands());
    let shared: String = groups.filter_map(help).collect();
    for (name, command) in commands() {
        let own = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let example = format!("silverback {name}");
        assert!(
            own.contains(&example) || shared.contains(&example),
            "{name}"
        );
    }
}
