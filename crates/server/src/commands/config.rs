//! `tokenhouse config`

use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::config::{Config, DEFAULT, Fault, Faults, Layers};
use crate::failure::Failure;
use crate::output::{Output, print_text, table};
use crate::place::Place;
use crate::tls;

/// `tokenhouse config ...`
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Find every mistake in the settings; exit code 1 if there is one
    Check {
        #[command(flatten)]
        place: Place,
    },
    /// Show the settings that hold, and where each comes from; never a password
    Show {
        #[command(flatten)]
        place: Place,
    },
    /// Print the commented file of all settings with their defaults
    Default,
}

/// Runs one of them.
pub fn run(command: Command, output: Output) -> Result<(), Failure> {
    match command {
        Command::Check { place } => check(&place, output),
        Command::Show { place } => show(&place, output),
        Command::Default => print_text(DEFAULT.trim_end()),
    }
}

fn check(place: &Place, output: Output) -> Result<(), Failure> {
    let found = Layers::read(&place.sources()).config().and_then(|config| {
        let faults = files(&config);
        if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
    });
    if output.json {
        let problems = found.as_ref().err().map(|faults| faults.0.as_slice()).unwrap_or_default();
        output.json(&json!({ "ok": found.is_ok(), "problems": problems }))?;
    } else if found.is_ok() {
        output.note("The settings are right.")?;
    }
    Ok(found?)
}

/// What the settings name must be there: better told now than at the next start.
fn files(config: &Config) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(files) = &config.http.tls
        && let Err(error) = tls::load(files)
    {
        faults.push(Fault::of("http.tls", error.to_string()));
    }
    if let Some(path) = &config.gate.rules
        && let Err(found) = crate::gate::rules(path)
    {
        faults.extend(found);
    }
    if let Some(path) = &config.wavefront.upstream_token_file
        && let Err(error) = crate::ask::secret_in(path)
    {
        faults.push(Fault::of("wavefront.upstream_token_file", error.to_string()));
    }
    if let Some(path) = &config.keys.master_file
        && let Err(error) = std::fs::File::open(path)
    {
        faults.push(Fault::of("keys.master_file", format!("{} can't be read: {error}", path.display())));
    }
    if let Some(name) = &config.keys.master_env
        && crate::environment::variable(name).is_none()
    {
        faults.push(Fault::of("keys.master_env", format!("the environment variable {name} is not set")));
    }
    faults
}

fn show(place: &Place, output: Output) -> Result<(), Failure> {
    let layers = Layers::read(&place.sources());
    if output.json {
        let told = layers.shown().map(|(key, value, origin)| {
            let value = serde_json::to_value(value).unwrap_or(Value::Null);
            (key.to_owned(), json!({ "value": value, "from": origin.word(), "source": origin.to_string() }))
        });
        output.json(&Value::Object(told.collect::<Map<_, _>>()))?;
    } else {
        let rows = layers.shown().map(|(key, value, origin)| {
            let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            vec![key.to_owned(), if value.is_empty() { "-".to_owned() } else { value }, origin.to_string()]
        });
        print_text(&table(vec!["Key".into(), "Value".into(), "From".into()], rows))?;
    }
    Ok(layers.config().map(|_| ())?)
}
