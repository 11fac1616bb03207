//! `reference`: the page of the book with every command's help, from the definitions that parse the command line.

use crate::cli::Cli;
use anyhow::Result;
use clap::{Command, CommandFactory};
use std::fmt::Write;

/// Width of the help; the terminal's would change the page.
const WIDTH: usize = 110;

pub(super) fn reference() -> Result<()> {
    crate::stdout::write(format_args!("{}", page()?))
}

fn page() -> Result<String> {
    let mut out = String::from(
        "# Commands\n\nEvery command with its help, as `cargo xtask help COMMAND` prints it. `cargo xtask reference` wrote this page.\n",
    );
    let mut whole = Cli::command().term_width(WIDTH).max_term_width(WIDTH);
    whole.build();
    section(&mut out, &mut whole, 2)?;
    Ok(out)
}

/// The help of a command, then that of the commands below it.
fn section(out: &mut String, command: &mut Command, depth: usize) -> Result<()> {
    let title = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_string();
    let help = command.render_long_help().to_string();
    // Blank lines of the help hold spaces.
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    writeln!(out, "\n{} {title}\n\n```text\n{}\n```", "#".repeat(depth), lines.join("\n"))?;
    let shown: Vec<&mut Command> = command.get_subcommands_mut().filter(|c| c.get_name() != "help" && !c.is_hide_set()).collect();
    for sub in shown {
        section(out, sub, depth.min(2) + 1)?;
    }
    Ok(())
}
