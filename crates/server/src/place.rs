//! The flags that say which settings a command runs by.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, Faults, Flag, Sources};
use crate::environment;

/// Flags that settings can be given by, for commands that need the database.
#[derive(Args, Clone, Debug, Default)]
pub struct Place {
    /// The settings file
    #[arg(long, env = "TOKENHOUSE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The database: sqlite://PATH or postgres://...; one with a password is better given as TOKENHOUSE__DATABASE__URL
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// The folder for what is kept beside the database: master key, journal
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl Place {
    /// The layers that these flags, the file they name and the environment make.
    pub fn sources(&self) -> Sources {
        let data = self.data.as_ref().map(|path| path.display().to_string());
        let given = [("database.url", "--database", self.database.clone()), ("data.dir", "--data", data)];
        let flags = given.into_iter().filter_map(|(key, name, value)| Some(Flag { key, name, value: value? }));
        Sources { file: self.config.clone(), environment: environment::variables(), flags: flags.collect() }
    }

    /// The settings, with further flags of the command's own laid on top.
    ///
    /// # Errors
    /// Everything wrong with them.
    pub fn settings(&self, more: Vec<Flag>) -> Result<Config, Faults> {
        let mut sources = self.sources();
        sources.flags.extend(more);
        Config::load(&sources)
    }
}
