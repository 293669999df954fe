//! `tokenhouse quickstart`

use super::{Cli, Ran, Serving, command, names, shell, taken};

const LINE: &str = "quickstart --data data --listen 127.0.0.1:0";

async fn start(folder: &std::path::Path) -> Serving {
    Serving::start(command(folder, LINE)).await
}

fn printed(serving: &Serving) -> Ran {
    Ran { code: 0, out: serving.out(), err: String::new() }
}

#[tokio::test]
async fn it_prints_a_token_and_two_curl_lines_that_work_as_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let serving = start(folder.path()).await;
    let said = printed(&serving);
    assert_eq!(said.cell("server"), serving.url);
    let token = said.cell("token").to_owned();
    assert!(token.starts_with("th_u_"), "{said:?}");
    let commands = said.out.replace("\\\n", " ");
    let lines: Vec<&str> = commands.lines().map(str::trim).filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(lines.len(), 2, "{said:?}");
    let who = shell(&format!("{} -sS --fail", lines[0])).await.json();
    assert_eq!(who["account"]["identifier"], said.cell("sign-in"));
    let issued = shell(&format!("{} -sS --fail", lines[1])).await.json();
    assert_eq!(issued["name"], "my first token");
    let second = Cli::at(&serving.url, issued["secret"].as_str().unwrap());
    assert_eq!(second.json("whoami").await["token"]["id"], issued["id"]);
    let log = serving.log();
    for secret in [token.as_str(), said.cell("password"), second.token.as_str()] {
        assert!(!log.contains(secret), "{log}");
    }
    assert_eq!(serving.stop().await.code, 0);
}

#[tokio::test]
async fn run_again_it_goes_on_with_the_same_data_and_prints_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path()).await;
    let (token, password) = (printed(&first).cell("token").to_owned(), printed(&first).cell("password").to_owned());
    first.stop().await.exit(0);
    let second = start(folder.path()).await;
    let said = printed(&second);
    assert!(!said.out.contains(&token) && !said.out.contains("th_u_") && !said.out.contains(&password), "{said:?}");
    assert_eq!(Cli::at(&second.url, &token).json("whoami").await["org"]["name"], "main");
    // What it says about signing in again is true.
    let cli = Cli::at(&second.url, "");
    let login = said.cell("tokenhouse login").to_owned();
    let session = cli.feed(&format!("login {login}"), &password).await.exit(0).out;
    assert_eq!(Cli::at(&second.url, session.trim()).json("whoami").await["token"]["kind"], "session");
    let reset = said.cell("tokenhouse account reset-password").to_owned();
    second.stop().await.exit(0);
    let line = format!("account reset-password {reset} --json");
    let reset = Ran::of(command(folder.path(), &line), "").await.json();
    assert_eq!(reset["sessions_ended"], 1);
}

#[tokio::test]
async fn with_recoverable_the_list_of_tokens_shows_a_secret_again() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(command(folder.path(), &format!("{LINE} --recoverable"))).await;
    let token = printed(&serving).cell("token").to_owned();
    let list = format!("curl -sS --fail -H 'X-AUTH-TOKEN: {token}' {}/api/v2/apitoken", serving.url);
    let made = shell(&format!("{list} -X POST")).await.json();
    assert_eq!(shell(&list).await.json()["response"][1]["tokenID"], made["response"][1]["tokenID"]);
    serving.stop().await.exit(0);
    // On what is there already it changes nothing, and says so.
    let again = Serving::start(command(folder.path(), &format!("{LINE} --recoverable"))).await;
    assert!(printed(&again).out.contains("tokenhouse policy set --recoverable true"));
    let off = Cli::at(&again.url, &token).json("policy set --recoverable false").await;
    assert_eq!(off["recoverable"], false);
    again.stop().await.exit(0);
}

#[tokio::test]
async fn a_taken_port_is_told_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let (_held, address) = taken();
    let line = format!("quickstart --data data --listen {address}");
    let refused = Ran::of(command(folder.path(), &line), "").await.exit(1);
    assert!(refused.err.contains("http.listen") && refused.err.contains(&address), "{refused:?}");
    assert_eq!((refused.out.as_str(), names(folder.path())), ("", Vec::new()));
}

#[tokio::test]
async fn a_making_that_was_cut_short_is_made_whole_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path()).await.stop().await.exit(0);
    // As if killed between the schema and the first org.
    let database = folder.path().join("data/tokenhouse.db");
    let fresh = tempfile::tempdir().unwrap();
    let key = std::fs::read_to_string(folder.path().join("data/master.key")).unwrap();
    let location =
        tokenhouse_store::Location::parse(&format!("sqlite://{}", fresh.path().join("t.db").display())).unwrap();
    let key = tokenhouse_store::MasterKey::parse(&key, "test").unwrap();
    let (clock, random) = (tokenhouse_model::env::Clock::system(), tokenhouse_model::env::Random::system());
    tokenhouse_store::Store::create(&location, &key, &clock, &random).await.unwrap();
    for ending in ["", "-wal", "-shm"] {
        _ = std::fs::remove_file(format!("{}{ending}", database.display()));
        _ = std::fs::copy(
            format!("{}{ending}", fresh.path().join("t.db").display()),
            format!("{}{ending}", database.display()),
        );
    }
    let serving = start(folder.path()).await;
    let token = printed(&serving).cell("token").to_owned();
    Cli::at(&serving.url, &token).run("whoami").await.exit(0);
    serving.stop().await.exit(0);
}
