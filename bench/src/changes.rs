//! Changes per second through HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::server::Server;

/// Issues tokens of this name with so many clients for so long: the rate, and the ids that were made.
pub async fn issue(server: &Server, name: &str, clients: usize, time: Duration) -> (f64, Vec<String>) {
    let begun = Instant::now();
    let work = (0..clients).map(|_| async {
        let mut made = Vec::new();
        while begun.elapsed() < time {
            let answer = server.post("/v1/tokens", json!({ "name": name })).await;
            made.push(answer["id"].as_str().expect("an id").to_owned());
        }
        made
    });
    let made: Vec<String> = futures::future::join_all(work).await.into_iter().flatten().collect();
    (made.len() as f64 / begun.elapsed().as_secs_f64(), made)
}

/// Does something to each of these tokens, as far as the time goes.
pub async fn change(server: &Server, what: &str, tokens: &[String], clients: usize, time: Duration) -> f64 {
    let (begun, next) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let work = (0..clients).map(|_| async {
        let mut done = 0_usize;
        while begun.elapsed() < time {
            let Some(id) = tokens.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            server.post(&format!("/v1/tokens/{id}/{what}"), json!({})).await;
            done += 1;
        }
        done
    });
    let done: usize = futures::future::join_all(work).await.into_iter().sum();
    done as f64 / begun.elapsed().as_secs_f64()
}

/// How long single revocations take, in milliseconds, sorted.
async fn revoke_each(
    server: &Server,
    tokens: &mut impl Iterator<Item = &String>,
    go_on: impl AsyncFn() -> bool,
) -> Vec<f64> {
    let mut took = Vec::new();
    while go_on().await {
        let Some(id) = tokens.next() else { break };
        let begun = Instant::now();
        server.post(&format!("/v1/tokens/{id}/revoke"), json!({})).await;
        took.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    took.sort_by(f64::total_cmp);
    took
}

/// A job that revokes what a search finds, and single revocations meanwhile.
#[derive(Debug)]
pub struct Beside {
    /// How long single revocations take without the job, in milliseconds, sorted.
    pub alone: Vec<f64>,
    /// How long they take while it works.
    pub meanwhile: Vec<f64>,
    /// Tokens that the job revoked.
    pub revoked: u64,
    /// How long it took.
    pub job: Duration,
}

/// Revokes all tokens of this name by a job, and these meanwhile, one after the other.
pub async fn revoke_beside_job(server: &Server, name: &str, tokens: &[String], time: Duration) -> Beside {
    let mut each = tokens.iter();
    let begun = Instant::now();
    let alone = revoke_each(server, &mut each, async || begun.elapsed() < time).await;
    let search = json!({ "search": [{ "field": "name", "op": "is", "value": name }] });
    let begun = Instant::now();
    let job = server.post("/v1/tokens/revoke", search).await;
    let path = format!("/v1/jobs/{}", job["id"].as_str().expect("an id"));
    let works = async || !matches!(server.get(&path).await["state"].as_str(), Some("done" | "failed"));
    let meanwhile = revoke_each(server, &mut each, works).await;
    while works().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let job = begun.elapsed();
    let ended = server.get(&path).await;
    assert_eq!(ended["state"], "done", "{ended}");
    Beside { alone, meanwhile, revoked: ended["progress"].as_u64().unwrap_or_default(), job }
}
