use super::*;

fn parse(line: &str) -> Result<Cli, String> {
    Cli::try_parse_from(line.split(' ')).map_err(|error| error.to_string())
}

fn failure(line: &str) -> Failure {
    let cli = parse(line).unwrap();
    dispatch(cli.command, &cli.connection, Output { json: cli.json }).unwrap_err()
}

#[test]
fn the_commands_fit_together() {
    Cli::command().debug_assert();
    let help = Cli::command().render_long_help().to_string();
    assert!(help.contains("7  verify: the credential is not active"), "{help}");
}

#[test]
fn the_documented_lines_are_understood() {
    for line in [
        "tokenhouse quickstart --data d --listen 127.0.0.1:0",
        "tokenhouse init --database sqlite://x.db --org Acme --admin a@acme.example --data d --json",
        "tokenhouse serve --config f --database postgres://h/d --listen 0.0.0.0:80 --data d",
        "tokenhouse ledger verify --database sqlite://x.db --journal j",
        "tokenhouse account reset-password --database sqlite://x.db --email a@acme.example",
        "tokenhouse --json token list --all --owner sa::ci --kind service --state active",
        "tokenhouse token issue --name ci --owner sa::ci --scope house:read,house:verify --lifetime 30d --idle 7d --write f --json",
        "tokenhouse token issue --expires 2027-01-01 --cidr 10.0.0.0/8 --cidr ::1",
        "tokenhouse token expire self never",
        "tokenhouse token rotate --self --write f --overlap 1h",
        "tokenhouse token rotate 019 --overlap 0",
        "tokenhouse token revoke 019 --yes",
        "tokenhouse account delete sa::ci --dry-run",
        "tokenhouse account assign a@b.c operator --expires 90d",
        "tokenhouse role update r --no-permissions",
        "tokenhouse policy set --kind user --max-lifetime 90d --max-idle none",
        "tokenhouse verify --file f --permission p --address 10.0.0.1",
        "tokenhouse login --email a@b.c --write f",
        "tokenhouse ledger export --format csv --after 7",
        "tokenhouse config check --config f",
        "tokenhouse config show --json",
        "tokenhouse completions bash",
        "tokenhouse version --json",
    ] {
        assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).err());
    }
    for line in [
        "tokenhouse",
        "tokenhouse token rotate",
        "tokenhouse token rotate 019 --self",
        "tokenhouse token rotate --self --keep-mode",
        "tokenhouse token revoke 019 --yes --dry-run",
        "tokenhouse token issue --lifetime 30d --expires never",
        "tokenhouse token issue --lifetime 30",
        "tokenhouse token list --all --cursor c",
        "tokenhouse token list --limit 1001",
        "tokenhouse group update g",
        "tokenhouse policy set",
        "tokenhouse policy set --limit 3",
        "tokenhouse policy set --file f --recoverable true",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn secrets_among_the_arguments_are_refused_and_not_repeated() {
    let secret = "th_u_0123456789abcdefghijABCDEFGHIJ012345";
    for line in [
        "tokenhouse whoami --token SECRET",
        "tokenhouse whoami --token=SECRET",
        "tokenhouse verify SECRET",
        "tokenhouse login --email a@b.c --password SECRET",
        "tokenhouse account create a@b.c --password=SECRET",
        "tokenhouse account password a@b.c --password SECRET",
        "tokenhouse token revoke SECRET --yes",
        "tokenhouse token show 2ad7b2f4-5f09-4b1c-9c3e-1b2c3d4e5f60",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "th_u_own\n").unwrap();
        let mut line = line.replace("SECRET", secret);
        if !line.contains("--token") {
            line = format!("{line} --url http://127.0.0.1:9 --token-file {}", file.display());
        }
        let failure = failure(&line);
        assert_eq!(failure.exit(), 2, "{line}: {failure}");
        assert!(failure.to_string().contains("as an argument"), "{line}: {failure}");
        assert!(!failure.to_string().contains(secret), "{failure}");
    }
}

#[test]
fn a_server_that_is_not_there_is_exit_6() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "th_u_own\n").unwrap();
    let failure = failure(&format!("tokenhouse whoami --url http://127.0.0.1:9 --token-file {}", file.display()));
    assert_eq!(failure.exit(), 6, "{failure}");
    assert!(failure.to_string().contains("refused"), "the cause must be told: {failure}");
}
