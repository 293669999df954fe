//! `/.well-known/oauth-authorization-server` (RFC 8414)

use serde_json::json;
use tokenhouse_e2e::both;

both! {
    async fn it_tells_what_is_there_to_everybody(house) {
        let mut answer = house.get("", "/.well-known/oauth-authorization-server").await.expect(200);
        assert!(answer.body["scopes_supported"].as_array().unwrap().contains(&json!("house:verify")));
        answer.body.as_object_mut().unwrap().remove("scopes_supported");
        let proofs = json!(["client_secret_basic", "client_secret_post", "Bearer"]);
        assert_eq!(
            answer.body,
            json!({
                "issuer": "http://localhost",
                "jwks_uri": "http://localhost/oauth2/jwks",
                "introspection_endpoint": "http://localhost/oauth2/introspect",
                "introspection_endpoint_auth_methods_supported": proofs,
                "revocation_endpoint": "http://localhost/oauth2/revoke",
                "revocation_endpoint_auth_methods_supported": proofs,
                "response_types_supported": [],
                "grant_types_supported": [
                    "client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange", "refresh_token"
                ],
                "token_endpoint": "http://localhost/oauth2/token",
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            })
        );
    }
}
