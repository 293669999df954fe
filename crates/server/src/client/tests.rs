use super::*;

#[test]
fn segments_are_encoded_and_never_lost() {
    let connection = connection("https://th.example/base/");
    let client = Client::new(&connection, None).unwrap();
    let address = |path: &[&str]| {
        let path: Vec<String> = path.iter().map(|one| (*one).to_owned()).collect();
        client.address(&path).map(|url| url.to_string())
    };
    assert_eq!(
        address(&["accounts", "sa::ci/x?y#z %2F"]).unwrap(),
        "https://th.example/base/v1/accounts/sa::ci%2Fx%3Fy%23z%20%252F"
    );
    assert_eq!(address(&["accounts", "a@b.c"]).unwrap(), "https://th.example/base/v1/accounts/a@b.c");
    for bad in ["", ".", "..", "th_u_0123456789abcdefghij", "2AD7B2F4-5f09-4b1c-9c3e-1b2c3d4e5f60", "eyJhbGciOi.x.y"] {
        assert!(matches!(address(&["tokens", bad]), Err(Failure::Usage(_))), "{bad}");
    }
    for good in ["th_team", "2ad7b2f4-5f09-7b1c-9c3e-1b2c3d4e5f60", "ci.example.com", "self"] {
        assert!(address(&["tokens", good]).is_ok(), "{good}");
    }
}

#[test]
fn an_address_with_secrets_or_of_another_kind_is_refused() {
    for bad in ["ftp://x", "th.example", "http://u:p@x", "https://x/?token=a", "https://x/#y", ""] {
        assert!(matches!(Client::new(&connection(bad), None), Err(Failure::Usage(_))), "{bad}");
    }
    let broken = SecretText::new("th_u_\n".to_owned());
    assert!(matches!(Client::new(&connection("http://x"), Some(&broken)), Err(Failure::Usage(_))));
}

#[test]
fn what_was_not_given_is_not_sent() {
    let call = Call::post(&["tokens"]).body(serde_json::json!({ "name": "a", "owner": null }));
    assert_eq!(call.body.unwrap().to_string(), r#"{"name":"a"}"#);
    let call = Call::patch(&["tokens"]).exact_body(serde_json::json!({ "expires_at": null }));
    assert_eq!(call.body.unwrap().to_string(), r#"{"expires_at":null}"#);
    let call = Call::get(&["tokens"]).query("owner", None::<String>).query("limit", Some(3));
    assert_eq!(call.query, [("limit", "3".to_owned())]);
    let key = fresh_key();
    assert!(key.len() == 36 && key != fresh_key());
}

fn connection(url: &str) -> Connection {
    Connection { url: url.to_owned(), token_file: None, token: None, wait: false, repeat_for: Duration::ZERO }
}
