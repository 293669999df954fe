//! `tokenhouse token rotate`: a new secret, for a person to see or for a script's own file.
//!
//! What must never happen is that the server has put a new secret in place and nobody holds it. So the file that will
//! hold it is made before the server is asked; the request carries a key that is first kept on the disk, so that the
//! next run asks the very same thing again and gets the very same answer; and the old secret stays good for a while,
//! since that second request has to prove itself with something.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use serde_json::{Value, json};
use tokenhouse_model::SecretText;

use super::Remote;
use super::token::{TOKEN, print_once, take_secret};
use crate::ask;
use crate::attempt::Attempt;
use crate::client::{Call, Client, Connection, fresh_key};
use crate::failure::Failure;
use crate::output::Output;
use crate::replace::{Replacement, beside, resolved};
use crate::times;

/// How long the old secret stays good when a token rotates itself, in seconds, unless told otherwise.
///
/// A lost answer is asked for again, and that request can only prove itself with the old secret: 60 s outlasts the
/// client's own repetitions. Longer would only keep a secret alive that nobody needs any more.
pub const SELF_OVERLAP: u64 = 60;

/// `tokenhouse token rotate`
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("which").required(true).args(["id", "itself"]))]
pub struct Rotate {
    /// The token's id
    id: Option<String>,
    /// The token that this command itself is called with
    #[arg(long = "self")]
    itself: bool,
    /// How long the old secret stays good: 1h, 0. Default: 0; with --self 60s, so that a lost answer can be asked for again
    #[arg(long, value_parser = times::duration, value_name = "DURATION")]
    overlap: Option<u64>,
    /// Put the new secret into this file in one step (mode 0600), and print it nowhere.
    /// With --self the current token is read from it; only a file that is not there yet takes the token of
    /// TOKENHOUSE_TOKEN or --token-file.
    /// Ready for cron: a run that broke off is finished by the next
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// With --write: keep a file mode that lets others read
    #[arg(long, requires = "write")]
    keep_mode: bool,
}

impl Rotate {
    fn which(&self) -> &str {
        self.id.as_deref().unwrap_or("self")
    }

    fn overlap(&self) -> u64 {
        self.overlap.unwrap_or(if self.itself { SELF_OVERLAP } else { 0 })
    }

    /// Who to be. With `--self --write FILE` it is the file's own token: another one's new secret must not replace it.
    fn token(&self, connection: &Connection) -> Result<Option<SecretText>, Failure> {
        let given = connection.token()?;
        let Some(path) = self.write.as_ref().filter(|_| self.itself) else { return Ok(given) };
        match (ask::secret_in(path), given) {
            (Ok(own), Some(given)) if own.expose() != given.expose() => Err(Failure::Usage(format!(
                "{} holds another token than the one that was given (TOKENHOUSE_TOKEN, --token-file); nothing was \
                 changed. Give none to rotate the file's own, or name another file",
                path.display()
            ))),
            // A file that is not there yet, or is empty, may be filled.
            (Err(_), Some(given)) => Ok(Some(given)),
            (own, _) => own.map(Some),
        }
    }
}

/// Rotates, wherever the token comes from and the secret goes to.
pub async fn run(rotate: &Rotate, connection: &Connection, output: Output) -> Result<(), Failure> {
    let Some(path) = &rotate.write else {
        return print(&Remote::new(connection, output)?, rotate).await;
    };
    let target = resolved(path)?;
    // Held until the end: a second run must neither read a half-done state nor rotate the token again meanwhile.
    let mut attempt = Attempt::open(&target)?;
    let token = rotate.token(connection)?;
    let token =
        token.ok_or_else(|| Failure::Usage("no token: set TOKENHOUSE_TOKEN, or give --token-file FILE".to_owned()))?;
    let client = Client::new(connection, Some(&token))?;
    let remote = Remote { client, output };
    if finish_earlier(&target, &attempt, connection).await? {
        attempt.end()?;
        return output
            .note(&format!("Finished what an earlier run had begun: {} holds the new secret.", target.display()));
    }
    let resumed = attempt.resume(rotate.which());
    if !resumed {
        attempt.begin(rotate.which(), rotate.overlap(), fresh_key())?;
    }
    let file = match Replacement::prepare(&target, rotate.keep_mode) {
        Ok(file) => file,
        Err(failure) if resumed => return Err(failure),
        Err(failure) => return attempt.end().and(Err(failure)),
    };
    let narrowed = file.narrowed_from;
    let mut answer = ask_server(&remote, &attempt).await;
    let stale =
        |failure: &Failure| matches!(failure, Failure::Problem(problem) if problem.code.starts_with("idempotency_"));
    if resumed && answer.as_ref().is_err_and(stale) {
        // The earlier request was answered and that answer used, or another token made it: this is a new rotation.
        attempt.begin(rotate.which(), rotate.overlap(), fresh_key())?;
        answer = ask_server(&remote, &attempt).await;
    }
    let mut rotated = match answer {
        Ok(rotated) => rotated,
        Err(failure) => return Err(unanswered(failure, attempt)),
    };
    let secret = take_secret(&mut rotated)?;
    file.commit(&secret)?;
    attempt.end()?;
    if let Some(mode) = narrowed {
        output.note(&format!("{} had mode {mode:04o}: others lose it (--keep-mode keeps it).", target.display()))?;
    }
    if output.json {
        return output.json(&rotated);
    }
    let id = rotated.get("id").and_then(Value::as_str).unwrap_or("?");
    output.note(&format!("Rotated token {id}; {} holds the new secret.", target.display()))
}

/// Rotates, and prints the new secret.
async fn print(remote: &Remote, rotate: &Rotate) -> Result<(), Failure> {
    print_once(remote, remote.client.send(&call(rotate.which(), rotate.overlap(), fresh_key())).await?, TOKEN)
}

fn call(which: &str, overlap: u64, key: String) -> Call {
    Call::post(&["tokens", which, "rotate"]).body(json!({ "overlap_seconds": overlap })).keyed(key)
}

async fn ask_server(remote: &Remote, attempt: &Attempt) -> Result<Value, Failure> {
    let Some(begun) = attempt.begun() else {
        return Err(Failure::Other("no rotation was begun".to_owned()));
    };
    remote.client.send(&call(&begun.token, begun.overlap_seconds, begun.key.clone())).await
}

/// A refusal ends the attempt; a lost answer keeps it for the next run.
fn unanswered(failure: Failure, attempt: Attempt) -> Failure {
    let passing = match &failure {
        Failure::Problem(problem) => problem.is_passing(),
        Failure::Unreachable(_) => true,
        _ => false,
    };
    if passing {
        let overlap = attempt.begun().map_or(0, |begun| begun.overlap_seconds);
        return failure.and(&format!(
            "The file was not changed. The token may have been rotated; if so, its old secret is good for another {}. \
             Run the same command again before: it asks for the same answer.",
            times::told_seconds(overlap)
        ));
    }
    match attempt.end() {
        Ok(()) => failure,
        Err(second) => failure.and(&second.to_string()),
    }
}

/// Where an earlier run broke off between writing the new secret and putting it in place, puts it in place, provided
/// that the server takes it.
async fn finish_earlier(target: &Path, attempt: &Attempt, connection: &Connection) -> Result<bool, Failure> {
    let waiting = beside(target, "new");
    if attempt.begun().is_none() || !Attempt::is_own(&waiting, target) {
        return Ok(false);
    }
    if let Ok(secret) = ask::secret_in(&waiting) {
        match Client::new(connection, Some(&secret))?.send(&Call::get(&["whoami"])).await {
            Ok(_) => {
                std::fs::rename(&waiting, target)?;
                let folder = target.parent().unwrap_or(Path::new("."));
                std::fs::File::open(folder)?.sync_all()?;
                return Ok(true);
            }
            // Half written, or ended since: of no use to anybody.
            Err(Failure::Problem(problem)) if problem.status == 401 => {}
            Err(failure) => {
                return Err(failure.and(&format!("{} may hold the new secret; run again.", waiting.display())));
            }
        }
    }
    std::fs::remove_file(&waiting)?;
    Ok(false)
}

#[cfg(test)]
mod tests;
