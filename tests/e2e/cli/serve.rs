//! `tokenhouse serve`

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use super::{Cli, Ran, command, places, taken};

places! {
    async fn it_is_ready_and_ends_well_on_sigterm(place) {
        let made = place.init().await;
        let serving = place.serve("").await;
        let ready = reqwest::get(format!("{}/healthz/ready", serving.url)).await.unwrap();
        assert_eq!(ready.status(), 200);
        place.cli(&serving, &made).run("token issue --name kept").await.exit(0);
        let ended = serving.stop().await.exit(0);
        assert!(ended.err.contains("stopped requests_cut=0"), "{ended:?}");
        // What was acknowledged is there.
        let serving = place.serve("").await;
        let tokens = place.cli(&serving, &made).json("token list").await;
        assert_eq!(tokens["items"][1]["name"], "kept");
        serving.stop().await.exit(0);
    }

    async fn a_request_in_progress_is_answered_before_the_end(place) {
        let made = place.init().await;
        let mut serving = place.serve("").await;
        let mut stream = TcpStream::connect(serving.address()).unwrap();
        let body = r#"{"name":"late"}"#;
        let head = format!(
            "POST /v1/tokens HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            made["token"].as_str().unwrap(),
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // The server is at this request once it has taken a later one.
        reqwest::get(format!("{}/healthz/live", serving.url)).await.unwrap();
        serving.terminate().await;
        serving.until(|serving| TcpStream::connect(serving.address()).is_err().then_some(())).await;
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        serving.ended().await.exit(0);
    }
}

#[tokio::test]
async fn a_taken_port_and_an_unknown_setting_are_told() {
    let place = super::Place::new(tokenhouse_e2e::Backend::Sqlite).await.unwrap();
    place.init().await;
    let (_held, address) = taken();
    let refused = place.run(&format!("serve --database DB --data data --listen {address}")).await.exit(1);
    assert!(refused.err.contains("http.listen"), "{refused:?}");
    let mut misspelt = place.command("serve --database DB --data data --listen 127.0.0.1:0");
    misspelt.env("TOKENHOUSE__HTTP__LISTENS", "x");
    let refused = Ran::of(misspelt, "").await.exit(1);
    assert!(refused.err.contains("http.listens") && refused.err.contains("did you mean http.listen?"), "{refused:?}");
}

/// Writes a fresh certificate and its key, the key first, and gives back the certificate.
fn certify(folder: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    made.cert.pem()
}

async fn trusted(url: &str, certificate: &str) -> bool {
    let root = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap();
    client.get(format!("{url}/healthz/live")).send().await.is_ok_and(|answer| answer.status() == 200)
}

#[tokio::test]
async fn https_is_served_and_a_new_certificate_is_taken_up_without_a_restart() {
    let place = super::Place::new(tokenhouse_e2e::Backend::Sqlite).await.unwrap();
    let made = place.init().await;
    let first = certify(place.folder.path());
    let line = "serve --database DB --data data --listen 127.0.0.1:0";
    let mut serve = place.command(line);
    serve.env("TOKENHOUSE__HTTP__TLS__CERTIFICATE", "cert.pem").env("TOKENHOUSE__HTTP__TLS__KEY", "key.pem");
    let mut serving = super::Serving::start(serve).await;
    assert!(serving.url.starts_with("https://"), "{}", serving.url);
    assert!(trusted(&serving.url, &first).await);
    assert!(reqwest::get(serving.url.replace("https", "http")).await.is_err(), "plain HTTP on an HTTPS port");
    // The command line believes whom the machine believes, and nobody else.
    let cli = Cli::at(&serving.url, made["token"].as_str().unwrap());
    cli.run("whoami").await.exit(6);
    let mut who = cli.command("whoami");
    who.env("SSL_CERT_FILE", place.folder.path().join("cert.pem"));
    Ran::of(who, "").await.exit(0);
    let second = certify(place.folder.path());
    for _ in 0..600 {
        if trusted(&serving.url, &second).await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(trusted(&serving.url, &second).await && !trusted(&serving.url, &first).await);
    // A pair that can't be used leaves the old one serving.
    std::fs::write(place.folder.path().join("key.pem"), "nonsense").unwrap();
    serving.until(|serving| serving.log().contains("WARN").then_some(())).await;
    assert!(trusted(&serving.url, &second).await);
    serving.stop().await.exit(0);
}

#[tokio::test]
async fn a_bad_certificate_is_told_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    std::fs::write(folder.path().join("cert.pem"), "").unwrap();
    let mut check = command(folder.path(), "config check --database sqlite://t.db --json");
    check.env("TOKENHOUSE__HTTP__TLS__CERTIFICATE", "cert.pem").env("TOKENHOUSE__HTTP__TLS__KEY", "key.pem");
    let found = Ran::of(check, "").await.exit(1);
    let found: serde_json::Value = serde_json::from_str(&found.out).unwrap();
    assert_eq!((&found["ok"], &found["problems"][0]["key"]), (&false.into(), &"http.tls".into()));
}
