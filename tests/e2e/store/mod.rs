mod chain;
mod journal;
mod keys;
mod schema;
mod statements;
