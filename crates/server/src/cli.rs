//! The commands, and which module does each.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use tokio::runtime::{Builder, Runtime};

use crate::client::Connection;
use crate::commands::{
    Remote, account, api_token, app, config, group, jobs, key, ledger, nodes, org, policy, role, rotate, session,
    token, verify, version,
};
use crate::failure::{EXIT_CODES, Failure};
use crate::output::{Output, print_text};
use crate::{init, ledger_offline, password_reset, quickstart, serve};

/// A self-hosted authority for API credentials.
///
/// The server is `quickstart` or `serve`; what needs only its database is `init`, `ledger verify` and
/// `account reset-password`; everything else talks to the server at TOKENHOUSE_URL as the owner of TOKENHOUSE_TOKEN.
/// Secrets are read from standard input, a terminal, a file or the environment, never from arguments.
#[derive(Parser, Debug)]
#[command(name = "tokenhouse", version, after_long_help = EXIT_CODES, after_help = "Exit codes: see --help", max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print JSON: the answer on standard output, an error on standard error
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Make a data folder, an org and its administrator where there is none, and serve
    Quickstart(quickstart::Arguments),
    /// Make a new installation in an empty database
    Init(init::Arguments),
    /// Serve
    Serve(serve::Arguments),
    /// Orgs
    #[command(subcommand)]
    Org(org::Command),
    /// Accounts: people and service accounts
    #[command(subcommand)]
    Account(account::Command),
    /// Groups of accounts
    #[command(subcommand)]
    Group(group::Command),
    /// Roles: named sets of permissions
    #[command(subcommand)]
    Role(role::Command),
    /// The org's rules for tokens
    #[command(subcommand)]
    Policy(policy::Command),
    /// Tokens: issue, rotate, revoke
    #[command(subcommand)]
    Token(token::Command),
    /// Api tokens of your own, which are exchanged for access tokens
    #[command(subcommand)]
    ApiToken(api_token::Command),
    /// Apps: programs that get access tokens for a client id and a secret
    #[command(subcommand)]
    App(app::Command),
    Verify(verify::Verify),
    Nodes(nodes::Nodes),
    /// The keys that access tokens are signed with
    #[command(subcommand)]
    Key(key::Command),
    Login(session::Login),
    /// End the session that the token is of
    Logout,
    /// Show who the token is, and what it may do
    Whoami,
    /// The ledger of everything that changed
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Jobs: of the house, and those that somebody asked for
    Jobs(jobs::Arguments),
    /// Settings
    #[command(subcommand)]
    Config(config::Command),
    /// Print a script that completes commands in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the version
    Version,
}

/// Runs one command of the line, and gives its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output and is no error; a closed output is none either.
            _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()) * 2);
        }
    };
    let output = Output { json: cli.json };
    match dispatch(cli.command, &cli.connection, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(output.json),
    }
}

fn dispatch(command: Command, connection: &Connection, output: Output) -> Result<(), Failure> {
    match command {
        Command::Quickstart(arguments) => server()?.block_on(quickstart::run(arguments, output)),
        Command::Serve(arguments) => server()?.block_on(serve::run(arguments, output)),
        Command::Init(arguments) => client()?.block_on(init::run(arguments, output)),
        Command::Account(account::Command::ResetPassword(arguments)) => {
            client()?.block_on(password_reset::run(arguments, output))
        }
        Command::Ledger(ledger::Command::Verify(arguments)) => {
            client()?.block_on(ledger_offline::run(arguments, output))
        }
        Command::Config(command) => config::run(command, output),
        Command::Completions { shell } => completions(shell),
        Command::Version => version::run(output),
        Command::Login(login) => client()?.block_on(session::login(login, connection, output)),
        Command::Token(token::Command::Rotate(rotate)) => client()?.block_on(rotate::run(&rotate, connection, output)),
        command => {
            let remote = Remote::new(connection, output)?;
            client()?.block_on(online(command, &remote))
        }
    }
}

async fn online(command: Command, remote: &Remote) -> Result<(), Failure> {
    match command {
        Command::Org(command) => org::run(command, remote).await,
        Command::Account(command) => account::run(command, remote).await,
        Command::Group(command) => group::run(command, remote).await,
        Command::Role(command) => role::run(command, remote).await,
        Command::Policy(command) => policy::run(command, remote).await,
        Command::Token(command) => token::run(command, remote).await,
        Command::ApiToken(command) => api_token::run(command, remote).await,
        Command::App(command) => app::run(command, remote).await,
        Command::Verify(verify) => verify::run(verify, remote).await,
        Command::Nodes(nodes) => nodes::run(nodes, remote).await,
        Command::Key(command) => key::run(command, remote).await,
        Command::Logout => session::logout(remote).await,
        Command::Whoami => session::whoami(remote).await,
        Command::Ledger(ledger::Command::Export(export)) => ledger::export(&export, remote).await,
        Command::Jobs(arguments) => jobs::run(arguments, remote).await,
        // Those that need no server were taken by `dispatch`.
        _ => Err(Failure::Other("this command talks to no server".to_owned())),
    }
}

fn server() -> Result<Runtime, Failure> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

fn client() -> Result<Runtime, Failure> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Made in memory first: the generator itself would panic when the output is closed.
fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tokenhouse", &mut script);
    print_text(String::from_utf8_lossy(&script).trim_end())
}

#[cfg(test)]
mod tests;
