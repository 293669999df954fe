//! What `tokenhouse ledger verify` finds.

use std::path::PathBuf;

use serde_json::json;
use tokenhouse_e2e::{Backend, House, both, both_programs};
use tokenhouse_model::hex::hex;
use tokenhouse_model::{chain, event::Recorded};
use tokenhouse_store::inspect::{self, Findings};
use tokenhouse_store::journal::{Entry, Journal};
use tokenhouse_store::{Checkpoints, MasterKey, Settings, Store, ledger};

async fn walk(house: &House) -> Findings {
    let key = MasterKey::read(&house.folder.path().join("master.key")).unwrap();
    inspect::walk(&house.database.location, &house.journal(), &key).await.unwrap()
}

/// The one fault of the ledger as it is now, in words.
async fn fault(house: &House) -> String {
    let found = walk(house).await;
    assert_eq!(found.faults.len(), 1, "{found:?}");
    found.faults[0].clone()
}

/// A ledger with some history, of which the journal vouches for the last but two events; its last revision. The house
/// follows it no more: a changed event is lost history to it, which it would repair.
async fn history(house: &House) -> i64 {
    for _ in 0..3 {
        let (id, _) = house.issue(&house.admin, json!({"name": "old"})).await;
        house.post(&house.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
    }
    for _ in 0..2 {
        house.issue(&house.admin, json!({"name": "new"})).await;
    }
    let end = house.revision().await;
    let found = walk(house).await;
    assert_eq!((found.revision, found.vouched, found.faults), (end, end - 2, Vec::<String>::new()));
    tokenhouse_authority::pulse::leave(&house.ctx).await;
    house.database.execute("CREATE TABLE event_kept AS SELECT * FROM ledger_event").await;
    house.database.execute("CREATE TABLE head_kept AS SELECT * FROM ledger_head").await;
    end
}

/// Puts the ledger back as it was.
async fn mend(house: &House) {
    for table in ["event", "head"] {
        house.database.execute(&format!("DELETE FROM ledger_{table}")).await;
        house.database.execute(&format!("INSERT INTO ledger_{table} SELECT * FROM {table}_kept")).await;
    }
    assert_eq!(walk(house).await.faults, Vec::<String>::new());
}

/// Bytes as SQL.
fn bytes(house: &House, bytes: &[u8]) -> String {
    match house.database.backend {
        Backend::Sqlite => format!("X'{}'", hex(bytes)),
        Backend::Postgres => format!("'\\x{}'::bytea", hex(bytes)),
    }
}

fn uuid(house: &House, text: &str) -> String {
    match house.database.backend {
        Backend::Sqlite => format!("X'{}'", text.replace('-', "")),
        Backend::Postgres => format!("'{text}'"),
    }
}

/// The ledger's events, read by a second look at the same database.
async fn events(house: &House, after: i64) -> Vec<Recorded> {
    let key = MasterKey::read(&house.folder.path().join("master.key")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let journal = elsewhere.path().to_path_buf();
    let location = house.database.location.clone();
    let settings = Settings { location, journal, checkpoints: Checkpoints::default(), readers: 1, misses: 1 };
    let random = tokenhouse_model::env::Random::system();
    let store = Store::open(&settings, key, house.clock.clone(), random).await.unwrap();
    ledger::after(&mut store.read().await.unwrap().conn(), after, 1000).await.unwrap()
}

/// Rewrites the ledger from the event of this revision on, hashes and head included, as one can who has the database.
async fn rewrite(house: &House, from: i64, edit: impl Fn(&mut Recorded)) {
    let mut tail = events(house, from - 2).await;
    let mut previous = tail.remove(0).hash;
    for event in &mut tail {
        if event.revision == from {
            edit(event);
        }
        event.body_hash = chain::body_hash(event).to_vec();
        event.hash = chain::link(&previous, event.epoch, event.revision, &event.body_hash).to_vec();
        previous.clone_from(&event.hash);
        let sql = format!(
            "UPDATE ledger_event SET address = '{}', kind = '{}', epoch = {}, body = '{}', body_hash = {}, hash = {}
                WHERE revision = {}",
            event.address,
            event.kind.as_str(),
            event.epoch,
            event.body,
            bytes(house, &event.body_hash),
            bytes(house, &event.hash),
            event.revision
        );
        house.database.execute(&sql).await;
    }
    house.database.execute(&format!("UPDATE ledger_head SET hash = {}", bytes(house, &previous))).await;
}

async fn journal_file(house: &House) -> PathBuf {
    house.journal().join(house.database_id().await).join("0001.jsonl")
}

both! {
    async fn an_edit_of_any_column_of_an_event_is_found(house) {
        let end = history(house).await;
        let (other, zeros) = (uuid(house, "018f0000-0000-7000-8000-000000000000"), bytes(house, &[0; 32]));
        let mut edits = vec![
            ("at", "at + 1".to_owned(), "edited"),
            ("kind", "'token.renamed'".to_owned(), "edited"),
            ("kind", "'no such kind'".to_owned(), "edited"),
            ("address", "'203.0.113.9'".to_owned(), "edited"),
            ("request_id", "'another'".to_owned(), "edited"),
            ("body", "'{}'".to_owned(), "edited"),
            ("body", "body || ' '".to_owned(), "edited"),
            ("salt", zeros.clone(), "edited"),
            ("body_hash", zeros.clone(), "edited"),
            ("hash", zeros, "broken"),
            ("epoch", "epoch + 1".to_owned(), "broken"),
        ];
        edits.extend(["org_id", "subject", "actor_account", "actor_token"].map(|column| (column, other.clone(), "edited")));
        let columns: std::collections::BTreeSet<&str> = edits.iter().map(|(column, ..)| *column).collect();
        assert_eq!(columns.len() + 1, <Recorded as tokenhouse_store::sql::Row>::COLUMNS.len(), "one is not tried");
        for (revision, edits) in [(1, &edits[8..10]), (end / 2, &edits[..]), (end, &edits[5..7])] {
            for (column, value, found) in edits {
                let sql = format!("UPDATE ledger_event SET {column} = {value} WHERE revision = {revision}");
                house.database.execute(&sql).await;
                let fault = fault(house).await;
                assert!(fault.contains(found) && fault.contains(&format!("revision {revision}")), "{column}: {fault}");
                mend(house).await;
            }
        }
    }

    async fn an_event_removed_or_moved_is_found(house) {
        let end = history(house).await;
        for revision in [1, 2, end - 1] {
            house.database.execute(&format!("DELETE FROM ledger_event WHERE revision = {revision}")).await;
            assert_eq!(fault(house).await, format!("the event at revision {revision} was removed"));
            // Closing the gap does not hide it.
            for later in revision + 1..=end {
                let sql = format!("UPDATE ledger_event SET revision = {} WHERE revision = {later}", later - 1);
                house.database.execute(&sql).await;
            }
            let fault = fault(house).await;
            assert!(fault.contains(&format!("the chain is broken at revision {revision}")), "{fault}");
            mend(house).await;
        }
    }

    async fn a_cut_at_the_end_is_found_up_to_what_the_journal_vouches_for(house) {
        let end = history(house).await;
        let cut = async |to: i64| {
            house.database.execute(&format!("DELETE FROM ledger_event WHERE revision > {to}")).await;
        };
        cut(end - 1).await;
        let said = fault(house).await;
        assert!(said.contains(&format!("the head says revision {end}, but the events end at {}", end - 1)), "{said}");

        // A head that fits hides it, as far as the journal has not spoken.
        let head = async |to: i64| {
            let last = format!("(SELECT hash FROM ledger_event WHERE revision = {to})");
            house.database.execute(&format!("UPDATE ledger_head SET revision = {to}, hash = {last}")).await;
        };
        head(end - 1).await;
        let found = walk(house).await;
        assert_eq!((found.faults.len(), found.revision, found.vouched), (0, end - 1, end - 2));
        cut(end - 3).await;
        head(end - 3).await;
        let said = fault(house).await;
        let (vouched, left) = (end - 2, end - 3);
        assert_eq!(
            said,
            format!("the ledger was cut: the journal vouches for revision {vouched} of epoch 1, the ledger ends at {left}")
        );
        mend(house).await;

        // A checkpoint vouches for the rest, too.
        tokenhouse_authority::housekeeping::checkpoint(&house.ctx).await.unwrap();
        assert_eq!(walk(house).await.vouched, end);
        cut(end - 1).await;
        head(end - 1).await;
        let said = fault(house).await;
        assert!(said.contains(&format!("the journal vouches for revision {end}")), "{said}");
    }

    async fn a_rewritten_ledger_with_hashes_that_fit_is_found_by_the_journal(house) {
        let end = history(house).await;
        rewrite(house, end - 2, |event| event.address = "203.0.113.9".to_owned()).await;
        let said = format!("the event at revision {} is not the one that the journal vouches for", end - 2);
        assert_eq!(fault(house).await, said);
        mend(house).await;

        // Nor does it help to write a restore into the ledger that never was.
        rewrite(house, end - 3, |event| {
            event.kind = tokenhouse_model::event::EventKind::JournalReplayed;
            event.epoch = 2;
            event.body = json!({"details": {"kept_epoch": 0, "kept_revision": 0}}).to_string();
        })
        .await;
        let found = walk(house).await;
        assert_eq!((found.faults, found.restored), (vec![said], 0));
    }

    async fn an_event_without_content_is_a_fault_and_the_chain_goes_on(house) {
        let end = history(house).await;
        let nothing = bytes(house, b"");
        let sql = format!("UPDATE ledger_event SET body = '', salt = {nothing} WHERE revision = {}", end - 2);
        house.database.execute(&sql).await;
        let found = walk(house).await;
        let said = "the content of 1 events was taken away, so what they say can't be checked".to_owned();
        assert_eq!((found.redacted, found.vouched, found.revision, found.faults), (1, end - 2, end, vec![said]));
    }

    async fn journal_lines_that_are_not_ours_are_not_believed(house) {
        let end = history(house).await;
        let database = house.database_id().await;
        let file = journal_file(house).await;
        let good = std::fs::read_to_string(&file).unwrap();

        // Under another master key, by hand, altered, and without a code.
        let elsewhere = tempfile::tempdir().unwrap();
        let stranger = MasterKey::create(&elsewhere.path().join("key"), &tokenhouse_model::env::Random::system()).unwrap();
        let mut writer = Journal::at(elsewhere.path(), &database, stranger).writer().unwrap();
        writer.append(&[Entry::checkpoint(7, end + 100, &[1; 32], 1)]).unwrap();
        let theirs = std::fs::read_to_string(elsewhere.path().join(&database).join("0001.jsonl")).unwrap();
        let line = good.lines().last().unwrap();
        let altered = line.replace("\"epoch\":1", "\"epoch\":9");
        let bare = line.rsplit_once(' ').unwrap().0;
        assert!(altered != line && theirs.contains("\"epoch\":7"));
        let forged = [theirs.trim(), &altered, bare, "{}", "\u{fffd}", &"x".repeat(100_000)].join("\n");
        std::fs::write(&file, format!("{good}{forged}\n")).unwrap();
        let found = walk(house).await;
        assert_eq!((found.unreadable, found.vouched, found.faults), (6, end - 2, Vec::<String>::new()));

        house.restart().await;
        let epoch = house.post(&house.admin, "/v1/tokens", json!({})).await.expect(201)["receipt"]["epoch"].clone();
        assert_eq!(epoch, 1);
    }

    async fn a_journal_in_another_order_or_twice_says_the_same(house) {
        let end = history(house).await;
        let file = journal_file(house).await;
        let good = std::fs::read_to_string(&file).unwrap();
        let turned: Vec<&str> = good.lines().rev().chain(good.lines()).collect();
        std::fs::write(&file, turned.join("\n") + "\n").unwrap();
        let found = walk(house).await;
        assert_eq!((found.unreadable, found.vouched, found.faults), (0, end - 2, Vec::<String>::new()));
    }

    async fn a_walk_changes_nothing(house) {
        history(house).await;
        let before = (house.database.bytes().await, std::fs::read(journal_file(house).await).unwrap());
        walk(house).await;
        assert!((house.database.bytes().await, std::fs::read(journal_file(house).await).unwrap()) == before);
    }
}

both_programs! {
    async fn the_command_says_what_it_found_and_how_far_it_could_see(program) {
        let (id, _) = program.issue(json!({})).await;
        program.send("POST", &program.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        let (_, found) = program.verify_ledger().await;
        let vouched = found["vouched_revision"].as_i64().unwrap();
        program.issue(json!({})).await;
        let end = vouched + 1;

        let ran = program.run(&["ledger", "verify"]).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        let seen = format!("no edit, removal or cut up to revision {vouched}, the last that the journal vouches for");
        assert!(ran.out.contains(&seen), "{ran:?}");
        assert!(ran.out.contains("; a cut of the 1 after it could not be seen"), "{ran:?}");

        let sql = format!("UPDATE ledger_event SET request_id = 'other' WHERE revision = {end}");
        program.database.execute(&sql).await;
        let ran = program.run(&["ledger", "verify"]).await;
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.out.contains(&format!("FAULT      the event at revision {end} was edited")), "{ran:?}");
        assert!(ran.err.contains("the ledger is not whole"), "{ran:?}");
        assert!(!ran.out.contains("whole "), "{ran:?}");
        let (code, found) = program.verify_ledger().await;
        assert_eq!((code, &found["whole"]), (1, &json!(false)), "{found}");

        let ran = program.run(&["ledger", "verify", "--journal", "/nowhere", "--json"]).await;
        let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((&found["compared"], &found["vouched_revision"]), (&json!(0), &json!(0)), "{found}");
    }
}
