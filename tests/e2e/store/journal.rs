//! A restored database does not bring back what the journal knows is dead.

use std::path::PathBuf;

use serde_json::{Value, json};
use tokenhouse_e2e::{Program, both, both_programs};

/// Takes away one of each kind, and gives back how to look whether it is gone.
struct Losses {
    /// Secrets that must be refused, with the reason.
    dead: Vec<(String, &'static str)>,
    /// Paths that must answer with this member.
    members: Vec<(String, &'static str, Value)>,
    /// Tokens that must not have this permission any more.
    without: Vec<(String, &'static str)>,
}

/// What is there before anything is taken away.
struct Before {
    tokens: Vec<(String, String)>,
    accounts: Vec<(String, String)>,
    groups: [String; 2],
    roles: [String; 2],
    neighbour: (String, String),
}

async fn made(program: &Program, path: &str, body: Value) -> String {
    program.send("POST", &program.admin, path, body).await.expect(201).text("id")
}

async fn change(program: &Program, method: &str, path: &str, body: Value) {
    let answer = program.send(method, &program.admin, path, body).await.expect(200);
    assert_eq!(answer["receipt"]["journaled"], true);
}

impl Before {
    async fn of(program: &Program) -> Self {
        let mut tokens = Vec::new();
        for name in ["revoked", "rotated", "deactivated", "shortened"] {
            tokens.push(program.issue(json!({"name": name})).await);
        }
        let mut accounts = Vec::new();
        for name in ["gone", "off", "member", "of a group", "assigned", "granted", "narrowed", "of a role"] {
            let identifier = format!("sa::{}", name.replace(' ', "-"));
            let id = made(program, "/v1/accounts", json!({"kind": "service", "identifier": identifier})).await;
            let (_, secret) = program.issue(json!({"owner": id})).await;
            accounts.push((id, secret));
        }
        let group = |name| made(program, "/v1/groups", json!({"name": name}));
        let role = |name| json!({"name": name, "permissions": ["house:read", "house:verify"]});
        let groups = [group("one").await, group("two").await];
        let roles =
            [made(program, "/v1/roles", role("narrow")).await, made(program, "/v1/roles", role("delete")).await];
        for (group, account) in groups.iter().zip([2, 3]) {
            change(program, "PUT", &format!("/v1/groups/{group}/roles/verifier"), json!({})).await;
            change(program, "PUT", &format!("/v1/groups/{group}/members/{}", accounts[account].0), json!({})).await;
        }
        for (account, role) in [(4, "verifier"), (6, &roles[0]), (7, &roles[1])] {
            change(program, "PUT", &format!("/v1/accounts/{}/roles/{role}", accounts[account].0), json!({})).await;
        }
        change(program, "PUT", &format!("/v1/accounts/{}/permissions/house:verify", accounts[5].0), json!({})).await;
        let org = json!({"name": "neighbour", "admin": "n@example.test"});
        let org = program.send("POST", &program.admin, "/v1/orgs", org).await.expect(201);
        let session = json!({"email": "n@example.test", "password": org.text("password")});
        let session = program.send("POST", "", "/v1/session", session).await.expect(201).text("secret");
        for (_, secret) in tokens.iter().chain(&accounts) {
            assert_eq!(program.verdict(secret).await, "good");
        }
        for (_, secret) in &accounts[2..] {
            assert_eq!(may_verify(program, secret).await, 200);
        }
        Self { tokens, accounts, groups, roles, neighbour: (org.text("id"), session) }
    }

    async fn lose(&self, program: &Program) -> Losses {
        let token = |at: usize, act: &str| format!("/v1/tokens/{}{act}", self.tokens[at].0);
        let account = |at: usize, act: &str| format!("/v1/accounts/{}{act}", self.accounts[at].0);
        let soon = 4_000_000_000_000_i64;
        let policy = program.get(&program.admin, "/v1/policy").await.expect(200);
        let mut tight = policy.body.clone();
        tight["kinds"]["service"]["limit"] = json!(1);
        for (method, path, body) in [
            ("POST", token(0, "/revoke"), json!({})),
            ("POST", token(1, "/rotate"), json!({})),
            ("POST", token(2, "/deactivate"), json!({})),
            ("PATCH", token(3, ""), json!({"expires_at": soon})),
            ("DELETE", account(0, ""), json!({})),
            ("POST", account(1, "/deactivate"), json!({})),
            ("DELETE", format!("/v1/groups/{}/members/{}", self.groups[0], self.accounts[2].0), json!({})),
            ("DELETE", format!("/v1/groups/{}", self.groups[1]), json!({})),
            ("DELETE", account(4, "/roles/verifier"), json!({})),
            ("DELETE", account(5, "/permissions/house:verify"), json!({})),
            ("PATCH", format!("/v1/roles/{}", self.roles[0]), json!({"permissions": ["house:read"]})),
            ("DELETE", format!("/v1/roles/{}", self.roles[1]), json!({})),
            ("PUT", "/v1/policy".to_owned(), tight),
            ("POST", format!("/v1/orgs/{}/suspend", self.neighbour.0), json!({})),
        ] {
            change(program, method, &path, body).await;
        }
        let password = json!({"current": program.password, "password": "another horse battery"});
        let who = program.get(&program.admin, "/v1/whoami").await.expect(200)["account"]["id"].clone();
        let path = format!("/v1/accounts/{}/password", who.as_str().unwrap());
        program.send("PUT", &program.admin, &path, password).await.expect(200);
        let reasons = ["revoked", "rotated", "deactivated"];
        let dead = self.tokens.iter().zip(reasons).map(|((_, secret), reason)| (secret.clone(), reason));
        let of_accounts = self.accounts.iter().zip(["account_deleted", "account_inactive"]);
        Losses {
            dead: dead.chain(of_accounts.map(|((_, secret), reason)| (secret.clone(), reason))).collect(),
            members: vec![
                (token(3, ""), "expires_at", json!(soon)),
                (format!("/v1/orgs/{}", self.neighbour.0), "state", json!("suspended")),
            ],
            without: self.accounts[2..].iter().map(|(_, secret)| (secret.clone(), "house:verify")).collect(),
        }
    }
}

/// The status of asking verify with this token.
async fn may_verify(program: &Program, token: &str) -> u16 {
    program.send("POST", token, "/v1/verify", json!({"token": "th_u_nothing"})).await.status
}

impl Losses {
    async fn stand(&self, program: &Program) {
        for (secret, reason) in &self.dead {
            let verdict = program.verdict(secret).await;
            assert!(verdict == *reason || verdict == "revoked", "{reason}: {verdict}");
            program.get(secret, "/v1/whoami").await.refused(401, "unauthenticated");
        }
        for (path, member, value) in &self.members {
            assert_eq!(program.get(&program.admin, path).await.expect(200)[*member], *value, "{path}");
        }
        for (secret, permission) in &self.without {
            let who = program.get(secret, "/v1/whoami").await.expect(200);
            assert!(!who["permissions"].as_array().unwrap().contains(&json!(permission)), "{}", who.raw);
            assert_eq!(may_verify(program, secret).await, 403);
        }
        let policy = program.get(&program.admin, "/v1/policy").await.expect(200);
        assert_eq!(policy["kinds"]["service"]["limit"], 1);
        let old = json!({"email": tokenhouse_e2e::ADMIN, "password": program.password});
        program.send("POST", "", "/v1/session", old).await.refused(401, "unauthenticated");
    }
}

async fn epoch(program: &Program) -> i64 {
    let (_, token) = program.issue(json!({})).await;
    let ended = program.send("POST", &token, "/v1/tokens/self/revoke", json!({})).await.expect(200);
    assert_eq!(ended["receipt"]["journaled"], true);
    ended["receipt"]["epoch"].as_i64().unwrap()
}

async fn replays(program: &Program) -> Vec<Value> {
    let events = program.get(&program.admin, "/v1/ledger?limit=1000").await.expect(200);
    let events = events["items"].as_array().unwrap().clone();
    events.into_iter().filter(|event| event["kind"] == "house.journal_replayed").collect()
}

async fn revoked(program: &Program) -> String {
    let (id, secret) = program.issue(json!({})).await;
    change(program, "POST", &format!("/v1/tokens/{id}/revoke"), json!({})).await;
    secret
}

async fn copied(program: &mut Program) -> tokenhouse_e2e::Copy {
    program.stop().await;
    let copy = program.copy().await;
    program.start().await;
    copy
}

async fn set_back(program: &mut Program, copy: &tokenhouse_e2e::Copy) {
    program.stop().await;
    program.restore(copy).await;
    program.start().await;
}

/// The journal's only file: an installation that one process serves has no other.
fn journal(program: &Program) -> PathBuf {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(program.journal()).unwrap() {
        found.extend(std::fs::read_dir(folder.unwrap().path()).unwrap().map(|file| file.unwrap().path()));
    }
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

both_programs! {
    async fn a_restored_copy_gives_nothing_back_that_was_taken_away(program) {
        let before = Before::of(program).await;
        let copy = copied(program).await;
        let losses = before.lose(program).await;
        losses.stand(program).await;
        assert_eq!(epoch(program).await, 1);

        set_back(program, &copy).await;
        losses.stand(program).await;
        program.get(&before.neighbour.1, "/v1/whoami").await.refused(401, "unauthenticated");
        assert_eq!(epoch(program).await, 2);
        assert_eq!(replays(program).await.len(), 1);
        assert!(program.log().contains("the database is older than its journal"));
        let (code, found) = program.verify_ledger().await;
        assert_eq!((code, &found["whole"], &found["epoch"]), (0, &json!(true), &json!(2)), "{found}");
        assert!(found["restored"].as_i64().unwrap() > 10, "{found}");

        // Known now: a further start replays nothing.
        program.stop().await;
        program.start().await;
        assert_eq!(replays(program).await.len(), 1);
        losses.stand(program).await;
    }

    async fn an_even_older_copy_restored_after_that_gives_nothing_back_either(program) {
        let (first, one) = program.issue(json!({})).await;
        let (second, two) = program.issue(json!({})).await;
        let oldest = copied(program).await;
        change(program, "POST", &format!("/v1/tokens/{first}/revoke"), json!({})).await;
        let older = copied(program).await;
        change(program, "POST", &format!("/v1/tokens/{second}/revoke"), json!({})).await;
        set_back(program, &older).await;
        assert_eq!((epoch(program).await, program.verdict(&two).await.as_str()), (2, "revoked"));
        set_back(program, &oldest).await;
        assert_eq!(program.verdict(&one).await, "revoked");
        assert_eq!(program.verdict(&two).await, "revoked");
        assert_eq!(epoch(program).await, 3);
        let (code, found) = program.verify_ledger().await;
        assert_eq!((code, &found["whole"]), (0, &json!(true)), "{found}");

        // And back to the younger of the two, whose history went another way.
        set_back(program, &older).await;
        assert_eq!(program.verdict(&one).await, "revoked");
        assert_eq!(program.verdict(&two).await, "revoked");
        assert_eq!(epoch(program).await, 4);
        let (code, found) = program.verify_ledger().await;
        assert_eq!((code, &found["whole"]), (0, &json!(true)), "{found}");
    }

    async fn a_journal_that_a_crash_left_behind_catches_up_from_the_database(program) {
        let (id, secret) = program.issue(json!({})).await;
        let copy = copied(program).await;
        change(program, "POST", &format!("/v1/tokens/{id}/revoke"), json!({})).await;
        program.stop().await;
        let whole = std::fs::read_to_string(journal(program)).unwrap();
        // All lines of the revocation and after are lost: its entry, and the checkpoint of the stop.
        let kept: Vec<&str> = whole.lines().take_while(|line| !line.contains("token.revoked")).collect();
        assert!(kept.len() < whole.lines().count());
        std::fs::write(journal(program), kept.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        program.start().await;
        assert!(std::fs::read_to_string(journal(program)).unwrap().contains("token.revoked"));
        assert_eq!(epoch(program).await, 1);

        set_back(program, &copy).await;
        assert_eq!(program.verdict(&secret).await, "revoked");
        assert_eq!(program.verify_ledger().await.0, 0);
    }

    async fn a_journal_that_was_lost_whole_is_written_anew(program) {
        let (id, secret) = program.issue(json!({})).await;
        let copy = copied(program).await;
        change(program, "POST", &format!("/v1/tokens/{id}/revoke"), json!({})).await;
        program.stop().await;
        std::fs::remove_dir_all(program.journal()).unwrap();
        program.start().await;
        assert_eq!(epoch(program).await, 1);
        set_back(program, &copy).await;
        assert_eq!(program.verdict(&secret).await, "revoked");
    }

    async fn a_torn_last_line_is_passed_over_and_written_again(program) {
        let (id, secret) = program.issue(json!({})).await;
        let copy = copied(program).await;
        change(program, "POST", &format!("/v1/tokens/{id}/revoke"), json!({})).await;
        program.kill().await;
        let whole = std::fs::read_to_string(journal(program)).unwrap();
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        // On a slow machine a checkpoint may have come after it.
        let last = lines.iter().rposition(|line| line.contains("token.revoked")).unwrap();
        let torn = &lines[last][..lines[last].len() / 2];
        std::fs::write(journal(program), lines[..last].concat() + torn).unwrap();
        program.start().await;
        let later = revoked(program).await;
        let (code, found) = program.verify_ledger().await;
        assert_eq!((code, &found["unreadable_journal_lines"]), (0, &json!(1)), "{found}");
        assert_eq!(program.verdict(&later).await, "revoked");

        set_back(program, &copy).await;
        assert_eq!(program.verdict(&secret).await, "revoked");
        assert_eq!(epoch(program).await, 2);
    }
}

both! {
    async fn while_the_journal_cannot_be_written_answers_and_readiness_say_so(house) {
        let mut tokens = Vec::new();
        for _ in 0..4 {
            tokens.push(house.issue(&house.admin, json!({})).await);
        }
        let revoke = async |at: usize| {
            let path = format!("/v1/tokens/{}/revoke", tokens[at].0);
            house.post(&house.admin, &path, json!({})).await.expect(200)["receipt"].clone()
        };
        let ready = async || house.get("", "/healthz/ready").await.expect(200)["status"].clone();
        assert_eq!(revoke(0).await["journaled"], true);
        assert_eq!(ready().await, "ready");

        // Somebody put a folder where the file was.
        let file = house.journal().join(house.database_id().await).join("0001.jsonl");
        let away = file.with_extension("away");
        std::fs::rename(&file, &away).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert_eq!(revoke(1).await["journaled"], false);
        assert_eq!(ready().await, "degraded");
        assert_eq!(house.verdict(&tokens[1].1).await, "revoked");
        // Nothing was taken away here, so nothing is missing in the journal.
        let issued = house.post(&house.admin, "/v1/tokens", json!({})).await.expect(201);
        assert_eq!(issued["receipt"]["journaled"], true);
        assert_eq!(ready().await, "degraded");
        let missed = revoke(2).await;
        assert_eq!(missed["journaled"], false);

        std::fs::remove_dir(&file).unwrap();
        std::fs::rename(&away, &file).unwrap();
        assert_eq!(revoke(3).await["journaled"], true);
        assert_eq!(ready().await, "ready");
        let journal = std::fs::read_to_string(&file).unwrap();
        for (id, _) in &tokens {
            assert_eq!(journal.lines().filter(|line| line.contains(id)).count(), 1, "{journal}");
        }
        assert!(journal.contains(&format!("\"revision\":{},", missed["revision"])));
    }

    async fn a_journal_that_was_moved_away_is_begun_anew(house) {
        let (id, _) = house.issue(&house.admin, json!({})).await;
        let file = house.journal().join(house.database_id().await).join("0001.jsonl");
        std::fs::remove_file(&file).unwrap();
        let ended = house.post(&house.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        assert_eq!(ended["receipt"]["journaled"], true);
        assert!(std::fs::read_to_string(&file).unwrap().contains(&id));
    }
}
