//! Every group of commands against a real server: as tables for people, and as JSON for scripts.

use serde_json::{Value, json};
use tokenhouse_authority::jobs;
use tokenhouse_e2e::both;

use super::Cli;

/// What the items of a list have under this name, sorted: what is made in the same millisecond has no order.
fn all(list: &Value, name: &str) -> Vec<String> {
    let items = list["items"].as_array().unwrap().iter();
    let mut all: Vec<String> = items.map(|item| item[name].as_str().unwrap().to_owned()).collect();
    all.sort();
    all
}

both! {
    async fn orgs_are_made_renamed_suspended_and_resumed(house) {
        let cli = Cli::of(house);
        let made = cli.run("org create second --admin boss@example.test").await.exit(0);
        house.secret(made.cell("Password (shown once)"));
        let id = made.cell("ID").to_owned();
        assert_eq!((made.cell("State"), made.cell("Administrator's id").len()), ("active", 36));
        let boss = Cli::at(&house.url, "");
        let session = boss.feed("login --email boss@example.test", made.cell("Password (shown once)")).await.exit(0).out;
        house.secret(session.trim_end());
        let boss = Cli::at(&house.url, session.trim_end());
        assert_eq!(boss.run("whoami").await.cell("Org "), "second");
        assert_eq!(all(&cli.json("org list").await, "name"), ["first", "second"]);
        assert_eq!(cli.run("org list").await.exit(0).out.lines().count(), 3);
        assert_eq!(cli.json(&format!("org rename {id} third")).await["name"], "third");
        assert_eq!(cli.run(&format!("org show {id}")).await.cell("Name"), "third");
        let suspended = cli.run(&format!("org suspend {id} --yes")).await.exit(0);
        assert_eq!(suspended.cell("State"), "suspended");
        boss.run("whoami").await.exit(4);
        assert_eq!(cli.json(&format!("org resume {id}")).await["state"], "active");
        boss.run("whoami").await.exit(0);
        // Another org's administrator sees his own only.
        assert_eq!(all(&boss.json("org list").await, "name"), ["third"]);
        boss.run(&format!("org show {}", house.org)).await.exit(3);
    }

    async fn accounts_are_made_changed_and_deleted(house) {
        let cli = Cli::of(house);
        let made = cli.run("account create sa::ci --description deployer").await.exit(0);
        assert_eq!((made.cell("Kind"), made.cell("Description"), made.cell("Roles")), ("service", "deployer", "-"));
        let id = made.cell("ID").to_owned();
        let user = cli.json("account create b@example.test").await;
        assert_eq!((&user["kind"], &user["state"]), (&"user".into(), &"active".into()));
        assert_eq!(cli.json("account update sa::ci --description x").await["description"], "x");
        let given = cli.run("account assign sa::ci verifier --expires 2100-01-01").await.exit(0);
        assert!(given.cell("Roles").starts_with("verifier until in "), "{given:?}");
        let given = cli.run("account grant sa::ci house:read").await.exit(0);
        assert_eq!(given.cell("Own permissions"), "house:read");
        let held = cli.run("account permissions sa::ci").await.exit(0);
        assert_eq!((held.cell("house:read"), held.cell("house:verify")), ("direct", "role:verifier"));
        let held = cli.json(&format!("account permissions {id}")).await;
        assert_eq!(held["permissions"].as_array().unwrap().len(), 2);
        assert_eq!(all(&cli.json("account list --kind service").await, "identifier"), ["sa::ci"]);
        assert_eq!(all(&cli.json("account list --prefix b@ --state active").await, "identifier"), ["b@example.test"]);
        cli.run("account unassign sa::ci verifier").await.exit(0);
        assert_eq!(cli.run("account revoke sa::ci house:read").await.exit(0).cell("Own permissions"), "-");
        cli.run("token issue --owner sa::ci --write t").await.exit(0);
        assert_eq!(cli.run("account deactivate sa::ci --yes").await.exit(0).cell("State"), "inactive");
        cli.run("verify --file t").await.exit(7);
        cli.run("account activate sa::ci").await.exit(0);
        cli.run("verify --file t").await.exit(0);
        let shown = cli.run("account delete sa::ci --dry-run").await.exit(0);
        assert_eq!(shown.cell("Tokens not revoked"), "1");
        let deleted = cli.run("account delete sa::ci --yes").await.exit(0);
        assert_eq!((deleted.cell("Deleted"), deleted.cell("Tokens revoked")), (id.as_str(), "1"));
        cli.run("account show sa::ci").await.exit(3);
    }

    async fn groups_give_what_they_have(house) {
        let cli = Cli::of(house);
        cli.run("account create sa::ci").await.exit(0);
        let made = cli.run("group create devs --description who_build").await.exit(0);
        let id = made.cell("ID").to_owned();
        assert_eq!(cli.run("group add devs sa::ci").await.exit(0).cell("Members"), "1");
        cli.run(&format!("group assign {id} auditor")).await.exit(0);
        let given = cli.run("group grant devs house:verify --expires 2100-01-01").await.exit(0);
        assert!(given.cell("Permissions").starts_with("house:verify until in "), "{given:?}");
        assert_eq!(all(&cli.json("group members devs").await, "identifier"), ["sa::ci"]);
        let held = cli.run("account permissions sa::ci").await.exit(0);
        assert_eq!((held.cell("house:verify"), held.cell("house:ledger")), ("group:devs", "group:devs role:auditor"));
        cli.run("group revoke devs house:verify").await.exit(0);
        assert_eq!(cli.run("group unassign devs auditor").await.exit(0).cell("Roles"), "-");
        assert_eq!(cli.json("group remove devs sa::ci").await["members"], 0);
        assert_eq!(cli.json("group update devs --name ops").await["name"], "ops");
        assert_eq!(all(&cli.json("group list").await, "name"), ["Everyone", "Service Accounts", "ops"]);
        assert_eq!(cli.run("group show everyone").await.exit(0).cell("Kind"), "everyone");
        cli.run("group delete everyone --yes").await.exit(5);
        assert_eq!(cli.run("group delete ops --yes").await.exit(0).cell("Deleted"), id);
        let none = cli.run("group members everyone --limit 1").await.exit(0);
        assert!(none.out.contains("admin@example.test"), "{none:?}");
        let none = cli.run("account list --prefix nobody").await.exit(0);
        assert_eq!((none.out.as_str(), none.err.as_str()), ("", "none\n"));
    }

    async fn roles_are_made_changed_and_deleted(house) {
        let cli = Cli::of(house);
        let made = cli.run("role create deployers --permission house:read,house:verify").await.exit(0);
        assert_eq!((made.cell("Built in"), made.cell("Permissions")), ("no", "house:verify, house:read"));
        cli.run("account create sa::ci").await.exit(0);
        cli.run("account assign sa::ci deployers").await.exit(0);
        assert_eq!(cli.json("role update deployers --permission house:read").await["permissions"], json!(["house:read"]));
        assert_eq!(cli.json("role update deployers --no-permissions --name idle").await["permissions"], json!([]));
        assert!(all(&cli.json("role list").await, "name").contains(&"idle".to_owned()));
        assert_eq!(cli.run("role show member").await.exit(0).cell("Built in"), "yes");
        cli.run("role update member --no-permissions").await.exit(5);
        cli.run("role delete member --yes").await.exit(5);
        assert_eq!(cli.run("role delete idle --yes").await.exit(0).cell("Holders who lost it"), "1");
        cli.run("role show idle").await.exit(3);
    }

    async fn the_policy_is_changed_in_parts_and_put_back_whole(house) {
        let cli = Cli::of(house);
        let before = cli.json("policy show").await;
        let set = cli.run("policy set --kind service --limit 1 --max-lifetime 90d --max-idle 2w").await.exit(0);
        assert_eq!(set.cell("service").split_whitespace().collect::<Vec<_>>(), ["1", "90", "days", "none", "14", "days"]);
        let set = cli.json("policy set --widen-reach true --session-by-user-token true").await;
        assert_eq!((&set["widen_reach"], &set["kinds"]["service"]["limit"]), (&true.into(), &1.into()));
        assert_eq!(set["kinds"]["user"], before["kinds"]["user"]);
        // It holds.
        cli.run("account create sa::ci").await.exit(0);
        cli.run("token issue --owner sa::ci --write t").await.exit(0);
        let refused = cli.run("token issue --owner sa::ci --json").await.exit(5);
        assert_eq!((&refused.problem()["code"], &refused.problem()["limit"]), (&"limit_reached".into(), &1.into()));
        cli.run("policy set --kind service --max-lifetime none --max-idle none").await.exit(0);
        cli.run("policy set --kind client_secret --limit 3").await.exit(0);
        std::fs::write(cli.file("policy.json"), before.to_string()).unwrap();
        cli.run("policy set --file policy.json").await.exit(0);
        assert_eq!(cli.json("policy show").await, before);
        cli.run("policy set --file policy.json --limit 3").await.exit(2);
    }

    async fn jobs_are_listed_and_confirmed(house) {
        let cli = Cli::of(house);
        assert_eq!(cli.run("jobs").await.exit(0).err, "none\n");
        jobs::tend(&house.ctx).await.unwrap();
        let list = cli.json("jobs list").await;
        let id = list["items"][0]["id"].as_str().unwrap();
        assert_eq!((all(&list, "kind"), all(&list, "state")), (vec!["forget".to_owned()], vec!["waiting".to_owned()]));
        cli.run(&format!("jobs confirm {id}")).await.exit(5);
        house.wait(2 * 3600);
        jobs::tend(&house.ctx).await.unwrap();
        let shown = cli.run("jobs").await.exit(0).out;
        let row = shown.lines().nth(1).unwrap();
        assert!(row.starts_with(&format!(" {id}")) && row.contains("held") && row.contains("time_jumped"), "{shown}");
        let confirmed = cli.run(&format!("jobs confirm {id}")).await.exit(0);
        assert_eq!((confirmed.cell("State"), confirmed.cell("Held because")), ("waiting", "-"));
        house.wait(2 * 3600);
        jobs::tend(&house.ctx).await.unwrap();
        let confirmed = cli.json(&format!("jobs confirm {id}")).await;
        assert_eq!((&confirmed["state"], confirmed["receipt"]["journaled"].as_bool()), (&"waiting".into(), Some(true)));
        cli.run("jobs confirm nonsense").await.exit(3);
        let (_, member) = house.person("b@example.test", &["member"]).await;
        Cli::at(&house.url, &member).run("jobs").await.exit(4);
    }

    async fn tokens_live_and_die(house) {
        let cli = Cli::of(house);
        cli.run("account create sa::ci").await.exit(0);
        cli.run("account assign sa::ci verifier").await.exit(0);
        let issued = cli.json("token issue --owner sa::ci --name ci --scope house:verify --lifetime 30d --idle 7d \
            --cidr 10.0.0.0/8,127.0.0.1 --reach native,verify").await;
        let (id, secret) = (issued["id"].as_str().unwrap(), issued["secret"].as_str().unwrap());
        house.secret(secret);
        assert_eq!(issued["scopes"], json!(["house:verify"]));
        assert_eq!(issued["reach"], json!(["native", "verify"]));
        assert_eq!((&issued["idle_seconds"], &issued["kind"]), (&604_800.into(), &"service".into()));
        assert_eq!(issued["expires_at"].as_i64().unwrap() - issued["created_at"].as_i64().unwrap(), 30 * 86_400_000);
        let active = cli.feed("verify --address 10.1.2.3 --permission house:verify", secret).await.exit(0);
        assert_eq!((active.cell("Who"), active.cell("Permissions")), ("sa::ci", "house:verify"));
        let refused = cli.feed("verify --address 192.0.2.1", secret).await.exit(7);
        assert_eq!(refused.cell("Reason"), "address");
        house.flush().await;
        let usage = cli.run(&format!("token usage {id}")).await.exit(0);
        let rows: Vec<&str> = usage.out.lines().skip(1).collect();
        assert!(rows.iter().any(|row| row.contains("(2027-01-15)") && row.contains("good")), "{usage:?}");
        assert!(rows.iter().any(|row| row.contains("address")), "{usage:?}");
        assert_eq!(cli.run(&format!("token rename {id} deploy")).await.exit(0).cell("Name"), "deploy");
        assert!(cli.json(&format!("token expire {id} never")).await.get("expires_at").is_none());
        assert_eq!(all(&cli.json("token list --owner sa::ci --kind service --state active").await, "id"), [id]);
        assert_eq!(cli.run(&format!("token deactivate {id} --yes")).await.exit(0).cell("State"), "inactive");
        assert_eq!(all(&cli.json("token list --state inactive").await, "id"), [id]);
        assert_eq!(cli.json(&format!("token reactivate {id}")).await["state"], "active");
        let rotated = cli.run(&format!("token rotate {id} --overlap 1h")).await.exit(0);
        house.secret(rotated.out.trim_end());
        for one in [secret, rotated.out.trim_end()] {
            cli.feed("verify --address 10.1.2.3", one).await.exit(0);
        }
        assert_eq!(cli.run(&format!("token revoke {id} --yes")).await.exit(0).cell("State"), "revoked");
        cli.run(&format!("token revoke {id} --yes")).await.exit(0); // twice is once
        cli.run(&format!("token reactivate {id}")).await.exit(5);
        assert_eq!(cli.run(&format!("token show {id}")).await.exit(0).cell("Secrets"), "-");
        assert_eq!(all(&cli.json("token list --state revoked").await, "id"), [id]);
    }

    async fn long_lists_come_page_by_page_or_whole(house) {
        let cli = Cli::of(house);
        for number in 0..5 {
            house.service(&format!("s{number}"), &[]).await;
        }
        let first = cli.run("account list --kind service --limit 2").await.exit(0);
        assert_eq!(first.out.lines().count(), 3);
        let cursor = first.err.split("--cursor ").nth(1).unwrap().split(' ').next().unwrap();
        let second = cli.json(&format!("account list --kind service --limit 2 --cursor {cursor}")).await;
        let second = all(&second, "identifier");
        assert!(second.len() == 2 && !second.iter().any(|name| first.out.contains(name)), "{second:?} {first:?}");
        let whole = cli.json("account list --kind service --limit 2 --all").await;
        assert_eq!((all(&whole, "identifier").len(), &whole["next"]), (5, &Value::Null));
        cli.run("account list --cursor nonsense").await.exit(2);
        cli.run("account list --limit 0").await.exit(2);
    }

    async fn names_of_strangers_are_found_and_do_not_break_the_table(house) {
        let cli = Cli::of(house);
        // Identifiers are one segment of the path, whatever stands in them.
        for name in ["sa::a/b", "sa::a%2Fb", "sa::a?b=c#d", "sa::..", "sa::äöü"] {
            let made = cli.run(&format!("account create {name} --json")).await;
            if made.code == 0 {
                let shown = cli.json(&format!("account show {name}")).await;
                assert_eq!(shown["id"], made.json()["id"], "{name}");
            } else {
                made.exit(2);
            }
        }
        cli.run("account show ..").await.exit(2);
        cli.run("token show .").await.exit(2);
    }
}
