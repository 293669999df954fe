//! `tokenhouse jobs`

use clap::{Args, Subcommand};

use super::{Page, Remote};
use crate::client::Call;
use crate::failure::Failure;
use crate::output::Field;
use crate::output::Form::{Text, TimeIfAny};

const JOBS: &[Field] = &[
    Field("ID", "/id", Text),
    Field("Kind", "/kind", Text),
    Field("State", "/state", Text),
    Field("Done", "/progress", Text),
    Field("Of", "/total", Text),
    Field("Last run", "/ran_at", TimeIfAny),
    Field("Next run", "/due_at", TimeIfAny),
    Field("Held because", "/held/reason", Text),
    Field("Seconds off", "/held/seconds", Text),
];

pub(super) const JOB: &[Field] = &[
    Field("ID", "/id", Text),
    Field("Kind", "/kind", Text),
    Field("State", "/state", Text),
    Field("Why", "/reason", Text),
    Field("Done", "/progress", Text),
    Field("Of", "/total", Text),
    Field("Skipped", "/skipped", Text),
    Field("Begun", "/created_at", TimeIfAny),
    Field("Ended or last run", "/ran_at", TimeIfAny),
    Field("By", "/created_by", Text),
    Field("Held because", "/held/reason", Text),
];

/// `tokenhouse jobs ...`
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List the jobs; so does `jobs` alone
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Show one job
    Show {
        /// The job's id
        id: String,
    },
    /// Stop a job that somebody asked for; what it did stays done
    Cancel {
        /// The job's id
        id: String,
    },
    /// Say that the time is right now, and let a job go on that is held
    Confirm {
        /// The job's id
        id: String,
    },
}

/// Runs one of them.
pub async fn run(arguments: Arguments, remote: &Remote) -> Result<(), Failure> {
    let all = Page { all: true, limit: None, cursor: None };
    match arguments.command.unwrap_or(Command::List { page: all }) {
        Command::List { page } => remote.list(Call::get(&["jobs"]), &page, JOBS).await,
        Command::Show { id } => remote.object(Call::get(&["jobs", &id]), JOB).await,
        Command::Cancel { id } => remote.object(Call::post(&["jobs", &id, "cancel"]).repeatable(), JOB).await,
        Command::Confirm { id } => remote.object(Call::post(&["jobs", &id, "confirm"]).repeatable(), JOBS).await,
    }
}
