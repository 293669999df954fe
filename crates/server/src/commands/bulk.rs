//! `tokenhouse token revoke --search`: looks first, asks, and lets a job do it.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::jobs::JOB;
use super::token::TOKENS;
use super::{Caution, Remote, id_of};
use crate::ask;
use crate::client::Call;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::times::{self, Moment};

/// Looks at a job so often.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// The fields whose values are times.
const TIMES: [&str; 2] = ["created_at", "last_used_at"];
/// The words of a condition.
const OPS: [&str; 5] = ["is", "begins", "contains", "before", "after"];

/// What is looked for, and whether one waits.
#[derive(Args, Debug)]
pub struct Search {
    /// Every token that this is true of: FIELD [not] OP VALUE; repeat, and all must be true.
    /// FIELD is name, owner, id, owner_type, any, created_at or last_used_at; OP is `is`, `begins` or `contains`,
    /// of times `is`, `before` or `after`. VALUE of a time is 2027-01-01, 2027-01-01T12:00:00Z, 90d (ago) or never
    #[arg(long = "search", value_name = "CONDITION", value_parser = condition)]
    pub conditions: Vec<Value>,
    /// With --search: wait until the job has ended
    #[arg(long, requires = "conditions")]
    pub wait_job: bool,
}

/// A condition as the server takes it.
fn condition(text: &str) -> Result<Value, String> {
    let wrong = || "write FIELD [not] OP VALUE, e.g. 'name begins ci-' or 'last_used_at before 90d'".to_owned();
    let (field, rest) = text.trim().split_once(' ').ok_or_else(wrong)?;
    let rest = rest.trim_start();
    let (not, rest) = match rest.strip_prefix("not ") {
        Some(rest) => (true, rest.trim_start()),
        None => (false, rest),
    };
    let (op, value) = rest.split_once(' ').ok_or_else(wrong)?;
    if !OPS.contains(&op) {
        return Err(format!("{op:?} is none of {}; {}", OPS.join(", "), wrong()));
    }
    let value = value.trim();
    let value = match TIMES.contains(&field) {
        true => json!(time(value)?),
        false => json!(value),
    };
    Ok(match not {
        true => json!({ "field": field, "op": op, "value": value, "not": true }),
        false => json!({ "field": field, "op": op, "value": value }),
    })
}

/// A time in the past; 0 is never.
fn time(text: &str) -> Result<i64, String> {
    let now = times::now();
    Ok(match times::moment(text.strip_suffix(" ago").unwrap_or(text))? {
        Moment::Never => 0,
        Moment::At(at) => at,
        Moment::After(seconds) => now.saturating_sub(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)),
    })
}

/// How many there are, for people.
fn told_count(preview: &Value) -> String {
    let count = preview.get("count").and_then(Value::as_i64).unwrap_or_default();
    let more = preview.get("more").and_then(Value::as_bool).unwrap_or_default();
    match (count, more) {
        (1, false) => "1 token".to_owned(),
        (count, false) => format!("{count} tokens"),
        (count, true) => format!("more than {count} tokens"),
    }
}

/// Revokes what is found.
pub async fn revoke(remote: &Remote, search: &Search, caution: &Caution) -> Result<(), Failure> {
    let path = ["tokens", "revoke"];
    let asked = Call::post(&path).body(json!({ "search": search.conditions, "preview": true }));
    let mut preview = remote.client.send(&asked).await?;
    let count = told_count(&preview);
    if caution.dry_run && remote.output.json {
        return remote.output.json(&json!({ "dry_run": true, "would": "revoke these tokens", "target": preview }));
    }
    if caution.dry_run || !caution.yes {
        let items = preview.get_mut("tokens").map(Value::take).unwrap_or_default();
        let rows = items.as_array().map(Vec::as_slice).unwrap_or_default();
        let titles = TOKENS.iter().map(|field| field.0.to_owned()).collect();
        let rows = rows.iter().map(|item| TOKENS.iter().map(|field| field.told(item)).collect());
        let shown = output::table(titles, rows);
        if caution.dry_run {
            output::print_text(&shown)?;
            return remote.output.note(&format!("Dry run: this would revoke {count}. Nothing was changed."));
        }
        remote.output.note(&shown)?;
        match ask::confirmed(&format!("This will revoke {count}, for good. Go on?"))? {
            Some(true) => {}
            Some(false) => return Err(Failure::Other("not confirmed: nothing was changed".to_owned())),
            None => {
                return Err(Failure::Usage(format!(
                    "nobody can be asked whether to revoke {count}: give --yes, or look first with --dry-run. Nothing \
                     was changed"
                )));
            }
        }
    }
    let body = json!({ "search": search.conditions });
    let job = remote.client.send(&Call::post(&path).body(body).repeatable()).await?;
    let id = id_of(&job)?;
    let look = format!("tokenhouse jobs show {id}\ntokenhouse jobs cancel {id}");
    if !search.wait_job {
        remote.output.object(JOB, &job)?;
        return remote.output.note(&format!("The job does it now. To look at it, or to stop it:\n{look}"));
    }
    let ended = tokio::select! {
        ended = until_ended(remote, &id) => ended?,
        _ = tokio::signal::ctrl_c() => {
            return Err(Failure::Other(format!("the job goes on without this command. To look at it, or to stop it:\n{look}")));
        }
    };
    remote.output.object(JOB, &ended)?;
    match ended.get("state").and_then(Value::as_str) {
        Some("done") => Ok(()),
        state => Err(Failure::Other(format!("the job ended as {}", state.unwrap_or("unknown")))),
    }
}

/// The job, once it has ended or somebody must look after it.
async fn until_ended(remote: &Remote, id: &str) -> Result<Value, Failure> {
    let mut progress = Progress::new();
    loop {
        // Safe to repeat, so a server that restarts is waited for.
        let job = remote.client.send(&Call::get(&["jobs", id]).repeatable()).await?;
        let number = |name: &str| job.get(name).and_then(Value::as_u64).unwrap_or_default();
        progress.bar(number("progress"), number("total"));
        if !matches!(job.get("state").and_then(Value::as_str), Some("waiting" | "running")) {
            return Ok(job);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_field_op_and_the_rest() {
        let name = json!({ "field": "name", "op": "begins", "value": "old ci" });
        assert_eq!(condition("name begins old ci").unwrap(), name);
        let not = json!({ "field": "owner", "op": "is", "value": "sa::x", "not": true });
        assert_eq!(condition(" owner not is sa::x ").unwrap(), not);
        let never = json!({ "field": "last_used_at", "op": "is", "value": 0 });
        assert_eq!(condition("last_used_at is never").unwrap(), never);
        let day = json!({ "field": "created_at", "op": "before", "value": 1_798_761_600_000_i64 });
        assert_eq!(condition("created_at before 2027-01-01").unwrap(), day);
        let ago = condition("last_used_at before 1h ago").unwrap()["value"].as_i64().unwrap();
        assert!((3_600_000..3_660_000).contains(&(times::now() - ago)));
        for wrong in ["", "name", "name begins", "name is", "name like x", "created_at before x", "name not x"] {
            assert!(condition(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_count_is_exact_or_says_that_there_are_more() {
        for (preview, told) in [
            (json!({"count": 0, "more": false}), "0 tokens"),
            (json!({"count": 1, "more": false}), "1 token"),
            (json!({"count": 10_000, "more": true}), "more than 10000 tokens"),
        ] {
            assert_eq!(told_count(&preview), told);
        }
    }
}
