//! `tokenhouse version`

use serde_json::json;

use crate::failure::Failure;
use crate::output::{Output, print_text};

/// The commit that the program was built from, where the build was told.
const COMMIT: Option<&str> = option_env!("TOKENHOUSE_COMMIT");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Prints it.
pub fn run(output: Output) -> Result<(), Failure> {
    if output.json {
        return output.json(&json!({ "version": VERSION, "commit": COMMIT }));
    }
    print_text(
        &COMMIT.map_or_else(|| format!("tokenhouse {VERSION}"), |commit| format!("tokenhouse {VERSION} ({commit})")),
    )
}
