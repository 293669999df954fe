//! Three real nodes on one PostgreSQL under load, while everything between and beneath them fails: no yes after a
//! confirmed receipt, nothing acknowledged lost, every node well again by itself.
//!
//! Heavy, so it runs alone: `cargo test -p tokenhouse-e2e --test nodes -- --nocapture --test-threads 1`.
//! `TOKENHOUSE_FAULT_SECONDS` says how long the random run takes, `TOKENHOUSE_FAULT_SEED` repeats its choices.

mod check;
mod client;
mod cluster;
mod database;
mod disk;
mod faults;
mod frontend;
mod healthy;
mod history;
mod load;
mod machine;
mod network;
mod node;
mod proxy;
mod random;
mod report;
mod rig;
mod witness;
