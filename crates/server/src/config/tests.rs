use std::collections::BTreeSet;

use super::rules::RULES;
use super::*;

fn sources(file: &str, environment: &[(&str, &str)], flags: Vec<Flag>) -> (tempfile::TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenhouse.toml");
    std::fs::write(&path, file).unwrap();
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    (folder, Sources { file: Some(path), environment, flags })
}

fn load(file: &str, environment: &[(&str, &str)], flags: Vec<Flag>) -> Result<Config, Faults> {
    let (_folder, sources) = sources(file, environment, flags);
    Config::load(&sources)
}

const URL: (&str, &str) = ("TOKENHOUSE__DATABASE__URL", "sqlite:///srv/th/house.db");

fn faults(file: &str) -> String {
    load(file, &[URL], vec![]).unwrap_err().to_string()
}

#[test]
fn defaults_are_complete_and_hold() {
    let config = load("", &[URL], vec![]).unwrap();
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.http.body_limit, 1 << 20);
    assert_eq!(config.http.public_url, None);
    assert_eq!(config.http.tls, None);
    assert_eq!(config.data.dir, PathBuf::from("/srv/th"));
    assert_eq!(config.ledger.journal, PathBuf::from("/srv/th/journal"));
    assert_eq!(config.log.format, LogFormat::Text);
}

#[test]
fn every_key_has_a_rule_and_every_rule_a_key() {
    let layers = Layers::read(&Sources::default());
    let keys: BTreeSet<&str> = layers.shown().map(|(key, ..)| key).collect();
    let ruled: BTreeSet<&str> = RULES.iter().map(|rule| rule.key).collect();
    assert_eq!(keys, ruled);
    // The only default that does not hold is the one that must be given.
    let faults = layers.config().unwrap_err().0;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(
        faults[0].to_string(),
        "database.url: nothing given (default); allowed: sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME"
    );
}

#[test]
fn later_layers_win_and_say_where_they_come_from() {
    let file = "[http]\nlisten = \"127.0.0.1:1\"\nbody_limit = 2048\n[log]\nlevel = \"warn\"\n";
    let environment = [URL, ("TOKENHOUSE__HTTP__LISTEN", "127.0.0.1:2"), ("TOKENHOUSE__LOG__LEVEL", "error")];
    let flags = vec![Flag { key: "http.listen", name: "--listen", value: "127.0.0.1:3".into() }];
    let (folder, sources) = sources(file, &environment, flags);
    let layers = Layers::read(&sources);
    let config = layers.config().unwrap();
    assert_eq!(config.http.listen.port(), 3);
    assert_eq!(config.http.body_limit, 2048);
    assert_eq!(config.log.level, "error");
    let origin = |wanted: &str| layers.shown().find(|(key, ..)| *key == wanted).unwrap().2.clone();
    assert_eq!(origin("http.listen"), Origin::Flag("--listen"));
    assert_eq!(origin("http.body_limit"), Origin::File(folder.path().join("tokenhouse.toml")));
    assert_eq!(origin("log.level"), Origin::Environment("TOKENHOUSE__LOG__LEVEL".into()));
    assert_eq!(origin("log.format"), Origin::Default);
}

#[test]
fn the_environment_reaches_nested_keys_numbers_and_lists() {
    let environment = [
        URL,
        ("TOKENHOUSE__HTTP__TLS__CERTIFICATE", "/c.pem"),
        ("TOKENHOUSE__HTTP__TLS__KEY", "/k.pem"),
        ("TOKENHOUSE__HTTP__TRUSTED_PROXIES", "10.0.0.0/8, ::1,"),
        ("TOKENHOUSE__USAGE__FLUSH_SECONDS", "9"),
        // A client's variables are no settings of the server.
        ("TOKENHOUSE_TOKEN", "th_u_x"),
    ];
    let config = load("", &environment, vec![]).unwrap();
    assert_eq!(config.http.tls.unwrap().key, PathBuf::from("/k.pem"));
    assert_eq!(config.http.trusted_proxies.len(), 2);
    assert_eq!(config.http.trusted_proxies[1].to_string(), "::1/128");
    assert_eq!(config.usage.flush_seconds, 9);
}

#[test]
fn unknown_keys_are_named_with_a_suggestion() {
    let said = faults("[http]\nlisten_on = 1\nlistn = \"x\"\nzzz = 1\n[database]\nlisten = 1\n[htp]\n");
    assert!(said.contains("http.listn: unknown key (file "), "{said}");
    assert!(said.contains("did you mean http.listen?"), "{said}");
    assert!(said.contains("database.listen: unknown key") && said.matches("did you mean http.listen?").count() >= 2);
    assert!(said.lines().any(|line| line.starts_with("http.zzz: ") && !line.contains("did you mean")), "{said}");
    assert!(said.contains("htp: unknown key"), "{said}");
    let said = faults("http = 1\n");
    assert!(said.contains("http is a section, its keys are http.body_limit,"), "{said}");
    let said = load("", &[URL, ("TOKENHOUSE__HTTP__LISTN", "x")], vec![]).unwrap_err().to_string();
    assert!(said.contains("(env TOKENHOUSE__HTTP__LISTN); did you mean http.listen?"), "{said}");
}

#[test]
fn every_bad_value_is_named_with_what_was_given_and_what_is_allowed() {
    let bad = [
        ("database", "connections = 0", "database.connections: 0 given"),
        ("database", "connections = \"many\"", "database.connections: \"many\" given"),
        ("http", "listen = \"localhost\"", "http.listen: \"localhost\" given"),
        ("http", "public_url = \"ftp://x\"", "http.public_url: "),
        ("http", "public_url = \"https://u:p@x\"", "http.public_url: "),
        ("http", "body_limit = 100", "http.body_limit: 100 given"),
        ("http", "request_timeout_seconds = 601", "http.request_timeout_seconds: 601 given"),
        ("http", "connections = -1", "http.connections: -1 given"),
        ("http", "trusted_proxies = [\"10.0.0.0/33\"]", "http.trusted_proxies: [\"10.0.0.0/33\"] given"),
        ("http", "trusted_proxies = \"10.0.0.0/8\"", "http.trusted_proxies: "),
        ("http", "forwarded_header = \"x-real-ip\"", "allowed: x-forwarded-for or forwarded"),
        ("http.tls", "certificate = \"/c.pem\"", "http.tls.key: nothing given, but http.tls.certificate is"),
        ("http.tls", "key = \"/k.pem\"", "http.tls.certificate: nothing given"),
        ("gate", "listen = \"9190\"\norg = \"x\"", "gate.listen: \"9190\" given"),
        ("gate", "listen = \"127.0.0.1:9190\"", "gate.org: nothing given, but gate.listen is"),
        ("gate", "org = \"x\"", "gate.listen: nothing given, but gate.org is"),
        ("keys", "master_env = \"A-B\"", "keys.master_env: "),
        ("keys", "master_env = \"A\"\nmaster_file = \"b\"", "keys.master_file: given beside keys.master_env"),
        ("ledger", "checkpoint_events = 0", "ledger.checkpoint_events: 0 given"),
        ("ledger", "checkpoint_seconds = 1.5", "ledger.checkpoint_seconds: 1.5 given"),
        ("log", "format = \"xml\"", "allowed: text or json"),
        ("log", "level = \"loud\"", "log.level: \"loud\" given"),
        ("log", "level = \"info,h2=trace\"", "log.level: "),
        ("usage", "flush_seconds = 0", "usage.flush_seconds: 0 given"),
        ("shutdown", "drain_seconds = 601", "shutdown.drain_seconds: 601 given"),
    ];
    for (section, line, expected) in bad {
        let said = faults(&format!("[{section}]\n{line}\n"));
        assert!(said.contains(expected), "{line}: {said}");
        assert_eq!(said.lines().count(), 1, "{line}: {said}");
        assert!(said.contains("allowed: "), "{line}: {said}");
    }
}

#[test]
fn all_faults_are_found_at_once() {
    let said = faults("[http]\nlisten = \"x\"\nnope = 1\n[log]\nformat = 3\n");
    assert_eq!(said.lines().count(), 3, "{said}");
}

#[test]
fn a_missing_or_broken_file_is_a_fault() {
    let sources = Sources { file: Some("/nowhere/t.toml".into()), ..Sources::default() };
    assert!(Config::load(&sources).unwrap_err().to_string().contains("file /nowhere/t.toml can't be read"));
    let said = faults("[log]\nlevel = \"info\"\n[database]\nurl = \"postgres://u:hunter2@h/d\n");
    assert!(said.contains("line 4") && !said.contains("hunter2"), "{said}");
}

#[test]
fn the_password_of_the_database_is_never_shown() {
    let secret = "hunter2";
    let urls = [
        "postgres://th:hunter2@db.example/th",
        "postgres://db.example/th?user=th&password=hunter2&sslmode=require",
        "postgresql://th:hunter2@db.example/th?sslpassword=hunter2",
    ];
    for url in urls {
        let (_folder, sources) = sources("", &[("TOKENHOUSE__DATABASE__URL", url), ("HOME", "/home/th")], vec![]);
        let layers = Layers::read(&sources);
        let config = layers.config().unwrap();
        let all = format!("{config:?} {} {:?}", config.database.url, layers.shown().collect::<Vec<_>>());
        assert!(!all.contains(secret), "{all}");
        assert!(all.contains("db.example"), "{all}");
        assert_eq!(config.database.url.expose(), url);
        assert_eq!(config.data.dir, PathBuf::from("/home/th/.local/state/tokenhouse"));
    }
    let wrong =
        ["mysql://th:hunter2@h/d", "postgres//th:hunter2@h/d", "hunter2", "postgres:th:hunter2@h", "[\"hunter2\"]"];
    for url in wrong {
        let said = load("", &[("TOKENHOUSE__DATABASE__URL", url)], vec![]).unwrap_err().to_string();
        assert!(said.starts_with("database.url: ") && !said.contains(secret), "{said}");
    }
    let said = load("[database]\nurl = [\"hunter2\"]\n", &[], vec![]).unwrap_err().to_string();
    assert!(said.starts_with("database.url: not a text given") && !said.contains(secret), "{said}");
}

#[test]
fn the_data_folder_follows_the_database() {
    let folder = |url: &str, environment: &[(&str, &str)]| {
        let all: Vec<(&str, &str)> = environment.iter().copied().chain([("TOKENHOUSE__DATABASE__URL", url)]).collect();
        load("", &all, vec![]).unwrap().data.dir.display().to_string()
    };
    assert_eq!(folder("sqlite://house.db", &[]), ".");
    assert_eq!(folder("sqlite://data/house.db", &[]), "data");
    let pg = "postgres://h/d";
    assert_eq!(folder(pg, &[]), "/var/lib/tokenhouse");
    assert_eq!(folder(pg, &[("HOME", "/h"), ("XDG_STATE_HOME", "/s")]), "/s/tokenhouse");
    assert_eq!(folder(pg, &[("HOME", "/h"), ("XDG_STATE_HOME", "relative")]), "/h/.local/state/tokenhouse");
    for url in ["sqlite://", "sqlite://:memory:", "sqlite:///a.db?mode=ro", "sqlite:///folder/"] {
        assert!(load("", &[("TOKENHOUSE__DATABASE__URL", url)], vec![]).is_err(), "{url}");
    }
}

#[test]
fn the_public_address_is_made_from_the_bound_one() {
    let http = load("", &[URL], vec![]).unwrap().http;
    assert_eq!(http.base_url("0.0.0.0:81".parse().unwrap()), "http://127.0.0.1:81");
    assert_eq!(http.base_url("[::]:81".parse().unwrap()), "http://[::1]:81");
    assert_eq!(http.base_url("10.1.1.1:81".parse().unwrap()), "http://10.1.1.1:81");
    let given = load("[http]\npublic_url = \"https://th.example/\"\n", &[URL], vec![]).unwrap().http;
    assert_eq!(given.base_url("10.1.1.1:81".parse().unwrap()), "https://th.example");
}
