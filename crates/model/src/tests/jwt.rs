use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::decide::Reason;
use crate::jwt::{Claims, Compact, Typ, join, life, to_sign};
use crate::signing::Algorithm;
use crate::{NEVER, Permission, PermissionSet, Uuid};

const KEY: Uuid = Uuid::from_u128(7);

fn claims() -> Claims {
    Claims {
        iss: "https://th.example".to_owned(),
        sub: "me".to_owned(),
        aud: "https://th.example".to_owned(),
        exp: 200,
        iat: 100,
        jti: Uuid::from_u128(1),
        client_id: "me".to_owned(),
        azp: "me".to_owned(),
        acct: "ada@example.test".to_owned(),
        username: "ada@example.test".to_owned(),
        domain: "example.test".to_owned(),
        context: Uuid::from_u128(2),
        context_name: Uuid::from_u128(3),
        perms: PermissionSet::of(&[Permission::CspOrgMember]),
        scope: "csp:org_member".to_owned(),
        account_id: Uuid::from_u128(4),
        secret_id: Uuid::from_u128(5),
    }
}

fn made() -> String {
    let signed = to_sign(&claims(), Typ::Jwt, Algorithm::EdDsa, KEY).unwrap();
    join(signed, &[1, 2, 3]).expose().to_owned()
}

fn with_header(header: &str) -> String {
    let rest = made().split_once('.').unwrap().1.to_owned();
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
}

#[test]
fn what_was_made_is_read_as_it_was() {
    for typ in [Typ::Jwt, Typ::AccessToken] {
        for algorithm in Algorithm::ALL {
            let text = join(to_sign(&claims(), typ, *algorithm, KEY).unwrap(), &[9; 256]);
            let read = Compact::read(text.expose().as_bytes()).unwrap();
            assert_eq!((read.algorithm, read.key, read.signature.len()), (*algorithm, KEY, 256));
            assert_eq!(read.signed, text.expose().rsplit_once('.').unwrap().0.as_bytes());
            assert_eq!(read.claims().unwrap(), claims());
        }
    }
    let derived = claims().derived();
    assert_eq!((derived.issued_at, derived.expires_at, derived.elsewhere), (100_000, 200_000, false));
    assert!(Claims { aud: "https://other".to_owned(), ..claims() }.derived().elsewhere);
}

#[test]
fn a_header_that_we_would_not_have_made_is_malformed() {
    let kid = KEY.to_string();
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        assert!(
            Compact::read(with_header(&format!(r#"{{"alg":"RS256","kid":"{kid}","typ":"{typ}"}}"#)).as_bytes()).is_ok()
        );
    }
    let wrong = [
        format!(r#"{{"alg":"none","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"None","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"rs256","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"PS256","kid":"{kid}"}}"#),
        format!(r#"{{"alg":["RS256"],"kid":"{kid}"}}"#),
        format!(r#"{{"alg":"none","alg":"RS256","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"RS256","kid":"{kid}","crit":["exp"]}}"#),
        format!(r#"{{"alg":"RS256","kid":"{kid}","typ":"dpop+jwt"}}"#),
        r#"{"alg":"RS256"}"#.to_owned(),
        r#"{"alg":"RS256","kid":"../../etc/passwd"}"#.to_owned(),
        r#"{"alg":"RS256","kid":7}"#.to_owned(),
        format!(r#"{{"alg":"RS256","kid":"{kid}"}} "x""#),
        format!(r#"[{{"alg":"RS256","kid":"{kid}"}}]"#),
        String::new(),
        format!(r#"{{"alg":"RS256","kid":"{kid}","x":"{}"}}"#, "y".repeat(400)),
    ];
    for header in wrong {
        assert_eq!(Compact::read(with_header(&header).as_bytes()).unwrap_err(), Reason::Malformed, "{header}");
    }
}

#[test]
fn a_text_that_is_no_jwt_of_three_parts_is_malformed() {
    let good = made();
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else { panic!() };
    let wrong = [
        String::new(),
        "..".to_owned(),
        format!("{header}.{payload}"),
        format!("{good}.{signature}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}.!"),
        format!("{header}.{payload}.{}", "A".repeat(513)),
        format!("{header}.{}.{signature}", "A".repeat(16 * 1024)),
        // The last character of a signature may say nothing twice.
        format!("{header}.{payload}.AB"),
    ];
    for text in wrong {
        assert_eq!(Compact::read(text.as_bytes()).unwrap_err(), Reason::Malformed);
    }
    for payload in ["e30", "W10", "AA", "bnVsbA"] {
        let text = format!("{header}.{payload}.{signature}");
        assert_eq!(Compact::read(text.as_bytes()).unwrap().claims().unwrap_err(), Reason::Malformed, "{payload}");
    }
}

#[test]
fn an_id_token_is_for_its_client_and_is_not_read_as_an_access_token() {
    let access = made();
    let identity = claims().identity(&crate::SecretText::new(access.clone()));
    assert_eq!((identity.aud.as_str(), identity.iss.as_str()), ("me", "https://th.example"));
    assert_eq!((identity.exp, identity.iat, identity.email_verified), (200, 100, true));
    let half = crate::secret::Digest::of(access.as_bytes()).0;
    assert_eq!(identity.at_hash, URL_SAFE_NO_PAD.encode(&half[..16]));
    let text = join(to_sign(&identity, Typ::Jwt, Algorithm::EdDsa, KEY).unwrap(), &[1, 2, 3]);
    let read = Compact::read(text.expose().as_bytes()).unwrap();
    assert_eq!(read.claims().unwrap_err(), Reason::Malformed);
    // None of what an access token must say is in it, so that no single claim more would make it one.
    let said = serde_json::to_value(&identity).unwrap();
    for name in ["jti", "client_id", "context", "perms", "scope", "account_id", "secret_id"] {
        assert!(said.get(name).is_none(), "{name}");
        let mut less = serde_json::to_value(claims()).unwrap();
        less.as_object_mut().unwrap().remove(name);
        let text = join(to_sign(&less, Typ::Jwt, Algorithm::EdDsa, KEY).unwrap(), &[1]);
        let read = Compact::read(text.expose().as_bytes()).unwrap();
        assert_eq!(read.claims().unwrap_err(), Reason::Malformed, "{name}");
    }
}

#[test]
fn a_life_is_whole_seconds_never_beyond_what_it_comes_from_and_never_too_short_to_be_renewed() {
    let half = 1_800_000;
    assert_eq!(life(half, NEVER, 500), Ok(half));
    assert_eq!(life(half, 1_000_999, 0), Ok(1_000_000));
    assert_eq!(life(half, 181_000, 0), Ok(181_000));
    assert_eq!(life(half, 180_999, 0), Err(Reason::Expired));
    assert_eq!(life(half, 0, 10), Err(Reason::Expired));
    // Who asked for a minute gets a minute.
    assert_eq!(life(60_000, NEVER, 0), Ok(60_000));
    assert_eq!(life(60_000, 59_999, 0), Err(Reason::Expired));
}
