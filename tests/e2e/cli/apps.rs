//! `tokenhouse app`, `tokenhouse api-token` and `tokenhouse org onboard`

use tokenhouse_authority::keys;
use tokenhouse_e2e::both;

use super::Cli;

both! {
    async fn apps_are_made_changed_rotated_and_deleted(house) {
        keys::tend(&house.ctx).await.unwrap();
        let cli = Cli::of(house);
        let made = cli.run("app create build --role org_owner --access-token-life 5m").await.exit(0);
        let secret = made.out.trim().to_owned();
        house.secret(&secret);
        assert!(secret.starts_with("th_c_") && made.err.contains("shown this once"), "{made:?}");
        let listed = cli.json("app list").await;
        let id = listed["items"][0]["client_id"].as_str().unwrap().to_owned();
        assert_eq!(cli.run(&format!("app show {id}")).await.exit(0).cell("Access tokens live"), "5 minutes");
        let changed = cli.json(&format!("app change {id} --name renamed")).await;
        assert_eq!((changed["name"].as_str(), &changed["scopes"]["organization"]["roles"][0]), (Some("renamed"), &"org_owner".into()));
        let changed = cli.json(&format!("app change {id} --role org_member --role org_admin")).await;
        assert_eq!(changed["scopes"]["organization"]["roles"].as_array().unwrap().len(), 2);
        let newer = cli.run(&format!("app rotate {id} --overlap 1h")).await.exit(0).out.trim().to_owned();
        house.secret(&newer);
        assert_ne!(newer, secret);
        assert_eq!(cli.json(&format!("app finish {id}")).await["secrets"].as_array().unwrap().len(), 1);
        let looked = cli.run(&format!("app delete {id} --dry-run")).await.exit(0);
        assert!(looked.err.contains("Nothing was changed"), "{looked:?}");
        cli.run(&format!("app delete {id} --yes")).await.exit(0);
        cli.run(&format!("app show {id}")).await.exit(3);
        cli.run("app create bad").await.exit(2);
    }

    async fn api_tokens_are_made_regenerated_and_revoked(house) {
        let cli = Cli::of(house);
        let made = cli.run("api-token create --name ci --role org_owner --lifetime 2h --notice-days 1").await.exit(0);
        let value = made.out.trim().to_owned();
        house.secret(&value);
        assert_eq!(value.len(), 64);
        let listed = cli.json("api-token list").await;
        let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(cli.run(&format!("api-token show {id}")).await.exit(0).cell("Permissions"), "csp:org_owner");
        let newer = cli.run(&format!("api-token regenerate {id}")).await.exit(0).out.trim().to_owned();
        house.secret(&newer);
        assert_ne!(newer, value);
        cli.run(&format!("api-token revoke {id} --yes")).await.exit(0);
        assert_eq!(cli.json("api-token list").await["items"], serde_json::json!([]));
    }

    async fn an_org_is_onboarded_and_offboarded(house) {
        let cli = Cli::of(house);
        assert_eq!(cli.json(&format!("org onboard {}", house.org)).await["onboarded"], true);
        assert_eq!(cli.json(&format!("org offboard {}", house.org)).await["onboarded"], false);
    }
}
