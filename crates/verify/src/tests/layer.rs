//! What requests get.

use std::net::IpAddr;

use axum::body::to_bytes;
use http::HeaderName;
use http::request::Builder as Request;

use super::*;

fn bearer(credential: &str) -> Request {
    http::Request::get("/").header("authorization", format!("Bearer {credential}"))
}

/// Status, challenge, and what the service said.
async fn got(layer: VerifyLayer, request: Request) -> (u16, String, String) {
    let response = through(layer, request.body(Body::empty()).unwrap()).await;
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (status, challenge) = (response.status().as_u16(), header("www-authenticate").unwrap_or_default());
    assert_eq!(header("retry-after").is_some(), status == 503);
    assert_eq!(header("cache-control").is_some(), status != 200);
    let body = to_bytes(response.into_body(), 1000).await.unwrap();
    (status, challenge, String::from_utf8(body.to_vec()).unwrap())
}

fn refused(status: u16, challenge: &str) -> (u16, String, String) {
    (status, challenge.to_owned(), String::new())
}

#[tokio::test]
async fn a_good_credential_reaches_the_service_with_its_owner() {
    let house = StandIn::saying(good()).await;
    let verifier = house.builder().build().unwrap();
    assert_eq!(got(verifier.layer(), bearer("a-credential")).await, (200, String::new(), "token".to_owned()));
    assert_eq!(
        got(verifier.layer(), http::Request::get("/").header("authorization", "bEARER  a-credential")).await.0,
        200
    );
    let asked = house.asked();
    assert_eq!(asked[0]["token"], "a-credential");
    assert_eq!(asked[0]["authorization"], "Bearer own-credential");
    assert_eq!(asked[0].len(), 2, "{asked:?}");
    let who = ask(&verifier).await.unwrap();
    assert_eq!((who.account.as_deref(), who.org.as_str(), who.kind.as_str()), (Some("account"), "org", "service"));
    assert_eq!((who.identifier.as_deref(), who.name.as_str(), who.expires_at), (Some("sa::ci"), "deploy", None));
    assert!(who.may("orders.read") && who.may("orders.write") && !who.may("orders") && !who.may(""));
}

#[tokio::test]
async fn no_credential_several_and_unreadable_ones_ask_nothing() {
    let house = StandIn::saying(good()).await;
    let layer = house.builder().realm("orders").build().unwrap().layer();
    let plain = "Bearer realm=\"orders\"";
    let invalid = "Bearer realm=\"orders\", error=\"invalid_request\"";
    let token = "Bearer realm=\"orders\", error=\"invalid_token\"";
    let with = |value: &str| http::Request::get("/").header("authorization", value);
    for (request, expected) in [
        (http::Request::get("/"), refused(401, plain)),
        (with("Basic YTpi"), refused(401, plain)),
        (with(""), refused(401, plain)),
        (with("Bearer"), refused(400, invalid)),
        (with("Bearer "), refused(400, invalid)),
        (with("Bearer one two"), refused(400, invalid)),
        (bearer("one").header("authorization", "Bearer two"), refused(400, invalid)),
        (bearer("one").header("authorization", "Bearer one"), refused(400, invalid)),
        (bearer("a\"b"), refused(401, token)),
        (bearer("a&active=true"), refused(401, token)),
        (bearer(&"a".repeat(4097)), refused(401, token)),
    ] {
        let shown = format!("{request:?}");
        assert_eq!(got(layer.clone(), request).await, expected, "{shown}");
    }
    let unreadable = http::Request::get("/").header("authorization", b"Bearer \xff".as_slice());
    assert_eq!(got(layer, unreadable).await, refused(400, invalid));
    assert_eq!(house.asked().len(), 0);
}

#[tokio::test]
async fn a_bad_credential_is_401_and_a_missing_permission_403() {
    for reason in ["revoked", "unknown", "expired", "other_org", "rotated"] {
        let house = StandIn::saying(bad(reason)).await;
        let verifier = house.builder().build().unwrap();
        let expected = refused(401, "Bearer realm=\"api\", error=\"invalid_token\"");
        assert_eq!(got(verifier.layer(), bearer("a-credential")).await, expected);
        assert_eq!(ask(&verifier).await, Err(Refusal::Refused(reason.to_owned())));
    }
    let house = StandIn::saying(bad("permission_missing")).await;
    let layer = house.builder().build().unwrap().layer().permission("orders.read").unwrap();
    let expected = refused(403, "Bearer realm=\"api\", error=\"insufficient_scope\", scope=\"orders.read\"");
    assert_eq!(got(layer, bearer("a-credential")).await, expected);
    assert_eq!(house.asked()[0]["permission"], "orders.read");
}

#[tokio::test]
async fn a_permission_that_the_answer_does_not_list_opens_nothing() {
    let house = StandIn::saying(good()).await;
    let verifier = house.builder().build().unwrap();
    let layer = |permission: &str| verifier.layer().permission(permission).unwrap();
    assert_eq!(got(layer("orders.write"), bearer("a-credential")).await.0, 200);
    for permission in ["orders", "orders.write2", "ORDERS.READ", "külön", "a\"b"] {
        assert_eq!(got(layer(permission), bearer("a-credential")).await.0, 403, "{permission}");
    }
    for wrong in ["", "a b", "a\nb", "a\u{a0}b", "\u{7}"] {
        assert!(verifier.layer().permission(wrong).is_err(), "{wrong:?}");
    }
}

#[tokio::test]
async fn another_header_carries_the_credential_alone() {
    let house = StandIn::saying(good()).await;
    let verifier = house.builder().header(HeaderName::from_static("x-api-key")).build().unwrap();
    let key = |value: &str| http::Request::get("/").header("x-api-key", value);
    assert_eq!(got(verifier.layer(), key("a-credential")).await.0, 200);
    assert_eq!(got(verifier.layer(), bearer("a-credential")).await.0, 401);
    assert_eq!(got(verifier.layer(), key("Bearer a-credential")).await.0, 401);
    assert_eq!(house.asked().len(), 1);
}

#[tokio::test]
async fn the_clients_address_is_what_the_service_says() {
    let house = StandIn::saying(good()).await;
    let told = |parts: &http::request::Parts| parts.headers.get("x-real-ip")?.to_str().ok()?.parse::<IpAddr>().ok();
    let verifier = house.builder().client_address(told).staleness(Duration::from_secs(3600)).build().unwrap();
    for address in ["192.0.2.1", "2001:db8::1", "192.0.2.1", "192.0.2.2"] {
        assert_eq!(got(verifier.layer(), bearer("a-credential").header("x-real-ip", address)).await.0, 200);
    }
    assert_eq!(got(verifier.layer(), bearer("a-credential")).await.0, 200);
    let addresses: Vec<_> = house.asked().iter().map(|asked| asked.get("client_ip").cloned()).collect();
    let expected = ["192.0.2.1", "2001:db8::1", "192.0.2.2"].map(|text| Some(text.to_owned()));
    assert_eq!(addresses, [&expected[..], &[None]].concat(), "an answer is one address's");
}

#[tokio::test]
async fn nothing_shows_a_credential() {
    let house = StandIn::saying(good()).await;
    let builder = house.builder();
    assert!(!format!("{builder:?}").contains("own-credential"));
    let verifier = builder.build().unwrap();
    assert!(ask(&verifier).await.is_ok());
    for shown in [
        format!("{verifier:?}"),
        format!("{:?}", verifier.layer()),
        format!("{:?}", Credential::text("own-credential")),
    ] {
        assert!(
            !shown.contains("credential\"") && !shown.contains("own-") && !shown.contains("a-credential"),
            "{shown}"
        );
    }
}
