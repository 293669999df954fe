//! `tokenhouse token revoke --search`, `jobs`, and the exports

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::Value;
use tokenhouse_e2e::{both, both_programs};
use tokio::process::Command;

use super::{Cli, Ran};

/// A run whose arguments have spaces.
async fn run(cli: &Cli, line: &str, more: &[&str]) -> Ran {
    let mut command = cli.command(line);
    command.args(more);
    Ran::of(command, "").await
}

const OLD: [&str; 2] = ["--search", "name begins old-"];

both! {
    async fn whoever_stops_waiting_leaves_the_job_and_is_told_how_to_look(house) {
        let cli = Cli::of(house);
        cli.run("token issue --name old-1").await.exit(0);
        // Nobody does jobs in this house, so it does not end.
        let mut command = cli.command("token revoke --yes --wait-job");
        command.args(OLD).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        while !house.get("", "/metrics").await.expect(200).raw.contains("/v1/jobs/{job}\"") {
            tokio::task::yield_now().await;
        }
        let stop = format!("kill -INT {}", child.id().unwrap());
        assert!(Command::new("bash").arg("-c").arg(stop).status().await.unwrap().success());
        let ended = child.wait_with_output().await.unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        let id = cli.json("jobs").await["items"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(said.contains("goes on without this command"), "{said}");
        for command in ["show", "cancel"] {
            assert!(said.contains(&format!("tokenhouse jobs {command} {id}")), "{said}");
        }
        assert_eq!(cli.json(&format!("jobs show {id}")).await["state"], "waiting");
        assert_eq!(cli.json(&format!("jobs cancel {id}")).await["state"], "cancelled");
    }
}

both_programs! {
    async fn what_a_search_finds_is_shown_asked_and_revoked(program) {
        let cli = Cli::at(&program.url, &program.admin);
        for name in ["old-1", "old-2", "new-1"] {
            cli.run(&format!("token issue --name {name}")).await.exit(0);
        }
        let live = async || {
            let tokens = cli.json("token list --state active").await;
            let names = tokens["items"].as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap().to_owned());
            names.filter(|name| name.contains('-')).collect::<Vec<_>>()
        };
        let all = live().await;
        let looked = run(&cli, "token revoke --dry-run", &OLD).await.exit(0);
        assert!(looked.out.contains("old-1") && looked.out.contains("old-2") && !looked.out.contains("new-1"), "{looked:?}");
        assert!(looked.err.contains("this would revoke 2 tokens"), "{looked:?}");
        let looked = run(&cli, "token revoke --dry-run --json", &OLD).await.json();
        assert_eq!((&looked["dry_run"], &looked["target"]["count"]), (&true.into(), &2.into()));
        // Nobody can be asked.
        let refused = run(&cli, "token revoke", &OLD).await.exit(2);
        assert!(refused.err.contains("--yes"), "{refused:?}");
        assert_eq!(live().await, all);
        assert!(cli.json("jobs").await["items"].as_array().unwrap().iter().all(|job| job["kind"] == "forget"));
        let done = run(&cli, "token revoke --yes --wait-job --json", &OLD).await.json();
        assert_eq!((&done["state"], &done["progress"], &done["skipped"]), (&"done".into(), &2.into(), &0.into()));
        assert_eq!(live().await, ["new-1"]);
        let id = done["id"].as_str().unwrap();
        let shown = cli.run(&format!("jobs show {id}")).await.exit(0);
        assert_eq!((shown.cell("State"), shown.cell("Done")), ("done", "2"));
        let list = cli.json("jobs").await;
        assert!(list["items"].as_array().unwrap().iter().any(|job| job["id"] == id), "{list}");
        cli.run(&format!("jobs cancel {id}")).await.exit(5);
        // Without waiting it says where to look.
        let begun = run(&cli, "token revoke --yes --search", &["last_used_at is never", "--search", "name is new-1"]).await.exit(0);
        let id = begun.cell("ID").to_owned();
        assert!(begun.err.contains(&format!("tokenhouse jobs cancel {id}")), "{begun:?}");
        while cli.json(&format!("jobs show {id}")).await["state"] != "done" {}
        assert_eq!(live().await, [] as [&str; 0]);
        for wrong in [&["--search", "name"][..], &["--search", "name like x"], &["--search", "secret is x"], &["--wait-job"]] {
            run(&cli, "token revoke --yes", wrong).await.exit(2);
        }
        cli.run("token revoke").await.exit(2);
        run(&cli, &format!("token revoke {id} --yes"), &OLD).await.exit(2);
        run(&cli, "token revoke --yes --search", &[&format!("name begins {}", program.admin)]).await.exit(2);
    }

    async fn exports_go_to_a_private_file_in_one_step(program) {
        let cli = Cli::at(&program.url, &program.admin);
        cli.run("account create sa::ci --description =1+1").await.exit(0);
        cli.run("token issue --owner sa::ci --name deploy").await.exit(0);
        for what in ["token", "account", "ledger"] {
            let lines = cli.run(&format!("{what} export")).await.exit(0).out;
            let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let count = rows.len();
            assert!(count > 1, "{lines}");
            let csv = cli.run(&format!("{what} export --format csv --output {what}.csv")).await.exit(0);
            assert_eq!((csv.out.as_str(), csv.err.trim()), ("", format!("{count} rows in {what}.csv").as_str()));
            let path = cli.folder.path().join(format!("{what}.csv"));
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), count + 1);
            // Again replaces it; --json means lines.
            cli.run(&format!("{what} export --json --format csv --output {what}.csv")).await.exit(0);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), lines);
        }
        let csv = cli.run("account export --format csv --prefix sa::").await.exit(0).out;
        assert!(csv.contains(",\"'=1+1\","), "{csv}");
        // What fails leaves the old file, and nothing beside it.
        let file = cli.folder.path().join("token.csv");
        let before = std::fs::read_to_string(&file).unwrap();
        cli.run("token export --owner sa::nobody --output token.csv").await.exit(3);
        let cut = Cli { url: "http://127.0.0.1:1".to_owned(), token: cli.token.clone(), folder: tempfile::tempdir().unwrap() };
        cut.run("token export --output x").await.exit(6);
        assert_eq!(std::fs::read_dir(cut.folder.path()).unwrap().count(), 0);
        // Half-way: the second page can't be read.
        let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) SELECT i FROM n";
        let made = match program.database.backend {
            tokenhouse_e2e::Backend::Sqlite => "randomblob(16)",
            tokenhouse_e2e::Backend::Postgres => "gen_random_uuid()",
        };
        let copied = format!(
            "INSERT INTO token SELECT {made}, 'copy' || many.i, org_id, owner_id, kind, 'copied', '', state, scopes, reach,
                addresses, created_at, created_by, created_through, updated_at, not_before, expires_at, idle_limit,
                last_used_at, last_used_address, revoked_at, owner_fold, owner_type
            FROM token CROSS JOIN ({many}) AS many WHERE name = 'deploy'"
        );
        program.database.execute(&copied).await;
        let broken = "UPDATE token SET scopes = 'broken' WHERE id = (SELECT id FROM token ORDER BY id DESC LIMIT 1)";
        program.database.execute(broken).await;
        let failed = cli.run("token export --output token.csv").await.exit(6);
        assert!(failed.err.contains("broke off"), "{failed:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
        assert_eq!(std::fs::read_dir(cli.folder.path()).unwrap().count(), 3);
    }
}
