//! What is made to look like an access token.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokenhouse_e2e::{House, both};
use tokenhouse_model::env::Random;
use tokenhouse_model::signing::{Algorithm, SigningKey};
use tokenhouse_store::{Checkpoints, MasterKey, Settings, Store, signing};

use super::{AM, access_token, api_token, claims, part, person, scopes};

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A key of the house with its private half, as only somebody with database and master key has it.
struct Stolen {
    key: SigningKey,
    private: Vec<u8>,
}

impl Stolen {
    async fn all(house: &House) -> Vec<Self> {
        let master = || MasterKey::read(&house.folder.path().join("master.key")).unwrap();
        let location = house.database.location.clone();
        let journal = house.folder.path().join("another-journal");
        let settings = Settings { location, journal, checkpoints: Checkpoints::default(), readers: 1, misses: 1 };
        let store = Store::open(&settings, master(), house.clock.clone(), Random::system()).await.unwrap();
        let keys = signing::all(&mut store.read().await.unwrap().conn()).await.unwrap();
        store.close().await;
        let open = |key: SigningKey| {
            let private = master().open_signing(key.id, &key.sealed).unwrap().to_vec();
            Self { key, private }
        };
        keys.into_iter().map(open).collect()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", encoded(header), encoded(claims));
        let bytes = text.as_bytes();
        let signature = match self.key.algorithm {
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(&self.private).unwrap();
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), bytes, &mut signature).unwrap();
                signature
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.private).unwrap();
                pair.sign(&SystemRandom::new(), bytes).unwrap().as_ref().to_vec()
            }
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(&self.private).unwrap().sign(bytes).as_ref().to_vec(),
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn header(&self) -> Value {
        json!({"alg": self.key.algorithm.as_str(), "kid": self.key.id, "typ": "JWT"})
    }
}

async fn good(house: &House) -> String {
    let (_, session) = person(house, "ada@example.test", &["org_member"]).await;
    let (_, value) = api_token(house, &session, json!({"allowedScopes": scopes(&["org_member"], &[])})).await;
    access_token(house, &value).await
}

/// Both what verify says of it and that it opens nothing.
async fn refused(house: &House, jwt: &str, reason: &str) {
    assert_eq!(house.verdict(jwt).await, reason, "{jwt}");
    assert_eq!(house.get(jwt, &format!("{AM}/loggedin/user")).await.status, 401, "{jwt}");
}

fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

both! {
    async fn what_another_algorithm_signed_or_none_is_refused(house) {
        let jwt = good(house).await;
        let (header, body) = (part(&jwt, 0), claims(&jwt));
        let payload = jwt.split('.').nth(1).unwrap();
        for alg in ["none", "None", "NONE", "HS256", "HS512", "RS512", "PS256", "ES384"] {
            let header = encoded(&with(&header, "alg", json!(alg)));
            for signature in ["AA", jwt.rsplit('.').next().unwrap()] {
                refused(house, &format!("{header}.{payload}.{signature}"), "malformed").await;
            }
        }
        // Keyed with the public key, in each form in which it is published.
        let path = format!("{AM}/auth/token-public-key");
        let pem = house.get("", &path).await.expect(200).text("value");
        let der = STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
        for secret in [pem.as_bytes(), &der] {
            for alg in ["HS256", "RS256"] {
                let text = format!("{}.{}", encoded(&with(&header, "alg", json!(alg))), encoded(&body));
                let code = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
                let forged = format!("{text}.{}", URL_SAFE_NO_PAD.encode(code.as_ref()));
                refused(house, &forged, if alg == "HS256" { "malformed" } else { "signature" }).await;
            }
        }
        // A key of the sender's own, in the header or by a link.
        let own = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        for more in [json!({"jwk": {"kty": "oct", "k": "AA"}}), json!({"jku": "http://127.0.0.1:1/keys"}), json!({"x5u": "http://127.0.0.1:1"})] {
            let mut header = header.clone();
            header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let text = format!("{}.{}", encoded(&header), encoded(&body));
            let mut signature = vec![0; own.public_modulus_len()];
            own.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
            refused(house, &format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)), "signature").await;
        }
        assert_eq!(house.verdict(&jwt).await, "good");
    }

    async fn what_was_altered_anywhere_is_refused(house) {
        let jwt = good(house).await;
        let body = with(&claims(&jwt), "perms", json!(["csp:org_owner"]));
        let mut parts: Vec<String> = jwt.split('.').map(str::to_owned).collect();
        parts[1] = encoded(&body);
        refused(house, &parts.join("."), "signature").await;
        let signature = jwt.rsplit('.').next().unwrap();
        for at in [0, signature.len() / 2] {
            let mut changed = signature.as_bytes().to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let forged = format!("{}.{}", jwt.rsplit_once('.').unwrap().0, String::from_utf8(changed).unwrap());
            refused(house, &forged, "signature").await;
        }
        let cut = jwt.rsplit_once('.').unwrap().0;
        refused(house, &format!("{cut}.{}", &signature[..signature.len() - 6]), "signature").await;
        refused(house, &format!("{cut}."), "malformed").await;
        refused(house, cut, "malformed").await;
        refused(house, &format!("{jwt}.AAAA"), "malformed").await;
        refused(house, &format!("{cut}.{}", "A".repeat(600)), "malformed").await;
        refused(house, &format!("{}{jwt}", "A".repeat(17_000)), "malformed").await;
        // A key that there is not, and one of another algorithm.
        let unknown = with(&part(&jwt, 0), "kid", json!("00000000-0000-7000-8000-000000000000"));
        refused(house, &format!("{}.{}.{signature}", encoded(&unknown), jwt.split('.').nth(1).unwrap()), "signature").await;
        let jwks = house.get("", "/oauth2/jwks").await.expect(200);
        let other = jwks["keys"].as_array().unwrap().iter().find(|key| key["alg"] == "ES256").unwrap()["kid"].clone();
        let swapped = with(&part(&jwt, 0), "kid", other);
        refused(house, &format!("{}.{}.{signature}", encoded(&swapped), jwt.split('.').nth(1).unwrap()), "signature").await;
    }

    async fn what_a_key_of_ours_signed_must_still_be_what_we_would_have_signed(house) {
        let jwt = good(house).await;
        let body = claims(&jwt);
        let now = house.clock.now() / 1000;
        for stolen in Stolen::all(house).await {
            let header = stolen.header();
            assert_eq!(house.verdict(&stolen.sign(&header, &body)).await, "good", "the same claims, signed by any");
            let cases = [
                (with(&body, "iss", json!("https://elsewhere.example")), "issuer"),
                (with(&body, "exp", json!(now)), "expired"),
                (with(&body, "exp", json!(i64::MIN)), "expired"),
                (with(&body, "iat", json!(now + 61)), "not_yet_valid"),
                (with(&body, "iat", json!(i64::MAX)), "not_yet_valid"),
                (with(&body, "secret_id", json!("00000000-0000-7000-8000-000000000000")), "unknown"),
                (with(&body, "perms", json!("csp:org_owner")), "malformed"),
                (with(&body, "exp", json!("never")), "malformed"),
                (with(&body, "exp", json!(1e300)), "malformed"),
                (json!({"sub": "me"}), "malformed"),
                (json!([]), "malformed"),
            ];
            for (claims, reason) in cases {
                refused(house, &stolen.sign(&header, &claims), reason).await;
            }
            // More than its account holds is nothing, whoever signed it.
            let owner = stolen.sign(&header, &with(&body, "perms", json!(["csp:org_owner"])));
            let ask = json!({"token": owner, "permission": "csp:org_owner"});
            assert_eq!(house.post(&house.admin, "/v1/verify", ask).await.text("reason"), "permission_missing");
            // For another service it is good for that one to ask about, and opens nothing here.
            let elsewhere = stolen.sign(&header, &with(&body, "aud", json!("https://elsewhere.example")));
            assert_eq!(house.verdict(&elsewhere).await, "good");
            assert_eq!(house.get(&elsewhere, &format!("{AM}/loggedin/user")).await.status, 401);
            let crit = with(&header, "crit", json!(["exp"]));
            refused(house, &stolen.sign(&crit, &body), "malformed").await;
        }
    }
}
