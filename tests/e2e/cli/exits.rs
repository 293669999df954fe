//! Exit codes, and what destroys asks first.

use serde_json::json;
use tokenhouse_e2e::both;

use super::{Cli, nobody};

const NOWHERE: &str = "01a201c6-bc45-75cd-a9ed-3044f78a47c2";

both! {
    async fn exit_codes_say_what_went_wrong(house) {
        let cli = Cli::of(house);
        cli.run("account create sa::ci").await.exit(0);
        assert_eq!(cli.run("account create sa::ci --json").await.exit(5).problem()["code"], "duplicate");
        assert_eq!(cli.run("account create not-an-address --json").await.exit(2).problem()["code"], "invalid_field");
        assert_eq!(cli.run(&format!("token show {NOWHERE} --json")).await.exit(3).problem()["code"], "not_found");
        let (_, weak) = house.person("weak@example.test", &[]).await;
        let refused = Cli::at(&house.url, &weak).run("account list --json").await.exit(4);
        assert_eq!(refused.problem()["code"], "missing_permission");
        assert_eq!(refused.out, "");
        // People are told which permission they lack without --json.
        let told = Cli::at(&house.url, &weak).run("verify --file /dev/null").await.exit(2);
        assert!(told.err.contains("holds no secret"), "{told:?}");
        let told = Cli::at(&house.url, &weak).run("ledger export").await.exit(4);
        assert!(told.err.contains("permission: house:ledger") && told.err.contains("request id: "), "{told:?}");
        Cli::at(&house.url, "th_u_nonsense").run("whoami").await.exit(4);
        Cli::at(&house.url, "").run("whoami").await.exit(2);
        Cli::at(&nobody(), &house.admin).run("whoami").await.exit(6);
        cli.feed("verify", "th_u_nonsense\n").await.exit(7);
        cli.run("no-such-command").await.exit(2);
        cli.run("account create").await.exit(2);
        cli.run("--help").await.exit(0);
    }

    async fn an_unavailable_database_is_exit_6(house) {
        let cli = Cli::of(house);
        house.stop().await;
        cli.run("whoami").await.exit(6);
    }

    async fn what_destroys_asks_first_and_does_nothing_unasked(house) {
        let cli = Cli::of(house);
        let (account, secret) = house.service("ci", &["verifier"]).await;
        let (id, _) = house.issue(&house.admin, json!({"name": "other"})).await;
        cli.run("group create devs").await.exit(0);
        cli.run("role create deployers --permission house:read").await.exit(0);
        let made = cli.json("org create other --admin other@example.test").await;
        house.secret(made["password"].as_str().unwrap());
        let other = made["id"].as_str().unwrap();
        let before = house.events(0).await.len();
        let lines = [
            format!("token deactivate {id}"), format!("token revoke {id}"), format!("account deactivate {account}"),
            "account delete sa::ci".to_owned(), "group delete devs".to_owned(), "role delete deployers".to_owned(),
            format!("org suspend {other}"),
        ];
        for line in &lines {
            let refused = cli.run(line).await.exit(2);
            assert!(refused.err.contains("--yes") && refused.err.contains("Nothing was changed"), "{refused:?}");
            cli.run(&format!("{line} --dry-run --yes")).await.exit(2);
            let shown = cli.json(&format!("{line} --dry-run")).await;
            assert_eq!(shown["dry_run"], true, "{shown}");
            assert!(shown["target"]["id"].is_string(), "{shown}");
            cli.feed(line, "y\n").await.exit(2); // a pipe is nobody who could answer
        }
        assert_eq!(house.events(0).await.len(), before, "something was changed");
        assert_eq!(house.verdict(&secret).await, "good");
        // It shows what will be hit: last use and address.
        house.flush().await;
        let shown = cli.run("token revoke self --dry-run").await.exit(0);
        assert_eq!(shown.cell("Last used from"), "127.0.0.1");
        for line in &lines {
            cli.run(&format!("{line} --yes")).await.exit(0);
        }
        assert_eq!(house.verdict(&secret).await, "revoked");
    }
}
