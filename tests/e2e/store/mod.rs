mod chain;
mod journal;
mod keys;
mod nodes;
mod people;
mod schema;
mod statements;
