//! `tokenhouse ledger`

use serde_json::Value;
use tokenhouse_e2e::{Backend, both};

use super::{Cli, places};

both! {
    async fn every_event_is_exported_once_in_order(house) {
        let cli = Cli::of(house);
        cli.run("account create sa::=cmd,x --description quoted").await;
        cli.run("account create sa::ci").await.exit(0);
        let events = house.events(0).await;
        let lines = cli.run("ledger export").await.exit(0).out;
        let exported: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(exported, events);
        let after = events[1]["revision"].as_i64().unwrap();
        let rest = cli.run(&format!("ledger export --after {after}")).await.exit(0).out;
        assert_eq!(rest.lines().count(), events.len() - 2);
        let csv = cli.run("ledger export --format csv").await.exit(0).out;
        assert!(csv.starts_with("revision,epoch,at,kind,"), "{csv}");
        assert_eq!(csv.lines().count(), events.len() + 1);
        let last = csv.lines().last().unwrap();
        assert!(last.ends_with(events.last().unwrap()["hash"].as_str().unwrap()), "{last}");
        assert_eq!(cli.run("ledger export --after 1000000").await.exit(0).out, "");
    }
}

places! {
    async fn the_ledger_is_whole_until_somebody_edits_it(place) {
        let made = place.init().await;
        let serving = place.serve("").await;
        let cli = place.cli(&serving, &made);
        cli.run("account create sa::ci").await.exit(0);
        let id = cli.json("token issue --owner sa::ci").await["id"].as_str().unwrap().to_owned();
        cli.run(&format!("token revoke {id} --yes")).await.exit(0);
        let verify = "ledger verify --database DB --data data";
        place.run(verify).await.exit(0); // beside a server that runs
        serving.stop().await.exit(0);
        let found = place.run(&format!("{verify} --json")).await.json();
        assert_eq!((&found["whole"], &found["faults"]), (&true.into(), &serde_json::json!([])));
        assert_eq!(found["vouched_revision"], found["revision"], "{found}");
        let told = place.run(verify).await.exit(0);
        assert!(told.out.contains("whole      no edit, removal or cut"), "{told:?}");
        place.database.execute("UPDATE ledger_event SET at = at + 1 WHERE revision = 2").await;
        let found = place.run(&format!("{verify} --json")).await.exit(1);
        let found: Value = serde_json::from_str(&found.out).unwrap();
        assert_eq!(found["whole"], false);
        let told = place.run(verify).await.exit(1);
        assert!(told.out.contains("FAULT"), "{told:?}");
    }
}

#[tokio::test]
async fn a_restored_backup_brings_no_revoked_token_back() {
    let place = super::Place::new(Backend::Sqlite).await.unwrap();
    let made = place.init().await;
    let serving = place.serve("").await;
    let cli = place.cli(&serving, &made);
    cli.run("token issue --name ci --write t").await.exit(0);
    serving.stop().await.exit(0);
    place.content().await;
    let backup = place.folder.path().join("backup.db");
    std::fs::copy(place.database.file(), &backup).unwrap();
    let serving = place.serve("").await;
    let cli = Cli { url: serving.url.clone(), ..cli };
    cli.run(&format!("token revoke {} --yes", cli.json("token list").await["items"][1]["id"].as_str().unwrap()))
        .await
        .exit(0);
    serving.stop().await.exit(0);
    for ending in ["-wal", "-shm"] {
        _ = std::fs::remove_file(format!("{}{ending}", place.database.file().display()));
    }
    std::fs::copy(&backup, place.database.file()).unwrap();
    let serving = place.serve("").await;
    assert!(serving.log().contains("the database is older than its journal"), "{}", serving.log());
    let cli = Cli { url: serving.url.clone(), ..cli };
    let answer: Value = serde_json::from_str(&cli.run("verify --file t --json").await.exit(7).out).unwrap();
    assert_eq!(answer["reason"], "revoked");
    serving.stop().await.exit(0);
    let found = place.run("ledger verify --database DB --data data --json").await.json();
    assert!(found["epoch"].as_i64().unwrap() > 1 && found["restored"].as_i64().unwrap() > 0, "{found}");
}
