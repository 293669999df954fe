use std::io::Write as _;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use super::*;
use crate::config::{Config, Flag, Sources};

impl Serve for Router {
    async fn answer(self, peer: SocketAddr, mut request: Request<Incoming>) -> Response {
        request.extensions_mut().insert(ConnectInfo(peer));
        self.oneshot(request).await.unwrap()
    }
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Stopped>,
}

impl Running {
    async fn stop(self) -> Stopped {
        _ = self.stop.send(());
        self.ended.await.unwrap()
    }
}

fn settings(listen: &str, more: Vec<Flag>) -> Http {
    let mut flags = vec![
        Flag { key: "database.url", name: "test", value: "sqlite://x.db".into() },
        Flag { key: "http.listen", name: "test", value: listen.into() },
    ];
    flags.extend(more);
    Config::load(&Sources { flags, ..Sources::default() }).unwrap().http
}

fn router() -> Router {
    Router::new()
        .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }))
        .route(
            "/slow",
            get(|| async {
                sleep(Duration::from_millis(300)).await;
                "done"
            }),
        )
        .route(
            "/stuck",
            get(|| async {
                sleep(Duration::from_secs(60)).await;
                "never"
            }),
        )
}

fn run(listener: Listener, drain: Duration) -> Running {
    let address = listener.address().unwrap();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(listener.serve(router(), async { _ = stopped.await }, drain));
    Running { address, stop, ended }
}

async fn start(http: &Http) -> Running {
    run(Listener::bind(http).await.unwrap(), Duration::from_secs(5))
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn read(url: String) -> String {
    http().get(url).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn plain_http_knows_its_peer_and_stops_cleanly() {
    let running = start(&settings("127.0.0.1:0", vec![])).await;
    let address = running.address;
    assert_eq!(read(format!("http://{address}/")).await, "127.0.0.1");
    // HTTP/2 without TLS, known beforehand: the server answers the preface with its SETTINGS (frame type 4).
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[3], 4);
    drop(stream);
    assert_eq!(running.stop().await, Stopped { cut: 0 });
    assert!(TcpStream::connect(address).await.is_err(), "the socket is closed");
}

#[tokio::test]
async fn an_ipv4_peer_of_an_ipv6_socket_is_told_as_ipv4() {
    let Ok(listener) = Listener::bind(&settings("[::]:0", vec![])).await else {
        return; // a machine without IPv6
    };
    let running = run(listener, Duration::from_secs(5));
    assert_eq!(read(format!("http://127.0.0.1:{}/", running.address.port())).await, "127.0.0.1");
    running.stop().await;
}

#[tokio::test]
async fn a_request_in_progress_may_end_and_a_stuck_one_is_cut() {
    let running = start(&settings("127.0.0.1:0", vec![])).await;
    let slow = tokio::spawn(read(format!("http://{}/slow", running.address)));
    sleep(Duration::from_millis(100)).await;
    assert_eq!(running.stop().await, Stopped { cut: 0 });
    assert_eq!(slow.await.unwrap(), "done");

    let listener = Listener::bind(&settings("127.0.0.1:0", vec![])).await.unwrap();
    let running = run(listener, Duration::from_millis(100));
    let request = http().get(format!("http://{}/stuck", running.address)).send();
    let stuck = tokio::spawn(request);
    sleep(Duration::from_millis(100)).await;
    let started = std::time::Instant::now();
    assert_eq!(running.stop().await, Stopped { cut: 1 });
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!(stuck.await.unwrap().is_err());
}

#[tokio::test]
async fn who_says_nothing_or_too_little_is_let_go() {
    let listener = Listener::bind(&settings("127.0.0.1:0", vec![])).await.unwrap();
    let running = run(listener.with_times(Duration::from_millis(200)), Duration::from_secs(5));
    for said in ["", "G", "GET / HTTP/1.1\r\nhost: x\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let closed = timeout(Duration::from_secs(3), stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "{said:?} was held open");
    }
    // A connection that has asked is not cut by the time for the first request.
    assert_eq!(read(format!("http://{}/slow", running.address)).await, "done");
    running.stop().await;
}

#[tokio::test]
async fn a_connection_that_has_asked_is_let_go_when_nothing_more_comes() {
    // Long beside what a busy machine may add to a pause.
    let limit = Duration::from_millis(1500);
    let listener = Listener::bind(&settings("127.0.0.1:0", vec![])).await.unwrap();
    let running = run(listener.with_times(limit), Duration::from_secs(5));
    let address = running.address;
    let held = async |more: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut read = vec![0; 1024];
        let mut last = std::time::Instant::now();
        // Each takes its time, and none of them the whole.
        for pause in [limit / 3, limit / 3, limit / 3, limit / 3, Duration::ZERO] {
            last = std::time::Instant::now();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            assert!(stream.read(&mut read).await.unwrap() > 0, "{more:?}");
            tokio::time::sleep(pause).await;
        }
        stream.write_all(more.as_bytes()).await.unwrap();
        let closed = timeout(Duration::from_secs(10), stream.read_to_end(&mut Vec::new())).await;
        assert!(closed.is_ok(), "{more:?} was held open");
        assert!(last.elapsed() >= limit, "{more:?} was let go before its time");
    };
    tokio::join!(held(""), held("GET /"), held("GET / HTTP/1.1\r\nhost: x\r\n"));
    running.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_and_do_not_hinder_the_stop() {
    let one = Flag { key: "http.connections", name: "test", value: "1".into() };
    let running = start(&settings("127.0.0.1:0", vec![one])).await;
    let mut first = TcpStream::connect(running.address).await.unwrap();
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut buffer = [0; 512];
    assert!(first.read(&mut buffer).await.unwrap() > 0);
    let second = tokio::spawn(read(format!("http://{}/", running.address)));
    sleep(Duration::from_millis(200)).await;
    assert!(!second.is_finished(), "the bound is 1");
    drop(first);
    assert_eq!(timeout(Duration::from_secs(3), second).await.unwrap().unwrap(), "127.0.0.1");

    let _holding = TcpStream::connect(running.address).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(timeout(Duration::from_secs(3), running.stop()).await.unwrap(), Stopped { cut: 0 });
}

fn trusting(pem: &str) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap()
}

#[tokio::test]
async fn https_serves_and_takes_up_a_new_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (files, first) = crate::tls::tests::pair(folder.path());
    let flag = |key, path: &std::path::Path| Flag { key, name: "test", value: path.display().to_string() };
    let flags = vec![flag("http.tls.certificate", &files.certificate), flag("http.tls.key", &files.key)];
    let listener = Listener::bind(&settings("127.0.0.1:0", flags)).await.unwrap();
    let running = run(listener.with_times(Duration::from_millis(500)), Duration::from_secs(5));
    let url = format!("https://localhost:{}/", running.address.port());
    let url = url.as_str();
    let ask = |client: reqwest::Client| async move { client.get(url).send().await };
    assert_eq!(ask(trusting(&first)).await.unwrap().text().await.unwrap(), "127.0.0.1");

    // Who speaks no TLS, or stops in the handshake, is let go and disturbs nobody.
    let mut plain = TcpStream::connect(running.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let _silent = TcpStream::connect(running.address).await.unwrap();

    let second = crate::tls::tests::write_pair(&files);
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        if ask(trusting(&second)).await.is_ok() {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the new certificate is not served");
        sleep(Duration::from_millis(100)).await;
    }
    assert!(ask(trusting(&first)).await.is_err(), "the old certificate is gone");
    assert_eq!(running.stop().await, Stopped { cut: 0 });
}

#[tokio::test]
async fn both_protocols_are_negotiated() {
    let folder = tempfile::tempdir().unwrap();
    let (files, pem) = crate::tls::tests::pair(folder.path());
    let acceptor = Certificate::open(&files).unwrap().acceptor().unwrap();
    let mut roots = rustls::RootCertStore::empty();
    use rustls_pki_types::pem::PemObject as _;
    roots.add(rustls_pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    for (offered, chosen) in
        [(vec!["h2", "http/1.1"], Some("h2")), (vec!["http/1.1"], Some("http/1.1")), (vec![], None)]
    {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots.clone()).with_no_client_auth();
        config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let (client, server) = tokio::io::duplex(64 * 1024);
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let (ours, theirs) =
            tokio::join!(connector.connect("localhost".try_into().unwrap(), client), acceptor.accept(server));
        theirs.unwrap();
        assert_eq!(ours.unwrap().get_ref().1.alpn_protocol(), chosen.map(str::as_bytes));
    }
}

#[tokio::test]
async fn what_can_not_be_bound_names_the_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let said = Listener::bind(&settings(&listen, vec![])).await.err().unwrap().to_string();
    assert!(said.starts_with(&format!("http.listen: {listen}: ")), "{said}");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"nothing").unwrap();
    let path = file.path().display().to_string();
    let flags = vec![
        Flag { key: "http.tls.certificate", name: "test", value: path.clone() },
        Flag { key: "http.tls.key", name: "test", value: path },
    ];
    let said = Listener::bind(&settings("127.0.0.1:0", flags)).await.err().unwrap().to_string();
    assert!(said.starts_with("http.tls: "), "{said}");
}

#[tokio::test]
async fn a_signal_is_the_stop() {
    for name in ["-TERM", "-INT"] {
        let stop = stop_signal().unwrap();
        let id = std::process::id().to_string();
        assert!(std::process::Command::new("kill").args([name, &id]).status().unwrap().success());
        timeout(Duration::from_secs(5), stop).await.unwrap();
    }
}
