mod chain;
mod journal;
mod keys;
mod nodes;
mod schema;
mod search;
mod statements;
mod tables;
