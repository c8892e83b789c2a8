//! Commands: `run`, `plan`, `sandbox`, `version`. Flags are parsed first and validated second, into a
//! configuration that cannot be wrong; then the parts are wired together here and nowhere else.

pub mod args;
pub mod config;
pub mod feeds;
pub mod logging;
pub mod plan;
pub mod run;
#[cfg(feature = "sandbox")]
pub mod sandbox;

use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser;

/// What the program calls itself: `endpointslice-controller/<version>`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Parses the command line and runs the command. Every failure is one sentence on stderr and exit code 1.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    match execute(cli) {
        Ok(code) => code,
        Err(error) => {
            eprint(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Version => {
            print(&format!("endpointslice-controller {VERSION}\n"))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Plan(args) => {
            let outcome = if args.files.is_empty() {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?
                    .block_on(plan::live(&args))?
            } else {
                plan::offline(&args, &mut std::io::stdin().lock())?
            };
            outcome.notes.iter().for_each(|note| eprint(note));
            print(&outcome.text)?;
            Ok(ExitCode::from(outcome.exit_code))
        }
        Command::Run(args) => {
            let config = config::RunConfig::new(*args)?;
            logging::start(config.logging);
            run::run(config)
        }
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => sandbox::run(sandbox::config::SandboxConfig::new(*args)?),
        #[cfg(feature = "sandbox")]
        Command::SandboxController(args) => {
            let config = config::RunConfig::new(*args)?;
            logging::start(config.logging);
            sandbox::load::controller(&config)
        }
    }
}

/// Text to stdout. A reader that has seen enough (`| head`) is no failure.
fn print(text: &str) -> std::io::Result<()> {
    use std::io::{ErrorKind, Write};
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// One line to stderr, for what happens before or beside the log.
fn eprint(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
