//! `tokenhouse token import`: files of each kind, interruptions, reports, and the recipes of docs/operations.md.

use std::process::Stdio;

use serde_json::{Value, json};
use tokenhouse_e2e::{House, both};
use tokenhouse_model::SecretText;
use tokio::io::AsyncWriteExt as _;

use super::{Cli, Ran};

/// A token of Grafana's with its hash, made by Python's `hashlib.pbkdf2_hmac` and `zlib.crc32`.
const GRAFANA: (&str, &str) = (
    "glsa_pW2sKx9Lq5ZtB7vNc3MdR8yJg6HfU1aE_422f5737",
    "95055dcb69a1948e990b107fd45734eb125a072366cea97d80528211bad7b8ef45d0d8ea968a50c004debf4e6041854696f7",
);
/// A key of better-auth's with its digest, made by Python's `hashlib.sha256` and `base64.urlsafe_b64encode`.
const BETTER_AUTH: (&str, &str) =
    ("QwErTyUiOpAsDfGhJkLzXcVbNmPlMkOnJiBhUvGyCfTxDrZeSwAqLpKoMjInHbUg", "uFKlmXfc52q4gLIiPGC9ilN7e70b9qDdds4Do1XY4KU");

fn secret(house: &House, number: u32) -> String {
    let text = format!("old_{}", &SecretText::new(format!("cli {number}")).digest().to_hex()[..44]);
    house.secret(&text);
    text
}

fn uuid(house: &House, number: u32) -> String {
    let hex = SecretText::new(format!("cli uuid {number}")).digest().to_hex();
    let text = format!("{}-{}-4{}-b{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30]);
    house.secret(&text);
    text
}

/// What the summary says with `--json`: imported, present, refused.
fn counts(ran: &Ran) -> (i64, i64, i64) {
    let summary: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    let count = |name: &str| summary[name].as_i64().unwrap();
    (count("imported"), count("present"), count("refused"))
}

async fn limit(house: &House, limit: i64) {
    let mut policy = house.get(&house.admin, "/v1/policy").await.expect(200).body;
    policy["kinds"]["service"]["limit"] = json!(limit);
    policy.as_object_mut().unwrap().remove("receipt");
    house.put(&house.admin, "/v1/policy", policy).await.expect(200);
}

/// The files that the recipes name, as the systems write them, and every token in them that is to work.
fn samples(house: &House, cli: &Cli) -> Vec<String> {
    let [lines, table, wave, org] =
        [secret(house, 1), secret(house, 2), uuid(house, 3), "Zk3Jd0vQmWbqY7hXst1LrA".to_owned()];
    house.secret(&org);
    [GRAFANA.0, BETTER_AUTH.0].iter().for_each(|token| house.secret(token));
    let write = |name: &str, text: String| std::fs::write(cli.file(name), text).unwrap();
    write("tokens.jsonl", format!("{}\n", json!({"token": lines, "owner": "sa::ci", "name": "deploy"})));
    write("tokens.csv", format!("token,owner,name,permissions,expires_at\n{table},sa::ci,nightly,house:read,\n"));
    let item = json!({"tokenID": wave, "tokenName": "main", "account": "sa::deployer", "accountType": "SERVICE_ACCOUNT",
        "dateGenerated": 1_700_000_000_000_i64, "lastUsed": 1_700_086_400_000_i64});
    let answer = json!({"status": {"result": "OK", "message": "", "code": 200}, "response": [item]});
    write("wavefront.json", answer.to_string());
    let item = json!({"authScopes": ["INGEST"], "created": 1_767_225_600_000_i64, "creator": "Fz3kQ0aAcAA", "disabled": false,
        "expiry": 1_999_999_999_999_i64, "id": "Fz3kTb8AgAE", "name": "edge/eu 1", "permissions": null, "roles": [], "secret": org});
    write("splunk.json", json!({"count": 1, "results": [item]}).to_string());
    write(
        "grafana.csv",
        format!(
            "id,org_id,name,key,role,created,updated,expires,service_account_id,last_used_at,is_revoked\n\
        7,1,dash,{},Viewer,2024-03-01 10:00:00,2024-03-01 10:00:00,,3,2024-05-01 10:00:00+00,f\n",
            GRAFANA.1
        ),
    );
    write(
        "apikey.csv",
        format!(
            "id,name,start,prefix,key,userId,remaining,enabled,expiresAt,createdAt,lastRequest,permissions\n\
        k1,laptop,abcdef,,{},u-17,,1,,2025-02-03T04:05:06.000Z,,\n",
            BETTER_AUTH.1
        ),
    );
    write("owners.csv", "3,sa::ci\nu-17,ana@example.test\n".to_owned());
    vec![lines, table, wave, org, GRAFANA.0.to_owned(), BETTER_AUTH.0.to_owned()]
}

both! {
    async fn the_recipes_of_the_manual_move_everything_in(house) {
        let cli = Cli::of(house);
        let tokens = samples(house, &cli);
        house.service("ci", &["member"]).await;
        house.person("ana@example.test", &[]).await;
        for token in &tokens {
            assert_eq!(house.verdict(token).await, "unknown");
        }
        let manual = include_str!("../../../docs/operations.md");
        let (_, moving) = manual.split_once("## Moving in").unwrap();
        let moving = moving.split("\n## ").next().unwrap();
        let recipes: Vec<&str> = moving.lines().filter_map(|line| line.strip_prefix("tokenhouse token import ")).collect();
        assert!(recipes.len() >= 7, "{recipes:?}");
        for recipe in recipes {
            cli.run(&format!("token import {recipe}")).await.exit(0);
        }
        for token in &tokens {
            assert_eq!(house.verdict(token).await, "good");
        }
        // Where the token of the other system worked it still does.
        house.get(&tokens[2], "/api/v2/apitoken").await.expect(200);
    }

    async fn an_import_that_was_killed_goes_on_where_it_ended(house) {
        let cli = Cli::of(house);
        let (id, _) = house.service("ci", &[]).await;
        limit(house, 1000).await;
        let lines: Vec<String> =
            (0..500).map(|n| json!({"token": secret(house, 1000 + n), "owner": "sa::ci"}).to_string() + "\n").collect();
        let mut child = cli.command("token import -").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        // Two chunks and a part of the third: the file does not end, so it waits for more.
        input.write_all(lines[..450].concat().as_bytes()).await.unwrap();
        input.flush().await.unwrap();
        let there = async || {
            let page = house.get(&house.admin, &format!("/v1/tokens?owner={id}&limit=1000")).await.expect(200);
            page["items"].as_array().unwrap().len() - 1
        };
        while there().await < 400 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        child.kill().await.unwrap();
        drop(input);
        assert_eq!(there().await, 400);
        let whole = cli.feed("token import - --json", &lines.concat()).await.exit(0);
        assert_eq!(counts(&whole), (100, 400, 0));
        assert_eq!(there().await, 500);
        for at in [0, 199, 200, 449, 499] {
            let row: Value = serde_json::from_str(&lines[at]).unwrap();
            assert_eq!(house.verdict(row["token"].as_str().unwrap()).await, "good");
        }
    }

    async fn an_import_that_is_interrupted_says_how_far_it_came(house) {
        let cli = Cli::of(house);
        house.service("ci", &[]).await;
        limit(house, 1000).await;
        let lines: Vec<String> =
            (0..250).map(|n| json!({"token": secret(house, 3000 + n), "owner": "sa::ci"}).to_string() + "\n").collect();
        let mut command = cli.command("token import -");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(lines.concat().as_bytes()).await.unwrap();
        input.flush().await.unwrap();
        let first: Value = serde_json::from_str(&lines[0]).unwrap();
        while house.verdict(first["token"].as_str().unwrap()).await != "good" {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        // The input does not end: it waits for more, and hears all the same.
        let interrupt = format!("kill -INT {}", child.id().unwrap());
        assert!(tokio::process::Command::new("bash").arg("-c").arg(interrupt).status().await.unwrap().success());
        let ended = tokio::time::timeout(std::time::Duration::from_secs(30), child.wait_with_output()).await;
        let ended = ended.expect("it hangs").unwrap();
        let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{}", told(&ended.stderr));
        assert!(told(&ended.stderr).contains("interrupted: run the same again"), "{}", told(&ended.stderr));
        assert!(told(&ended.stdout).contains("200"), "{}", told(&ended.stdout));
        drop(input);
        let whole = cli.feed("token import - --json", &lines.concat()).await.exit(0);
        assert_eq!(counts(&whole), (50, 200, 0));
    }

    async fn what_was_refused_is_reported_without_its_secret(house) {
        let cli = Cli::of(house);
        house.service("ci", &[]).await;
        let good = secret(house, 1);
        let lines = [
            json!({"token": good, "owner": "sa::ci"}).to_string(),
            json!({"token": good, "owner": "sa::ci"}).to_string(),
            "not json".to_owned(),
            json!({"token": secret(house, 2), "owner": "sa::none"}).to_string(),
            json!({"token": "password1password1", "owner": "sa::ci"}).to_string(),
        ];
        std::fs::write(cli.file("in"), lines.join("\n")).unwrap();
        let dry = cli.run("token import in --dry-run --json").await.exit(1);
        assert_eq!(counts(&dry), (1, 0, 4));
        assert_eq!(house.verdict(&good).await, "unknown");
        let ran = cli.run("token import in --report refused.jsonl").await.exit(1);
        assert_eq!((ran.cell("Imported"), ran.cell("Refused")), ("1", "4"));
        let report: Vec<Value> = cli.text("refused.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told: Vec<(i64, &str)> = report.iter().map(|no| (no["line"].as_i64().unwrap(), no["code"].as_str().unwrap())).collect();
        assert_eq!(told, [(2, "duplicate"), (3, "malformed"), (4, "unknown_owner"), (5, "malformed")]);
        assert!(!cli.text("refused.jsonl").contains("old_") && !ran.err.contains("old_"));
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(cli.file("refused.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
        // Without a report people see the first of them.
        let shown = cli.run("token import in").await.exit(1);
        assert!(shown.err.contains("line 4: unknown_owner") && shown.cell("Present already") == "1", "{shown:?}");
        cli.run("token import none.jsonl").await.exit(2);
        cli.run("token import in --from nowhere").await.exit(2);
        let weak = Cli::at(&house.url, &house.service("weak", &[]).await.1);
        std::fs::write(weak.file("in"), &lines[0]).unwrap();
        weak.run("token import in").await.exit(4);
    }

    async fn missing_service_accounts_are_made_where_that_is_asked_for(house) {
        let cli = Cli::of(house);
        let row = |n, owner: &str| json!({"token": secret(house, n), "owner": owner}).to_string();
        std::fs::write(cli.file("in"), [row(1, "sa::a"), row(2, "sa::b"), row(3, "sa::A")].join("\n")).unwrap();
        cli.run("token import in").await.exit(1);
        let dry = cli.json("token import in --create-service-accounts --dry-run").await;
        assert_eq!((&dry["imported"], &dry["service_accounts_made"]), (&json!(3), &json!(2)));
        assert_eq!(cli.json("account list --kind service").await["items"], json!([]));
        let made = cli.json("token import in --create-service-accounts").await;
        assert_eq!((&made["imported"], &made["service_accounts_made"]), (&json!(3), &json!(2)));
        let again = cli.json("token import in --create-service-accounts").await;
        assert_eq!((&again["present"], &again["service_accounts_made"]), (&json!(3), &json!(0)));
    }

    async fn what_another_systems_list_does_not_tell_is_refused_with_the_reason(house) {
        let cli = Cli::of(house);
        house.service("ci", &["member"]).await;
        let write = |name: &str, value: Value| std::fs::write(cli.file(name), value.to_string()).unwrap();
        let codes = async |line: &str| -> Value { serde_json::from_str::<Value>(&cli.run(line).await.exit(1).out).unwrap()["refusals"].clone() };
        write("w.json", json!({"response": [{"id": "0190a5c4-7f3b-7c21-9a44-0d1c2b6f1e01", "name": "x", "account": "sa::ci"}, {"name": "y"},
            {"tokenID": uuid(house, 9)}]}));
        let expected = json!({"no_secret": 1, "malformed": 1, "unknown_owner": 1});
        assert_eq!(codes("token import w.json --from wavefront --json").await, expected);
        write("s.json", json!({"results": [{"name": "hidden"}, {"name": "new", "secret": "Zk3Jd0vQmWbqY7hXst1LrA", "authScopes": ["MOON"]},
            {"name": "old", "secret": "Yk3Jd0vQmWbqY7hXst1LrA", "authScopes": ["API"], "expiry": 1_700_000_000_000_i64}]}));
        assert_eq!(codes("token import s.json --from splunk --json").await, json!({"no_secret": 1, "malformed": 1, "expired": 1}));
        write("g.json", json!([{"key": GRAFANA.1, "service_account_id": 3}, {"key": GRAFANA.1, "is_revoked": 1}, {"key": "00"}]));
        let expected = json!({"revoked": 1, "unknown_owner": 2});
        assert_eq!(codes("token import g.json --from grafana --json").await, expected);
        write("b.json", json!([{"key": BETTER_AUTH.1, "userId": "u", "remaining": 3}, {"key": BETTER_AUTH.1, "userId": "u", "permissions": "{\"files\":[\"read\"]}"}]));
        let expected = json!({"unsupported": 1, "invalid_field": 1});
        assert_eq!(codes("token import b.json --from better-auth --owner sa::ci --json").await, expected);
    }
}
