//! How long answers are used, and who shares them.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt as _;
use futures::future::join_all;
use tokio::sync::{Notify, Semaphore};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn without_staleness_every_request_asks() {
    let house = StandIn::saying(good()).await;
    let verifier = house.builder().build().unwrap();
    for _ in 0..3 {
        assert!(ask(&verifier).await.is_ok());
    }
    assert_eq!(house.asked().len(), 3);
}

#[tokio::test]
async fn answers_good_and_bad_are_used_for_as_long_as_was_said() {
    for answer in [good(), bad("revoked")] {
        let house = StandIn::saying(answer).await;
        let long = house.builder().staleness(HOUR).build().unwrap();
        let first = ask(&long).await;
        assert_eq!(ask(&long).await, first);
        assert_eq!(house.asked().len(), 1);
        let short = house.builder().staleness(Duration::from_millis(20)).build().unwrap();
        for _ in 0..2 {
            assert_eq!(ask(&short).await, first);
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        assert_eq!(house.asked().len(), 3);
    }
}

#[tokio::test]
async fn an_answer_ages_from_when_its_question_was_sent() {
    let house = StandIn::new(async |_| {
        tokio::time::sleep(Duration::from_millis(60)).await;
        Json(good()).into_response()
    })
    .await;
    let verifier = house.builder().staleness(Duration::from_millis(50)).build().unwrap();
    for _ in 0..2 {
        assert!(ask(&verifier).await.is_ok());
    }
    assert_eq!(house.asked().len(), 2, "it was too old when it came");
}

#[tokio::test]
async fn an_answer_is_for_one_credential_and_one_permission() {
    let house = StandIn::saying(good()).await;
    let verifier = house.builder().staleness(HOUR).build().unwrap();
    for (credential, permission) in [("a", None), ("b", None), ("a", Some("orders.read")), ("a", Some("orders.write"))]
    {
        for _ in 0..2 {
            assert!(verifier.verify(credential, permission, None).await.is_ok());
        }
    }
    assert_eq!(house.asked().len(), 4);
}

#[tokio::test]
async fn no_more_answers_are_kept_than_was_said() {
    let house = StandIn::saying(good()).await;
    let verifier = house.builder().staleness(HOUR).capacity(10).build().unwrap();
    for round in 0..2 {
        for number in 0..200 {
            assert!(verifier.verify(&format!("credential-{number}"), None, None).await.is_ok());
        }
        // What is kept when the second round begins saves at most that many questions.
        assert!(house.asked().len() >= 200 + round * 180, "{}", house.asked().len());
    }
    let none = house.builder().staleness(HOUR).capacity(0).build().unwrap();
    assert!(ask(&none).await.is_ok() && ask(&none).await.is_ok());
}

#[tokio::test]
async fn an_answer_does_not_outlive_the_token() {
    let now = || i64::try_from(httpdate_now()).unwrap();
    let counted = Arc::new(AtomicUsize::new(0));
    for (exp, questions) in
        [(now() + 3600, 1), (now() + 1, 2), (now(), 2), (now() - 10, 2), (i64::MIN, 2), (i64::MAX, 1)]
    {
        counted.store(0, Ordering::Relaxed);
        let house = StandIn::saying(good_but(json!({"exp": exp}))).await;
        let verifier = house.builder().staleness(HOUR).build().unwrap();
        for _ in 0..2 {
            assert_eq!(ask(&verifier).await.unwrap().expires_at, Some(exp));
        }
        assert_eq!(house.asked().len(), questions, "{exp}");
    }
    // Whoever does not say what time it is can't say how long the token lives.
    for date in ["", "yesterday", "Thu, 01 Jan 1970 00:00:00"] {
        let house = StandIn::new(move |_| {
            let mut response = Json(good_but(json!({"exp": i64::MAX}))).into_response();
            response.headers_mut().insert("date", date.parse().unwrap());
            std::future::ready(response)
        })
        .await;
        let verifier = house.builder().staleness(HOUR).build().unwrap();
        assert!(ask(&verifier).await.is_ok() && ask(&verifier).await.is_ok());
        assert_eq!(house.asked().len(), 2, "{date}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the stand-in's HTTP dates are this clock's")]
fn httpdate_now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A stand-in whose answers wait until they are let go.
async fn gated() -> (StandIn, Arc<Semaphore>, Arc<Notify>) {
    let (gate, came) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let (held, tells) = (gate.clone(), came.clone());
    let house = StandIn::new(move |asked: Question| {
        let (held, tells) = (held.clone(), tells.clone());
        async move {
            tells.notify_one();
            held.acquire().await.unwrap().forget();
            let revision = asked.get("at_least").map_or(7, |text| text.parse().unwrap());
            Json(good_but(json!({"revision": revision}))).into_response()
        }
    })
    .await;
    (house, gate, came)
}

#[tokio::test]
async fn many_at_once_ask_once() {
    let (house, gate, came) = gated().await;
    let verifier = house.builder().staleness(HOUR).build().unwrap();
    let all = join_all((0..50).map(|_| ask(&verifier)));
    let open = async {
        came.notified().await;
        gate.add_permits(50);
    };
    let (answers, ()) = tokio::join!(all, open);
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(house.asked().len(), 1);
}

#[tokio::test]
async fn a_request_never_joins_a_question_that_was_sent_before_it_without_staleness() {
    let (house, gate, came) = gated().await;
    let verifier = house.builder().build().unwrap();
    let second = async {
        came.notified().await;
        let open = async {
            came.notified().await;
            gate.add_permits(2);
        };
        tokio::join!(ask(&verifier), open).0
    };
    let (first, second) = tokio::join!(ask(&verifier), second);
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(house.asked().len(), 2);
}

#[tokio::test]
async fn whoever_waits_for_a_turn_is_joined_also_without_staleness() {
    let (house, gate, came) = gated().await;
    let verifier = house.builder().at_once(1).build().unwrap();
    let rest = async {
        came.notified().await;
        let open = async {
            tokio::task::yield_now().await;
            gate.add_permits(2);
        };
        tokio::join!(join_all((0..20).map(|_| verifier.verify("another", None, None))), open).0
    };
    let (first, rest) = tokio::join!(ask(&verifier), rest);
    assert!(first.is_ok() && rest.iter().all(Result::is_ok));
    assert_eq!(house.asked().len(), 2, "twenty waited for one turn");
}

#[tokio::test]
async fn a_request_after_a_receipt_uses_nothing_older() {
    let (house, gate, came) = gated().await;
    let verifier = house.builder().staleness(HOUR).build().unwrap();
    // From memory.
    gate.add_permits(2);
    assert!(ask(&verifier).await.is_ok());
    verifier.receipts().note(1, 7);
    assert!(ask(&verifier).await.is_ok());
    assert_eq!(house.asked().len(), 1, "it is true up to that receipt");
    verifier.receipts().note(1, 8);
    assert!(ask(&verifier).await.is_ok());
    verifier.receipts().note(1, 3);
    assert!(ask(&verifier).await.is_ok(), "an older receipt takes nothing back");
    let asked = house.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!((asked[1]["at_least"].as_str(), asked[1]["epoch"].as_str()), ("8", "1"));
    // From a question under way.
    while came.notified().now_or_never().is_some() {}
    let late = async {
        came.notified().await;
        verifier.receipts().note(1, 9);
        let open = async {
            came.notified().await;
            gate.add_permits(2);
        };
        tokio::join!(verifier.verify("other", None, None), open).0
    };
    let (early, late) = tokio::join!(verifier.verify("other", None, None), late);
    assert!(early.is_ok() && late.is_ok());
    let asked = house.asked();
    assert_eq!(asked.len(), 4, "it did not join");
    assert_eq!((asked[2]["at_least"].as_str(), asked[3]["at_least"].as_str()), ("8", "9"));
    // A higher epoch has everything of the lower one.
    gate.add_permits(1);
    verifier.receipts().note(0, 100);
    assert!(ask(&verifier).await.is_ok());
    assert_eq!(house.asked()[4]["at_least"], "9");
}

#[tokio::test]
async fn whoever_goes_away_does_not_take_the_question_with_him() {
    let (house, gate, came) = gated().await;
    let verifier = house.builder().staleness(HOUR).build().unwrap();
    let leader = tokio::spawn({
        let verifier = verifier.clone();
        async move { ask(&verifier).await }
    });
    came.notified().await;
    let mut follower = std::pin::pin!(ask(&verifier));
    assert!(follower.as_mut().now_or_never().is_none());
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    gate.add_permits(1);
    assert!(follower.await.is_ok());
    assert_eq!(house.asked().len(), 1);
    // And when everybody went, the next one asks anew.
    let mut alone = Box::pin(verifier.verify("other", None, None));
    assert!(alone.as_mut().now_or_never().is_none());
    drop(alone);
    gate.add_permits(2);
    assert!(verifier.verify("other", None, None).await.is_ok());
}
