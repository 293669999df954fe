//! The master key: lost, wrong or open to others it is one clear message and no change.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::json;
use tokenhouse_e2e::{Program, Ran, both, both_programs};
use tokenhouse_model::env::Random;
use tokenhouse_model::{Uuid, id};
use tokenhouse_store::{MasterKey, Place};

/// Tries to serve and to verify the ledger; both must fail at once with this code and these words, in one line.
async fn refused(program: &Program, code: i32, words: &str) {
    let before = program.database.bytes().await;
    for command in [["serve", "--listen", "127.0.0.1:0"].as_slice(), &["ledger", "verify"]] {
        let ran = tokio::time::timeout(Duration::from_secs(60), program.run(command)).await;
        let Ran { code: exit, out, err } = ran.expect("it serves");
        assert_eq!((exit, out.as_str()), (code, ""), "{command:?}: {err}");
        assert!(err.contains(words), "{command:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
    assert!(program.database.bytes().await == before, "something was changed");
}

fn own(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

both_programs! {
    async fn a_key_file_that_is_not_right_is_one_message_and_no_change(program) {
        let (_, secret) = program.issue(json!({})).await;
        program.stop().await;
        let path = program.folder.path().join("master.key");
        let good = std::fs::read_to_string(&path).unwrap();

        std::fs::remove_file(&path).unwrap();
        refused(program, 3, "is missing").await;
        assert!(!path.exists(), "a new key was made for an old database");

        let other = MasterKey::create(&path, &Random::system()).unwrap();
        refused(program, 5, other.id()).await;

        for broken in [&good[..40], "", "not hexadecimal\n", &good.replace('\n', "0\n")] {
            std::fs::write(&path, broken).unwrap();
            refused(program, 5, "does not hold a master key").await;
        }

        std::fs::write(&path, &good).unwrap();
        for mode in [0o644, 0o640, 0o620, 0o601] {
            own(&path, mode);
            refused(program, 5, &format!("chmod 600 {}", path.display())).await;
        }

        own(&path, 0o600);
        program.start().await;
        assert_eq!(program.verdict(&secret).await, "good");
        assert!(!program.log().contains(good.trim()));
    }

    async fn the_key_can_come_from_a_variable_or_another_file(program) {
        let (_, secret) = program.issue(json!({})).await;
        program.stop().await;
        let path = program.folder.path().join("master.key");
        let key = std::fs::read_to_string(&path).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let file = elsewhere.path().join("key");
        std::fs::rename(&path, &file).unwrap();
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());

        program.environment = vec![variable("TOKENHOUSE__KEYS__MASTER_ENV", "HOUSE_KEY")];
        refused(program, 3, "HOUSE_KEY").await;
        program.environment.push(variable("HOUSE_KEY", "1234"));
        refused(program, 5, "the variable HOUSE_KEY does not hold a master key").await;
        program.environment[1] = variable("HOUSE_KEY", &key);
        program.start().await;
        assert_eq!(program.verdict(&secret).await, "good");
        assert_eq!(program.verify_ledger().await.0, 0);
        program.stop().await;

        program.environment = vec![variable("TOKENHOUSE__KEYS__MASTER_FILE", &file.display().to_string())];
        program.start().await;
        assert_eq!(program.verdict(&secret).await, "good");
        assert_eq!(program.verify_ledger().await.0, 0);
        assert!(!path.exists());
        assert!(!program.log().contains(key.trim()));
    }
}

both! {
    async fn a_sealed_answer_moved_to_another_row_does_not_open(house) {
        let ask = async |key: &str| {
            let request = house.request("POST", "/v1/tokens").bearer_auth(&house.admin).json(&json!({}));
            house.send(request.header("idempotency-key", key)).await
        };
        let (one, two) = (ask("one").await.expect(201), ask("two").await.expect(201));
        assert_eq!(ask("one").await.expect(201).text("secret"), one.text("secret"));
        house.database.execute("CREATE TABLE kept AS SELECT id, answer FROM once").await;
        house.database.execute("UPDATE once SET answer = (SELECT answer FROM kept WHERE kept.id <> once.id)").await;
        for key in ["one", "two"] {
            let answer = ask(key).await.refused(500, "internal");
            assert!(!answer.raw.contains(&one.text("secret")) && !answer.raw.contains(&two.text("secret")));
        }
    }
}

#[test]
fn what_is_sealed_opens_only_in_its_place_with_its_key_unaltered() {
    let (folder, random) = (tempfile::tempdir().unwrap(), Random::system());
    let make = |name: &str| MasterKey::create(&folder.path().join(name), &random).unwrap();
    let (master, stranger) = (make("one"), make("two"));
    let ids: Vec<Uuid> = (0..2).map(|_| id::new(1, &random)).collect();
    let wrapped = master.make_data_key(ids[0], &random).unwrap();
    let key = master.open_data_key(ids[0], &wrapped).unwrap();
    let place = Place { what: "secret.sealed", id: ids[0] };
    let sealed = key.seal(place, b"the plain text", &random).unwrap();

    assert_eq!(key.open(place, &sealed).unwrap().as_slice(), b"the plain text");
    assert!(!sealed.windows(5).any(|part| part == b"plain"));
    assert_ne!(key.seal(place, b"the plain text", &random).unwrap(), sealed);

    assert!(key.open(Place { id: ids[1], ..place }, &sealed).is_err());
    assert!(key.open(Place { what: "once.answer", ..place }, &sealed).is_err());
    let other = master.open_data_key(ids[1], &master.make_data_key(ids[1], &random).unwrap()).unwrap();
    assert!(other.open(place, &sealed).is_err());
    for at in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert!(key.open(place, &altered).is_err(), "byte {at}");
        assert!(key.open(place, &sealed[..at]).is_err(), "cut at {at}");
    }
    assert!(master.open_data_key(ids[1], &wrapped).is_err());
    assert!(stranger.open_data_key(ids[0], &wrapped).is_err());
}

#[test]
fn a_key_shows_nothing_of_itself_and_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/master.key");
    let key = MasterKey::create(&path, &Random::system()).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(MasterKey::create(&path, &Random::system()).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let shown = format!("{key:?} {:?}", key.open_data_key(Uuid::nil(), b"").unwrap_err());
    assert!(!shown.contains(text.trim()) && !text.contains(key.id()), "{shown}");
    let error = MasterKey::parse(&text.trim()[..60], "the variable K").unwrap_err();
    assert!(!format!("{error:?}").contains(&text[..8]));
}
