//! `tokenhouse app`, `tokenhouse api-token` and what `tokenhouse org` has for onboarding

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

    async fn another_orgs_app_is_added_and_removed(house) {
        keys::tend(&house.ctx).await.unwrap();
        let cli = Cli::of(house);
        let (second, admin) = house.neighbour("second").await;
        let other = Cli::at(&house.url, &admin);
        let made = cli.run(&format!("app create build --role org_member --id build-1 --allow-org {second}")).await.exit(0);
        house.secret(made.out.trim());
        assert_eq!(cli.json("app show build-1").await["allowed_orgs"][0], second.as_str());
        other.run("app guest add nobody --role org_member").await.exit(3);
        other.run("app guest add").await.exit(2);
        assert_eq!(other.run("app guest add build-1 --role org_member").await.exit(0).cell("Owned by"), "first");
        assert_eq!(other.json("app guest list").await["items"][0]["client_id"], "build-1");
        let changed = other.json("app guest change build-1 --role org_admin").await;
        assert_eq!(changed["scopes"]["organization"]["roles"], serde_json::json!(["org_admin"]));
        // At home it is no guest.
        assert_eq!(cli.json("app guest list").await["items"], serde_json::json!([]));
        cli.run("app guest show build-1").await.exit(3);
        let looked = other.run("app guest remove build-1 --dry-run").await.exit(0);
        assert!(looked.err.contains("Nothing was changed"), "{looked:?}");
        other.run("app guest show build-1").await.exit(0);
        other.run("app guest remove build-1 --yes").await.exit(0);
        other.run("app guest show build-1").await.exit(3);
        assert_eq!(cli.json("app change build-1 --allow-org=").await["allowed_orgs"], serde_json::json!([]));
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

    async fn tokens_for_integrations_are_made_and_their_list_is_edited(house) {
        let cli = Cli::of(house);
        cli.run("account create sa::robot").await.exit(0);
        cli.run("account grant sa::robot agent_management").await.exit(0);
        cli.run(&format!("org onboard {}", house.org)).await.exit(0);
        let refused = cli.run("token issue --owner sa::robot").await.exit(2);
        assert!(refused.err.contains("aws-lambda, kubernetes, tanzu-application-service, vsphere"), "{refused:?}");
        let made = cli.run("token issue --owner sa::robot --integration kubernetes").await.exit(0);
        house.secret(made.out.trim());
        assert!(made.err.lines().any(|line| line.trim_start().starts_with("Integration") && line.ends_with(" kubernetes")), "{made:?}");
        cli.run("token issue --owner sa::robot --integration kubernetes --scope ingestion").await.exit(2);

        let set = "org integrations set nagios --description old --permission agent_management,ingestion";
        assert_eq!(cli.run(set).await.exit(0).cell("Permissions"), "agent_management, ingestion");
        assert_eq!(cli.run("org integrations remove kubernetes").await.exit(0).cell("Removed"), "kubernetes");
        cli.run("org integrations remove kubernetes").await.exit(3);
        let listed = cli.run("org integrations list").await.exit(0).out;
        let first = |line: &str| line.split_whitespace().next().unwrap().to_owned();
        let names: Vec<String> = listed.lines().map(first).collect();
        assert_eq!(names, ["NAME", "aws-lambda", "nagios", "tanzu-application-service", "vsphere"]);
        assert_eq!(cli.json("org integrations list").await["items"].as_array().unwrap().len(), 4);
        cli.run("org integrations set nagios").await.exit(2);
    }

    async fn old_tokens_are_told_of(house) {
        let (_, robot) = house.service("robot", &["verifier"]).await;
        assert_eq!(house.verdict(&robot).await, "good");
        house.flush().await;
        let cli = Cli::of(house);
        let told = cli.run("org old-tokens").await.exit(0).out;
        let titles = ["ID", "KIND", "OWNER", "NAME", "INTEGRATION", "CREATED", "LAST USED", "FROM", "USES IN 35 DAYS"];
        let mut rest = told.lines().next().unwrap();
        for title in titles {
            rest = rest.split_once(title).unwrap_or_else(|| panic!("no {title} in {told}")).1;
        }
        let row = told.lines().find(|line| line.contains("sa::robot")).unwrap();
        assert!(row.contains(" service ") && row.ends_with(" 1"), "{row}");
        let page = cli.json("org old-tokens --limit 1").await;
        assert_eq!(page["items"].as_array().unwrap().len(), 1);
        let all = cli.json("org old-tokens --all").await;
        let robot = all["items"].as_array().unwrap().iter().find(|token| token["owner_identifier"] == "sa::robot").unwrap();
        assert_eq!((&robot["uses"], &robot["never_used"]), (&1.into(), &false.into()));
        let (_, stranger) = house.neighbour("other").await;
        let none = Cli::at(&house.url, &stranger).run("org old-tokens").await.exit(0);
        assert_eq!((none.out.as_str(), none.err.trim()), ("", "none: nobody has to move to access tokens"));
    }
}
