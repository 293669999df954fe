//! `tokenhouse token rotate --self --write FILE`: what a script runs from cron.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokenhouse_e2e::{House, both};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::{Cli, mode, names};

const ROTATE: &str = "token rotate --self --write t";

/// A script with its own token in its own file, and nothing in its environment.
async fn script(house: &House, url: &str) -> (Cli, String) {
    let (_, secret) = house.service("script", &["member"]).await;
    let cli = Cli::at(url, "");
    std::fs::write(cli.file("t"), format!("{secret}\n")).unwrap();
    std::fs::set_permissions(cli.file("t"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    (cli, secret)
}

/// What the script's file holds now.
fn held(cli: &Cli, house: &House) -> String {
    let secret = cli.text("t").trim_end().to_owned();
    house.secret(&secret);
    secret
}

async fn rotations(house: &House) -> usize {
    house.events(0).await.iter().filter(|event| event["kind"] == "token.rotated").count()
}

/// A way to the house that loses the answers to the next so many rotations: they are carried out, and nobody learns it.
async fn lossy(house: &House, lose: usize) -> String {
    let to: SocketAddr = house.url.trim_start_matches("http://").parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let lose = Arc::new(AtomicUsize::new(lose));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let lose = lose.clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(to).await.unwrap();
                let mut head = vec![0; 16_384];
                let read = client.read(&mut head).await.unwrap();
                head.truncate(read);
                server.write_all(&head).await.unwrap();
                let rotation =
                    String::from_utf8_lossy(&head).lines().next().is_some_and(|line| line.contains("/rotate "));
                let lost = rotation
                    && lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
                if !lost {
                    _ = copy_bidirectional(&mut client, &mut server).await;
                    return;
                }
                let (mut from_client, (mut from_server, mut to_server)) = (client, server.split());
                tokio::select! {
                    _ = copy(&mut from_client, &mut to_server) => {}
                    _ = from_server.read(&mut head) => {}
                }
            });
        }
    });
    url
}

both! {
    async fn the_file_is_replaced_and_the_old_secret_overlaps(house) {
        let (cli, first) = script(house, &house.url).await;
        let ran = cli.run(ROTATE).await.exit(0);
        let second = held(&cli, house);
        assert_ne!(first, second);
        assert!(!ran.out.contains(&second) && !ran.err.contains(&second), "{ran:?}");
        assert!(ran.err.contains("had mode 0644"), "{ran:?}");
        assert_eq!((mode(&cli.file("t")), names(cli.folder.path())), (0o600, vec!["t".to_owned()]));
        assert_eq!((house.verdict(&first).await, house.verdict(&second).await), ("good".into(), "good".into()));
        // Again, as cron does.
        let answer = cli.json(ROTATE).await;
        assert!(answer.get("secret").is_none(), "{answer}");
        let third = held(&cli, house);
        assert_eq!((house.verdict(&third).await, rotations(house).await), ("good".into(), 2));
        house.wait(61);
        assert_eq!((house.verdict(&first).await, house.verdict(&second).await), ("rotated".into(), "rotated".into()));
        assert_eq!(house.verdict(&third).await, "good");
        cli.run("token rotate --self --write t --overlap 0").await.exit(0);
        assert_eq!((house.verdict(&third).await, house.verdict(&held(&cli, house)).await), ("rotated".into(), "good".into()));
    }

    async fn a_lost_answer_is_asked_for_again_under_the_same_key(house) {
        let url = lossy(house, 2).await;
        let (cli, first) = script(house, &url).await;
        cli.run(ROTATE).await.exit(0);
        let second = held(&cli, house);
        assert_ne!(first, second);
        assert_eq!((house.verdict(&second).await, rotations(house).await), ("good".into(), 1));
        assert_eq!(names(cli.folder.path()), ["t"]);
    }

    async fn a_run_that_was_killed_is_finished_by_the_next(house) {
        let url = lossy(house, usize::MAX).await;
        let (cli, first) = script(house, &url).await;
        let mut child = cli.command(ROTATE).stderr(std::process::Stdio::null()).spawn().unwrap();
        while rotations(house).await == 0 {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        }
        child.kill().await.unwrap();
        assert_eq!(cli.text("t").trim_end(), first, "the script's file must stay good");
        assert_eq!(house.verdict(&first).await, "good");
        let left = names(cli.folder.path());
        assert!(left.contains(&".t.rotation".to_owned()), "{left:?}");
        let cli = Cli { url: house.url.clone(), ..cli };
        cli.run(ROTATE).await.exit(0);
        assert_eq!((house.verdict(&held(&cli, house)).await, rotations(house).await), ("good".into(), 1));
        assert_eq!(names(cli.folder.path()), ["t"]);
        cli.run(ROTATE).await.exit(0);
        assert_eq!((house.verdict(&held(&cli, house)).await, rotations(house).await), ("good".into(), 2));
    }

    async fn two_at_once_do_not_lose_the_token(house) {
        let (cli, _) = script(house, &house.url).await;
        let ends = futures::future::join_all((0..4).map(|_| cli.run(ROTATE))).await;
        assert!(ends.iter().all(|ran| [0, 5].contains(&ran.code)), "{ends:?}");
        let done = ends.iter().filter(|ran| ran.code == 0).count();
        assert!(done >= 1 && rotations(house).await == done, "{ends:?}");
        assert_eq!(house.verdict(&held(&cli, house)).await, "good");
        assert_eq!(names(cli.folder.path()), ["t"]);
    }

    async fn what_is_refused_leaves_the_file_as_it_was(house) {
        let (cli, secret) = script(house, &house.url).await;
        let (other, _) = house.issue(&house.admin, json!({})).await;
        for (line, code) in [
            ("token rotate --self --write none/t", 1),
            (&*format!("token rotate {other} --token-file t --write t"), 3),
            ("token rotate --self --write t --overlap 400d", 2),
        ] {
            cli.run(line).await.exit(code);
            assert_eq!((cli.text("t").trim_end(), names(cli.folder.path())), (&*secret, vec!["t".to_owned()]), "{line}");
        }
        // The administrator's token in the environment must not end up in the script's file.
        let admin = Cli { token: house.admin.clone(), ..cli };
        let refused = admin.run(ROTATE).await.exit(2);
        assert!(refused.err.contains("holds another token"), "{refused:?}");
        assert_eq!((admin.text("t").trim_end(), rotations(house).await), (&*secret, 0));
        assert_eq!(house.verdict(&secret).await, "good");
        let revoked = Cli { token: String::new(), ..admin };
        house.post(&secret, "/v1/tokens/self/revoke", json!({})).await.expect(200);
        revoked.run(ROTATE).await.exit(4);
        assert_eq!(revoked.text("t").trim_end(), secret);
    }

    async fn somebody_elses_token_is_rotated_into_a_file(house) {
        let cli = Cli::of(house);
        house.service("ci", &["verifier"]).await;
        let tokens = cli.json("token list --owner sa::ci").await;
        let id = tokens["items"][0]["id"].as_str().unwrap();
        cli.run(&format!("token rotate {id} --write t")).await.exit(0);
        assert_eq!((house.verdict(&held(&cli, house)).await, mode(&cli.file("t"))), ("good".into(), 0o600));
        assert_eq!(house.verdict(&house.admin).await, "good");
    }
}
