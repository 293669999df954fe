//! Logs: text or JSON to standard error, never with a secret in them.

use std::any::Any;
use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;
use std::str::FromStr as _;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::{Log, LogFormat};

/// The name that all our modules' targets begin with.
const HOUSE: &str = "tokenhouse";

/// Starts logging for this process, panics included.
///
/// # Errors
/// Logging was started before.
pub fn start(log: &Log) -> Result<(), TryInitError> {
    let targets = targets(&log.level).unwrap_or_else(|| quiet().with_target(HOUSE, Level::INFO));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(targets);
    match log.format {
        LogFormat::Text => registry.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init()?,
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init()?,
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// What is logged at `LEVEL[,MODULE=LEVEL]...`; `None` where that can't be read or names a module that is not ours.
///
/// Libraries are held at warnings: at `trace` some of them write headers, and with those credentials.
pub fn targets(level: &str) -> Option<Targets> {
    let mut parts = level.split(',').map(str::trim);
    let mut targets = quiet().with_target(HOUSE, one_level(parts.next()?)?);
    for part in parts {
        let (module, level) = part.split_once('=')?;
        let ours = module.starts_with(HOUSE) && module.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
        if !ours {
            return None;
        }
        targets = targets.with_target(module, one_level(level)?);
    }
    Some(targets)
}

fn quiet() -> Targets {
    Targets::new().with_default(Level::WARN)
}

/// Words only: the library would also take numbers.
fn one_level(word: &str) -> Option<LevelFilter> {
    let known = ["error", "warn", "info", "debug", "trace"].contains(&word);
    known.then(|| LevelFilter::from_str(word).ok()).flatten()
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = message(panic.payload());
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let backtrace = std::backtrace::Backtrace::capture();
    tracing::error!(place, thread = thread.name().unwrap_or("?"), %backtrace, "panic: {message}");
}

/// A panic's message may have been made from anything, also from a secret. Only one that was written in the source as it
/// stands is logged; else the place must do.
fn message(payload: &dyn Any) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("(message withheld)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_words_and_modules_are_ours() {
        for good in ["info", "trace", "warn,tokenhouse_store=debug", "info, tokenhouse_http::native=trace"] {
            assert!(targets(good).is_some(), "{good}");
        }
        for bad in ["", "INFO!", "5", "loud", "info,h2=trace", "tokenhouse=info", "info,tokenhouse_store", "info,"] {
            assert!(targets(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn libraries_never_say_more_than_warnings() {
        let targets = targets("trace").unwrap();
        assert!(targets.would_enable("tokenhouse_store::writer", &Level::TRACE));
        assert!(targets.would_enable("hyper", &Level::WARN));
        assert!(!targets.would_enable("hyper::proto", &Level::INFO));
    }

    #[test]
    fn a_panic_tells_only_what_stands_in_the_source() {
        assert_eq!(message(&"the lock is poisoned"), "the lock is poisoned");
        assert_eq!(message(&format!("bad token {}", "th_u_secret")), "(message withheld)");
    }
}
