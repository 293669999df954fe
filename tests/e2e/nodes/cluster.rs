//! A PostgreSQL of the test's own: a primary, and perhaps a standby that can take its place. As `tests/postgres.sh`, but
//! with commits that are waited for: here the database itself is killed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::disk::Disk;

/// Whether commits wait for the standby.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replication {
    /// They do: what was acknowledged is on both.
    Synchronous,
    /// They do not.
    Asynchronous,
}

/// One server: its data and its port.
#[derive(Clone, Debug)]
pub struct Server {
    data: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
}

/// The servers of one test, below one folder that goes away with it.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    bin: PathBuf,
    /// The one that takes writes.
    pub primary: Server,
    /// The one that could take its place.
    pub standby: Option<Server>,
    /// Those that were left behind.
    pub old: Vec<Server>,
    made: u32,
    small: Option<Disk>,
}

static CLUSTERS: AtomicU32 = AtomicU32::new(0);
const PREFIX: &str = "tokenhouse-nodes.";
/// What is not said on the command line. A power cut is not what is tested here, so nothing waits for the disk; what a
/// killed server wrote is in the system's memory still.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
max_connections = 200
shared_buffers = 64MB
fsync = off
full_page_writes = off
synchronous_commit = on
wal_level = replica
max_wal_senders = 10
wal_keep_size = 64MB
hot_standby = on
jit = off
include = 'rig.conf'
";

impl Cluster {
    /// A primary; `None`, saying so, where the tests are to run without PostgreSQL.
    pub async fn start() -> Option<Self> {
        Self::start_on(None).await
    }

    /// As [`Cluster::start`], with the data of the primary on a disk of so many bytes; none if it can't be had.
    pub async fn start_small(bytes: u64) -> Option<Self> {
        Self::start_on(Some(bytes)).await
    }

    async fn start_on(small: Option<u64>) -> Option<Self> {
        if tokenhouse_e2e::postgres().is_none() {
            println!("skipped: TOKENHOUSE_TEST_POSTGRES is not set");
            return None;
        }
        let Some(bin) = bin() else {
            println!("skipped: PostgreSQL's server programs (initdb, pg_ctl) are not installed");
            return None;
        };
        sweep(&bin);
        let folder = format!("/tmp/{PREFIX}{}-{}", std::process::id(), CLUSTERS.fetch_add(1, Ordering::Relaxed));
        let folder = PathBuf::from(folder);
        std::fs::create_dir(&folder).unwrap();
        let small = small.map(|bytes| Disk::mount(&folder.join("small"), bytes));
        let small = match small {
            Some(None) => {
                println!("skipped: no disk can be mounted here");
                std::fs::remove_dir_all(&folder).unwrap();
                return None;
            }
            other => other.flatten(),
        };
        if is_root() {
            let mut owned = vec![folder.display().to_string()];
            owned.extend(small.as_ref().map(|disk| disk.path.display().to_string()));
            let status = std::process::Command::new("chown").arg(format!("{}:", owner())).args(owned).status();
            assert!(status.unwrap().success());
        }
        let data = small.as_ref().map_or(folder.as_path(), |disk| disk.path.as_path()).join("data-0");
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let primary = Server { data, address };
        let cluster = Self { folder, bin, primary, standby: None, old: Vec::new(), made: 1, small };
        let server = &cluster.primary;
        let data = server.data.display().to_string();
        let made = ["--no-sync", "--username=tokenhouse", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"];
        // Small segments of the log, so that a small disk holds some.
        cluster.run("initdb", &[&["--wal-segsize=1", "--pgdata", &data], &made[..]].concat()).await;
        let access = "local all all trust\nhost all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n";
        cluster.write(&server.data.join("pg_hba.conf"), access).await;
        let conf = server.data.join("postgresql.conf");
        let sockets = format!("unix_socket_directories = '{}'\n", cluster.folder.display());
        let text = std::fs::read_to_string(&conf).unwrap_or_default() + SETTINGS + &sockets;
        cluster.write(&conf, &text).await;
        cluster.write(&server.data.join("rig.conf"), "").await;
        cluster.up(server).await;
        Some(cluster)
    }

    /// Runs a program of PostgreSQL.
    ///
    /// # Panics
    /// If it fails, with what it said.
    async fn run(&self, program: &str, arguments: &[&str]) {
        let ended = self.attempt(program, arguments).await;
        assert!(ended.success(), "{program} {arguments:?} failed: {}", self.log());
    }

    async fn attempt(&self, program: &str, arguments: &[&str]) -> ExitStatus {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log")).unwrap();
        let mut command = as_owner(&self.bin.join(program));
        // A server that is started keeps what it was given, so that must not be a pipe.
        command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Command::from(command).status().await.unwrap()
    }

    fn log(&self) -> String {
        let read = |name| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        let text = read("log") + &read("server.log");
        text.lines().rev().take(30).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Writes a file of the owner's.
    async fn write(&self, path: &Path, text: &str) {
        tokio::fs::write(path, text).await.unwrap();
        if is_root() {
            let status = Command::new("chown").arg(format!("{}:", owner())).arg(path).status().await;
            assert!(status.unwrap().success());
        }
    }

    /// Starts a server, and waits until it answers. One that was just killed may need several attempts.
    pub async fn up(&self, server: &Server) {
        let (data, port) = (server.data.display().to_string(), format!("-p {}", server.address.port()));
        let log = self.folder.join("server.log").display().to_string();
        let arguments = ["--pgdata", &data, "--options", &port, "--log", &log, "--wait", "--timeout=30", "start"];
        let begun = Instant::now();
        while !self.attempt("pg_ctl", &arguments).await.success() {
            assert!(begun.elapsed() < Duration::from_secs(20), "PostgreSQL does not start: {}", self.log());
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Stops a server; connections are ended first.
    pub async fn down(&self, server: &Server) {
        let data = server.data.display().to_string();
        self.attempt("pg_ctl", &["--pgdata", &data, "--mode=fast", "--wait", "--timeout=20", "stop"]).await;
    }

    /// Kills a server and all that belongs to it.
    pub async fn kill(&self, server: &Server) {
        let pid = std::fs::read_to_string(server.data.join("postmaster.pid")).unwrap_or_default();
        let Some(postmaster) = pid.lines().next() else { return };
        // All at once: left to itself each half would end the other in good order.
        let pids = [postmaster.to_owned()].into_iter().chain(children(postmaster));
        let _ = Command::new("kill").arg("-KILL").args(pids).stderr(Stdio::null()).status().await;
    }

    /// The superuser's way into a server.
    pub fn url(&self, server: &Server) -> String {
        format!("postgres://tokenhouse@{}/postgres?sslmode=disable", server.address)
    }

    /// Runs a statement on a server and gives back its answer, a text; `None` if there is none.
    pub async fn ask(&self, server: &Server, sql: &str) -> Option<String> {
        let mut conn = PgConnection::connect(&self.url(server)).await.ok()?;
        let row = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_optional(&mut conn).await.ok()??;
        row.try_get::<String, _>(0).ok()
    }

    /// Makes a standby of the primary as it is now, and waits until it follows.
    pub async fn add_standby(&mut self, replication: Replication) {
        let data = self.folder.join(format!("data-{}", self.made));
        self.made += 1;
        let standby = Server { data, address: SocketAddr::from(([127, 0, 0, 1], free_port())) };
        let (path, port) = (standby.data.display().to_string(), self.primary.address.port().to_string());
        let from = ["--host=127.0.0.1", "--port", &port, "--username=tokenhouse", "--pgdata", &path];
        let how = ["--wal-method=stream", "--checkpoint=fast", "--no-sync", "--write-recovery-conf"];
        self.run("pg_basebackup", &[&from[..], &how[..]].concat()).await;
        // When it takes over it has no standby of its own to wait for.
        self.write(&standby.data.join("rig.conf"), "").await;
        self.up(&standby).await;
        if replication == Replication::Synchronous {
            self.write(&self.primary.data.join("rig.conf"), "synchronous_standby_names = '*'\n").await;
            self.run("pg_ctl", &["--pgdata", &self.primary.data.display().to_string(), "reload"]).await;
        }
        let wanted = if replication == Replication::Synchronous { "sync" } else { "async" };
        let sql = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'";
        let begun = Instant::now();
        while self.ask(&self.primary, sql).await.as_deref() != Some(wanted) {
            assert!(begun.elapsed() < Duration::from_secs(20), "the standby does not follow: {}", self.log());
            sleep(Duration::from_millis(50)).await;
        }
        self.standby = Some(standby);
    }

    /// Puts the standby in the primary's place. What was the primary is left as it is, last among the old ones.
    pub async fn promote(&mut self) {
        let standby = self.standby.take().expect("a standby");
        let promoted = self.ask(&standby, "SELECT pg_promote(true, 30)::text").await;
        assert_eq!(promoted.as_deref(), Some("true"), "{}", self.log());
        self.old.push(std::mem::replace(&mut self.primary, standby));
    }

    /// The disk of the primary's data, where it was given a small one.
    pub fn small(&self) -> Option<&Disk> {
        self.small.as_ref()
    }

    /// Commits no longer wait for the standby.
    pub async fn stop_waiting(&self) {
        let data = &self.primary.data;
        self.write(&data.join("rig.conf"), "").await;
        self.run("pg_ctl", &["--pgdata", &data.display().to_string(), "reload"]).await;
    }

    /// The epoch of the ledger on a server.
    pub async fn epoch(&self, server: &Server) -> i64 {
        let epoch = self.ask(server, "SELECT epoch::text FROM ledger_head").await;
        epoch.unwrap().parse().unwrap()
    }

    /// The last revision of the ledger on a server.
    pub async fn head(&self, server: &Server) -> i64 {
        let head = self.ask(server, "SELECT revision::text FROM ledger_head").await;
        head.unwrap().parse().unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        clear(&self.folder, &self.bin);
    }
}

/// Ends the servers below a folder and removes it.
fn clear(folder: &Path, bin: &Path) {
    let small = folder.join("small");
    let below = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in below(folder).chain(below(&small)) {
        let data = entry.path();
        let stop = ["--mode=immediate", "--wait", "--timeout=20", "stop", "--pgdata"];
        if data.join("postmaster.pid").exists() {
            let mut command = as_owner(&bin.join("pg_ctl"));
            let _ = command.args(stop).arg(&data).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
    Disk::unmount(&small);
    let _ = std::fs::remove_dir_all(folder);
}

/// Clears what a run left behind that was itself killed.
fn sweep(bin: &Path) {
    for entry in std::fs::read_dir("/tmp").unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            clear(&entry.path(), bin);
        }
    }
}

/// The processes that this one started.
fn children(parent: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path().join("stat"));
    let parted = processes.filter_map(|stat| {
        let text = std::fs::read_to_string(stat).ok()?;
        // `PID (NAME) STATE PARENT ...`, and a name can hold anything.
        let (pid, rest) = (text.split(' ').next()?.to_owned(), text.rsplit(')').next()?.to_owned());
        (rest.split_whitespace().nth(1)? == parent).then_some(pid)
    });
    parted.collect()
}

/// Debian keeps the server's programs away from the PATH: its newest, or those of the PATH.
fn bin() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = debian
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin).or_else(|| {
        let script = "dirname \"$(readlink -f \"$(command -v initdb)\")\"";
        let said = std::process::Command::new("bash").arg("-c").arg(script).output().ok()?;
        let bin = PathBuf::from(String::from_utf8(said.stdout).ok()?.trim());
        bin.join("initdb").exists().then_some(bin)
    })
}

pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|of| of.uid() == 0)
}

/// PostgreSQL refuses to run as root, so root borrows another user.
fn owner() -> &'static str {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    if passwd.lines().any(|line| line.starts_with("postgres:")) { "postgres" } else { "nobody" }
}

fn as_owner(program: &Path) -> std::process::Command {
    let mut command = if is_root() {
        let mut command = std::process::Command::new("runuser");
        command.args(["-u", owner(), "--"]).arg(program);
        command
    } else {
        std::process::Command::new(program)
    };
    // That user may not be able to stand in the folder where we are.
    command.current_dir("/");
    command
}

/// A port that nobody listens on, below those that the kernel hands out for outgoing connections.
pub fn free_port() -> u16 {
    let random = tokenhouse_model::env::Random::system();
    loop {
        let port = 20_000 + u16::from_be_bytes(random.bytes()) % 12_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
