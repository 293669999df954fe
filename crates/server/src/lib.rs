//! The `tokenhouse` program: settings, start-up, commands, telemetry, and what talks outwards.
//!
//! [`run`] reads the arguments and hands over to one module per command. Commands that talk to a server stand in
//! `commands`; those that work on a database or are the server have a module of their own here.

mod ask;
mod attempt;
mod cli;
mod client;
mod commands;
pub mod config;
mod environment;
mod failure;
mod gate;
mod init;
mod ledger_offline;
pub mod listen;
mod node;
mod output;
mod password_reset;
mod place;
mod progress;
mod quickstart;
mod replace;
mod rows;
mod serve;
pub mod telemetry;
mod times;
pub mod tls;
pub mod upstream;

pub use cli::run;
