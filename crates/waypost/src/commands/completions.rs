//! `waypost completions`: what a shell needs to complete the words of this program.

use crate::cli::Cli;
use crate::exit::{Exit, Failure};
use clap::CommandFactory as _;
use std::io::Write as _;

const EXAMPLES: &str = "\
Examples:
  waypost completions bash > /etc/bash_completion.d/waypost
  waypost completions fish > ~/.config/fish/completions/waypost.fish";

/// Print a script that completes the words of this program in a shell
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

pub fn run(args: &Args) -> Result<Exit, Failure> {
    std::io::stdout().write_all(&script(args.shell))?;
    Ok(Exit::Done)
}

fn script(shell: clap_complete::Shell) -> Vec<u8> {
    let mut text = Vec::new();
    // Into memory: the generator panics when it cannot write, which `| head` would make it do.
    clap_complete::generate(shell, &mut Cli::command(), "waypost", &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_every_command() {
        for shell in <clap_complete::Shell as clap::ValueEnum>::value_variants() {
            let text = String::from_utf8(script(*shell)).unwrap();
            for command in Cli::command().get_subcommands() {
                assert!(text.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }
}
