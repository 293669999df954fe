//! End to end, over HTTP, on both databases. The tree of modules is the tree of URLs.

mod cli;
mod crash;
mod csp;
mod gate;
mod life;
mod native;
mod oauth;
mod people;
mod store;
mod trouble;
mod verifier;
mod wavefront;
