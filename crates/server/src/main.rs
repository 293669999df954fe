//! The `tokenhouse` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    tokenhouse_server::run(std::env::args_os())
}
