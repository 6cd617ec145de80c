//! `wharf`: the one binary. Every role of the platform is a subcommand of it, and so is every
//! command of the person who operates it. This file only picks which.

mod args;
mod bytes_codec;
mod client;
mod commands;
mod diagnostics;
mod failure;
mod given;
mod install;
mod logs;
mod monitor;
mod preflight;
mod print;
mod profile;
mod roles;
mod services;
mod settings;
mod times;
mod top;
mod up;

use std::process::ExitCode;

use args::{ApiArgs, Cli, Command, RunCommand};
use clap::Parser;
use client::Client;
use failure::{EXIT_FAILED, Failure};

/// glibc's keeps what it once used: a password check takes 19 MiB, and two of them every ten minutes
/// stayed in the arenas of two threads for ever. This one gives pages back.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    wharf_runtime::tls::install_provider();
    let result = match cli.command {
        Command::Run(RunCommand::Store(args)) => roles::store(*args),
        Command::Run(RunCommand::Monitor(args)) => roles::monitor(*args),
        Command::Run(RunCommand::Director(args)) => roles::director(&args),
        Command::Run(RunCommand::Allocator(args)) => roles::allocator(&args),
        Command::Run(RunCommand::Proxy(args)) => roles::proxy(&args),
        _ => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Failure::new("", format!("cannot start: {error}"), ""))
            .and_then(|runtime| runtime.block_on(command(&cli))),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            print::remark(&failure.to_string());
            ExitCode::from(failure.exit.max(EXIT_FAILED))
        }
    }
}

async fn command(cli: &Cli) -> Result<u8, Failure> {
    match &cli.command {
        Command::Up(args) => return up::up(args, cli.global.output).await,
        Command::Down(args) => return up::down(args).await,
        Command::Install(args) => {
            return Box::pin(install::install(args, cli.global.output)).await;
        }
        Command::Uninstall(args) => return install::uninstall(args, cli.global.output).await,
        Command::Preflight(args) => return preflight::run(args, cli.global.output).await,
        Command::Diagnostics(args) => return diagnostics::run(&cli.global, args).await,
        Command::Completion(args) => return Ok(commands::completion::completion(args)),
        Command::Man(args) => return commands::completion::man(args),
        Command::Api(ApiArgs { method: None, .. }) => {
            return commands::api::list(cli.global.output);
        }
        _ => {}
    }
    let client = Client::new(&settings::settle(&cli.global)?)?;
    match &cli.command {
        Command::Status(args) => commands::status::run(&client, args).await,
        Command::Top(args) => top::run(&client, args).await,
        Command::Logs(args) => logs::run(&client, args).await,
        Command::Deployment(command) => commands::deployment::run(&client, command).await,
        Command::Plan(command) => commands::plan::run(&client, command).await,
        Command::Allocator(command) => commands::allocator::run(&client, command).await,
        Command::Zone(command) => commands::zone::run(&client, command).await,
        Command::Vacate(command) => commands::vacate::run(&client, command).await,
        Command::Instance(command) => commands::instance::run(&client, command).await,
        Command::Placement(command) => commands::placement::run(&client, command).await,
        Command::Director(command) => commands::director::run(&client, command).await,
        Command::Proxy(command) => commands::proxy::run(&client, command).await,
        Command::Container(command) => commands::container::run(&client, command).await,
        Command::Template(command) => commands::template::run(&client, command).await,
        Command::LogLevel(args) => commands::log_level::run(&client, args).await,
        Command::Watch(command) => commands::watch::run(&client, command).await,
        Command::Alert(command) => commands::alert::run(&client, command).await,
        Command::Services(args) => commands::services::run(&client, args).await,
        Command::User(command) => commands::user::run(&client, command).await,
        Command::Token(command) => commands::token::run(&client, command).await,
        Command::Authority(command) => commands::authority::run(&client, command).await,
        Command::Config(command) => commands::config::run(&client, command).await,
        Command::Channel(command) => commands::channel::run(&client, command).await,
        Command::Repository(command) => commands::repository::run(&client, command).await,
        Command::Events(args) => commands::events::run(&client, args).await,
        Command::Api(args) => commands::api::run(&client, args).await,
        // Handled above; the compiler cannot know.
        Command::Up(_)
        | Command::Down(_)
        | Command::Install(_)
        | Command::Uninstall(_)
        | Command::Preflight(_)
        | Command::Run(_)
        | Command::Diagnostics(_)
        | Command::Completion(_)
        | Command::Man(_) => Ok(EXIT_FAILED),
    }
}
