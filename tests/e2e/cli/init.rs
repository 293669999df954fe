//! `tokenhouse init` and what else works on a database without a server.

use super::{Cli, Ran, mode, names, places};

places! {
    async fn init_prints_exactly_one_object_with_four_members(place) {
        let made = place.init().await;
        let members: Vec<&String> = made.as_object().unwrap().keys().collect();
        assert_eq!(members, ["account", "org_id", "password", "token"]);
        assert_eq!(made["account"], "admin@acme.example");
        assert!(made["token"].as_str().unwrap().starts_with("th_u_"));
        assert_eq!(mode(&place.folder.path().join("data/master.key")), 0o600);
        let serving = place.serve("").await;
        let cli = place.cli(&serving, &made);
        let who = cli.json("whoami").await;
        assert_eq!((&who["org"]["id"], &who["org"]["name"]), (&made["org_id"], &"Acme".into()));
        assert_eq!(who["token"]["reach"].as_array().unwrap().len(), 5);
        for permission in ["token_management", "csp:org_owner", "csp:developer", "splunk:admin"] {
            assert!(who["permissions"].as_array().unwrap().contains(&permission.into()), "{who}");
        }
        serving.stop().await.exit(0);
    }

    async fn init_twice_is_refused_and_changes_nothing(place) {
        let made = place.init().await;
        let before = place.content().await;
        for data in ["data", "elsewhere"] {
            let line = format!("init --database DB --data {data} --org Other --admin other@acme.example --json");
            let again = place.run(&line).await.exit(5);
            assert_eq!((again.out.as_str(), &again.problem()["code"]), ("", &"conflict".into()));
        }
        assert!(place.content().await == before, "the database was changed");
        assert!(!place.folder.path().join("elsewhere/master.key").exists());
        let serving = place.serve("").await;
        assert_eq!(place.cli(&serving, &made).json("account list").await["items"].as_array().unwrap().len(), 1);
        serving.stop().await.exit(0);
    }

    async fn init_says_whether_secrets_can_be_shown_again(place) {
        let line = "init --database DB --data data --org Acme --admin a@acme.example --json --recoverable";
        let made = place.run(line).await.exit(0).json();
        let serving = place.serve("").await;
        assert_eq!(place.cli(&serving, &made).json("policy show").await["recoverable"], true);
        serving.stop().await.exit(0);
    }

    async fn a_name_that_will_not_do_makes_nothing(place) {
        for names in ["--org Acme --admin nobody", "--org \u{7} --admin a@acme.example"] {
            let refused = place.run(&format!("init --database DB --data data {names}")).await.exit(2);
            assert_eq!(refused.out, "");
        }
        assert!(!place.folder.path().join("data").exists());
        place.init().await;
    }

    async fn a_lost_or_wrong_master_key_is_one_message_and_no_change(place) {
        place.init().await;
        let before = place.content().await;
        let key = place.folder.path().join("data/master.key");
        let kept = place.folder.path().join("kept.key");
        std::fs::copy(&key, &kept).unwrap();
        let serve = "serve --database DB --data data --listen 127.0.0.1:0";
        std::fs::write(&key, "0123456789abcdef".repeat(4)).unwrap();
        let refused = place.run(serve).await.exit(5);
        assert!(refused.err.contains("sealed under the master key"), "{refused:?}");
        std::fs::remove_file(&key).unwrap();
        let refused = place.run(serve).await.exit(3);
        assert!(refused.err.contains("master key file data/master.key is missing"), "{refused:?}");
        assert_eq!(names(&place.folder.path().join("data")).iter().filter(|name| *name == "master.key").count(), 0);
        assert!(place.content().await == before, "the database was changed");
        std::fs::rename(&kept, &key).unwrap();
        place.serve("").await.stop().await.exit(0);
    }

    async fn a_locked_out_administrator_gets_a_new_password_offline(place) {
        let made = place.init().await;
        let serving = place.serve("").await;
        let cli = Cli::at(&serving.url, "");
        let sign_in = "login --email admin@acme.example";
        let session = cli.feed(sign_in, made["password"].as_str().unwrap()).await.exit(0).out;
        // The server may go on meanwhile.
        let reset = "account reset-password --database DB --data data --email Admin@Acme.example";
        let done = place.run(&format!("{reset} --json")).await.json();
        assert_eq!(done["sessions_ended"], 1);
        assert_eq!(Cli::at(&serving.url, session.trim()).run("whoami").await.code, 4);
        cli.feed(sign_in, made["password"].as_str().unwrap()).await.exit(4);
        cli.feed(sign_in, done["password"].as_str().unwrap()).await.exit(0);
        // A password of one's own, from a file; and one that is too short changes nothing.
        let file = place.folder.path().join("password");
        std::fs::write(&file, "short\n").unwrap();
        place.run(&format!("{reset} --password-file password")).await.exit(2);
        std::fs::write(&file, "a long enough one\n").unwrap();
        let told: Ran = place.run(&format!("{reset} --password-file password")).await.exit(0);
        assert!(!told.out.contains("a long enough one"), "{told:?}");
        cli.feed(sign_in, "a long enough one").await.exit(0);
        place.run("account reset-password --database DB --data data --email nobody@acme.example").await.exit(3);
        serving.stop().await.exit(0);
    }
}

#[tokio::test]
async fn without_an_installation_a_server_does_not_start() {
    let place = super::Place::new(tokenhouse_e2e::Backend::Sqlite).await.unwrap();
    let refused = place.run("serve --database DB --data data --listen 127.0.0.1:0").await.exit(1);
    assert!(refused.err.contains("tokenhouse init"), "{refused:?}");
    place.run("serve --database mysql://h/d").await.exit(1);
    assert_eq!(names(place.folder.path()), Vec::<String>::new());
}
