//! `config`, `completions`, `version`

use serde_json::Value;

use super::{Ran, command};

async fn with(line: &str, variables: &[(&str, &str)]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path(), line);
    command.envs(variables.iter().copied());
    Ran::of(command, "").await
}

const URL: (&str, &str) =
    ("TOKENHOUSE__DATABASE__URL", "postgres://house:hunter2@db.example/house?sslpassword=hunter2");

#[tokio::test]
async fn settings_are_shown_with_their_origin_and_without_passwords() {
    let shown = with("config show", &[URL]).await.exit(0);
    assert_eq!(shown.cell("http.listen").split_whitespace().collect::<Vec<_>>(), ["127.0.0.1:8080", "default"]);
    let as_json = with("config show --json", &[URL, ("TOKENHOUSE__HTTP__LISTEN", "[::]:80")]).await;
    for ran in [&shown, &as_json] {
        assert!(!ran.out.contains("hunter2") && !ran.err.contains("hunter2"), "{ran:?}");
    }
    let shown = as_json.json();
    assert_eq!((&shown["http.listen"]["value"], &shown["http.listen"]["from"]), (&"[::]:80".into(), &"env".into()));
    assert!(shown["database.url"]["value"].as_str().unwrap().contains("db.example"), "{shown}");
}

#[tokio::test]
async fn every_mistake_in_the_settings_is_found_at_once() {
    let wrong =
        [("TOKENHOUSE__HTTP__LISTEN", "here"), ("TOKENHOUSE__LOG__LEVEL", "loud"), ("TOKENHOUSE__NO__SUCH", "1")];
    let found = with("config check --database sqlite://t.db --json", &wrong).await.exit(1);
    let found: Value = serde_json::from_str(&found.out).unwrap();
    let keys: Vec<&str> = found["problems"].as_array().unwrap().iter().filter_map(|one| one["key"].as_str()).collect();
    assert_eq!((&found["ok"], keys.len()), (&false.into(), 3), "{found}");
    for key in ["http.listen", "log.level", "no.such"] {
        assert!(keys.contains(&key), "{found}");
    }
    with("config check", &[]).await.exit(1);
    with("config check --database sqlite://t.db", &[]).await.exit(0);
    assert_eq!(with("config check --database sqlite://t.db --json", &[]).await.json()["ok"], true);
    let refused = with("config check", &[(URL.0, "postgres://house:hunter2@")]).await.exit(1);
    assert!(!refused.err.contains("hunter2"), "{refused:?}");
}

#[tokio::test]
async fn the_default_file_is_a_settings_file() {
    let folder = tempfile::tempdir().unwrap();
    let text = Ran::of(command(folder.path(), "config default"), "").await.exit(0).out;
    std::fs::write(folder.path().join("house.toml"), text.replacen("url = \"\"", "url = \"sqlite://t.db\"", 1))
        .unwrap();
    Ran::of(command(folder.path(), "config check --config house.toml"), "").await.exit(0);
    let shown = Ran::of(command(folder.path(), "config show --config house.toml --json"), "").await.json();
    assert_eq!(shown["http.body_limit"]["from"], "file");
    std::fs::write(folder.path().join("house.toml"), "[http]\nlisten = 1\nlisen = \"x\"\n").unwrap();
    let refused = Ran::of(command(folder.path(), "config check --config house.toml"), "").await.exit(1);
    assert!(refused.err.contains("http.listen") && refused.err.contains("http.lisen"), "{refused:?}");
}

#[tokio::test]
async fn completions_and_version_need_nothing() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(with(&format!("completions {shell}"), &[]).await.exit(0).out.contains("reset-password"), "{shell}");
    }
    with("completions tcl", &[]).await.exit(2);
    let version = with("version --json", &[]).await.json();
    let version = version["version"].as_str().unwrap();
    assert!(with("version", &[]).await.exit(0).out.starts_with(&format!("tokenhouse {version}")));
    assert_eq!(with("--version", &[]).await.exit(0).out, format!("tokenhouse {version}\n"));
}
