//! The gate's settings, in the real program.

use tokenhouse_e2e::{Answer, Backend, Program, both_programs};

use super::{BAD, SHORT, passes, refused};

fn free() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn set(program: &mut Program, settings: &[(&str, &str)]) {
    program.environment = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
}

const LISTEN: &str = "TOKENHOUSE__GATE__LISTEN";
const ORG: &str = "TOKENHOUSE__GATE__ORG";
const RULES: &str = "TOKENHOUSE__GATE__RULES";

async fn ask(address: &str, token: &str, uri: &str) -> Answer {
    let request = reqwest::Client::new().get(format!("http://{address}/gate")).bearer_auth(token);
    let request = request.header("x-forwarded-method", "GET").header("x-forwarded-uri", uri);
    Answer::read(request.send().await.unwrap()).await
}

both_programs! {
    async fn it_listens_by_rules_for_the_org_of_the_settings_and_stops_with_the_program(program) {
        program.stop().await;
        let (address, rules) = (free(), program.folder.path().join("gate.toml"));
        std::fs::write(&rules, "[[rule]]\npath = \"/a/*\"\npermission = \"house:read\"\n").unwrap();
        set(program, &[(LISTEN, &address), (ORG, "First"), (RULES, rules.to_str().unwrap())]);
        program.start().await;
        passes(&ask(&address, &program.admin, "/a/b").await);
        refused(&ask(&address, &program.admin, "/b").await, 403, SHORT);
        refused(&ask(&address, "junk", "/a/b").await, 401, BAD);
        let elsewhere = reqwest::get(format!("http://{address}/healthz/ready")).await.unwrap();
        assert_eq!(elsewhere.status().as_u16(), 404);
        program.stop().await;
        assert!(tokio::net::TcpStream::connect(&address).await.is_err());
        // By id.
        let org = program.log().split("\"org\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        set(program, &[(LISTEN, &address), (ORG, &org)]);
        program.start().await;
        passes(&ask(&address, &program.admin, "/anything").await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_stop_the_start_and_are_found_by_the_check() {
    let mut program = Program::init(Backend::Sqlite).await.unwrap();
    let rules = program.folder.path().join("gate.toml");
    std::fs::write(&rules, "[[rule]]\npath = \"/a\"\n\n[[rule]]\npath = \"b\"\nkinds = [\"robot\"]\n").unwrap();
    set(&mut program, &[(RULES, rules.to_str().unwrap())]);
    let checked = program.run(&["config", "check"]).await;
    assert_eq!(checked.code, 1, "{checked:?}");
    for said in ["gate.toml, line 5: path must begin with a slash", "gate.toml, line 6: kinds must be some of"] {
        assert!(checked.err.contains(said), "{checked:?}");
    }
    let started = program.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert!(started.code == 1 && started.err.contains("gate.toml, line 5: "), "{started:?}");
    let address = free();
    set(&mut program, &[(LISTEN, &address), (ORG, "second")]);
    let started = program.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert!(started.code == 1 && started.err.contains("gate.org: there is no org \"second\""), "{started:?}");
    let taken = std::net::TcpListener::bind(&address).unwrap();
    set(&mut program, &[(LISTEN, &address), (ORG, "first")]);
    let started = program.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert!(started.code == 1 && started.err.contains(&format!("gate.listen: {address}: ")), "{started:?}");
    drop(taken);
    program.close().await;
}
