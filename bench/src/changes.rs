//! Changes per second through HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::server::Server;

/// Issues tokens with so many clients for so long: the rate, and the ids that were made.
pub async fn issue(server: &Server, clients: usize, time: Duration) -> (f64, Vec<String>) {
    let begun = Instant::now();
    let work = (0..clients).map(|_| async {
        let mut made = Vec::new();
        while begun.elapsed() < time {
            let answer = server.post("/v1/tokens", json!({})).await;
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
