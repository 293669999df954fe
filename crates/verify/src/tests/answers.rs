//! What answers are read as.

use serde_json::json;

use super::{bad, good, good_but};
use crate::answer::{LONGEST, read};

#[test]
fn a_reason_that_is_no_word_is_not_repeated() {
    for (reason, expected) in [
        (json!("revoked"), "revoked"),
        (json!(""), "inactive"),
        (json!("a\nforged line"), "inactive"),
        (json!("a".repeat(65)), "inactive"),
        (json!(null), "inactive"),
    ] {
        let mut answer = bad("x");
        answer["reason"] = reason;
        assert_eq!(read(answer.to_string().as_bytes()).unwrap().verdict, Err(expected.to_owned()));
    }
}

#[test]
fn a_token_of_the_org_has_no_account_and_a_scope_may_be_empty() {
    let answer = good_but(json!({"client_id": "token", "username": null, "scope": "", "name": null}));
    let who = read(answer.to_string().as_bytes()).unwrap().verdict.unwrap();
    assert_eq!((who.account.clone(), who.permissions.len(), who.name.as_str()), (None, 0, ""));
}

#[test]
fn what_is_too_long_or_lacks_a_member_is_none() {
    let padded = |length: usize| {
        let text = good().to_string();
        format!("{text}{}", " ".repeat(length - text.len()))
    };
    assert!(read(padded(LONGEST).as_bytes()).is_some());
    assert!(read(padded(LONGEST + 1).as_bytes()).is_none());
    for member in ["active", "org_id", "jti", "kind", "revision", "epoch"] {
        let mut answer = good();
        answer.as_object_mut().unwrap().remove(member);
        assert!(read(answer.to_string().as_bytes()).is_none(), "{member}");
    }
    assert!(read(good_but(json!({"stale_ms": -1})).to_string().as_bytes()).is_none());
    assert!(read("[".repeat(10_000).as_bytes()).is_none());
}
