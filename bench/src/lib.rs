//! What the measurements share: the program as a process, the database beside it, and a house full of tokens.
#![expect(clippy::missing_panics_doc, reason = "a measurement that can't go on says why and ends")]

pub mod changes;
pub mod database;
pub mod generator;
pub mod line;
pub mod load;
pub mod server;
pub mod signatures;
