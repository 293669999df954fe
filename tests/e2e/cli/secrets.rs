//! Secrets are never taken from arguments, and never written where they do not belong.

use serde_json::json;
use tokenhouse_e2e::{PASSWORD, both};

use super::{Cli, mode, names};

both! {
    async fn a_secret_as_an_argument_is_refused_and_not_repeated(house) {
        let cli = Cli::of(house);
        let (_, secret) = house.issue(&house.admin, json!({})).await;
        let before = house.events(0).await.len();
        for line in [
            format!("whoami --token {secret}"),
            format!("verify {secret}"),
            format!("token show {secret}"),
            format!("token revoke {secret} --yes"),
            "account create b@example.test --password hunter2hunter2".to_owned(),
            "login --email admin@example.test --password=hunter2hunter2".to_owned(),
            "account password admin@example.test --password hunter2hunter2".to_owned(),
        ] {
            let refused = cli.run(&line).await.exit(2);
            assert!(refused.err.contains("as an argument"), "{refused:?}");
            assert!(!refused.err.contains(&secret) && !refused.err.contains("hunter2"), "{refused:?}");
        }
        assert_eq!(house.events(0).await.len(), before);
        assert_eq!(house.verdict(&secret).await, "good");
    }

    async fn a_secret_is_alone_on_standard_output(house) {
        let cli = Cli::of(house);
        let ran = cli.run("token issue --name ci").await.exit(0);
        let secret = ran.out.trim_end().to_owned();
        house.secret(&secret);
        assert!(!secret.contains(char::is_whitespace) && !ran.err.contains(&secret), "{ran:?}");
        assert_eq!(house.verdict(&secret).await, "good");
    }

    async fn a_secret_in_a_file_is_private_and_printed_nowhere(house) {
        let cli = Cli::of(house);
        let ran = cli.run("token issue --name ci --write t").await.exit(0);
        let first = cli.text("t").trim_end().to_owned();
        house.secret(&first);
        assert_eq!((house.verdict(&first).await.as_str(), mode(&cli.file("t"))), ("good", 0o600));
        assert!(!ran.out.contains(&first) && !ran.err.contains(&first), "{ran:?}");
        // A file that is there is not lost by accident, nor is a token made for nothing.
        let before = house.events(0).await.len();
        cli.run("token issue --write t").await.exit(2);
        cli.run("token issue --write none/t").await.exit(1);
        assert_eq!((house.events(0).await.len(), cli.text("t")), (before, format!("{first}\n")));
        let second = cli.json("token issue --write t --force").await;
        assert!(second.get("secret").is_none(), "{second}");
        house.secret(cli.text("t").trim_end());
        assert_ne!(cli.text("t").trim_end(), first);
        assert_eq!(names(cli.folder.path()), ["t"]);
    }

    async fn passwords_come_from_standard_input_or_a_file(house) {
        let cli = Cli::of(house);
        house.secret(PASSWORD);
        cli.feed("account create b@example.test --with-password", &format!("{PASSWORD}\n")).await.exit(0);
        std::fs::write(cli.file("p"), PASSWORD).unwrap();
        let cli_b = Cli::at(&house.url, "");
        let ran = cli_b.feed("login --email b@example.test --write s", PASSWORD).await.exit(0);
        assert_eq!((ran.cell("Kind"), mode(&cli_b.file("s"))), ("session", 0o600));
        house.secret(cli_b.text("s").trim_end());
        let session = cli.run("login --email b@example.test --password-file p").await.exit(0).out;
        house.secret(session.trim_end());
        // The two lines of standard input: the new one, then the present one.
        let own = Cli::at(&house.url, session.trim_end());
        house.secret("another long password");
        own.feed("account password b@example.test --current", &format!("another long password\n{PASSWORD}\n")).await.exit(0);
        cli.feed("login --email b@example.test", PASSWORD).await.exit(4);
        assert_eq!(house.sign_in("b@example.test", "another long password").await.len(), 41);
        // The one that changed it goes on; the other session ended; this one ends here.
        let logout = own.run("logout").await.exit(0);
        assert_eq!(logout.cell("State"), "revoked");
        own.run("whoami").await.exit(4);
        Cli::at(&house.url, cli_b.text("s").trim_end()).run("whoami").await.exit(4);
        Cli::of(house).run("logout").await.exit(4);
    }
}
