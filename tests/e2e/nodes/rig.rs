//! Three nodes on a PostgreSQL of their own, under load, with everything noted and checked.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use tokenhouse_e2e::{Database, Program};
use tokenhouse_model::env::Random;
use tokio::time::sleep;

use crate::check::{check, contradiction};
use crate::client::{Client, Request};
use crate::cluster::{Cluster, Replication};
use crate::disk::Disk;
use crate::history::{Said, SubjectId};
use crate::load::Load;
use crate::node::{Node, RECOVERY, faketime};
use crate::report::Report;

/// Nodes of a rig.
pub const NODES: usize = 3;
/// Subjects that are over for good and were asked about before, which are asked about again.
const OLD: usize = 200;

/// A recovery that takes longer than this is worth a look.
const SLOW: Duration = Duration::from_secs(5);

/// A whole installation under test.
pub struct Rig {
    pub cluster: Cluster,
    pub nodes: Vec<Node>,
    pub client: Client,
    pub report: Report,
    /// How many journaled changes the last loss of history took with it.
    pub lost: usize,
    /// The disk of one node's journal, where it was given one.
    disk: Option<(usize, Disk)>,
    load: Option<Load>,
    begun: Instant,
    name: &'static str,
    account: String,
    /// A token that is renamed, to see whether a node takes changes.
    touched: String,
    /// Its folder holds the disk.
    _first: Program,
}

/// How a rig is set up.
#[derive(Default)]
pub struct Setting {
    /// With a standby.
    pub replication: Option<Replication>,
    /// The database's disk has so many bytes.
    pub database_disk: Option<u64>,
    /// The wall clock of this node can be stepped.
    pub clock_of: Option<usize>,
    /// The journal of this node has a small disk of its own, where one can be mounted.
    pub journal_disk_of: Option<usize>,
}

impl Rig {
    /// A rig whose nodes serve, without load; `None` where it can't be had.
    pub async fn open(name: &'static str, setting: Setting) -> Option<Self> {
        let mut cluster = match setting.database_disk {
            Some(bytes) => Cluster::start_small(bytes).await?,
            None => Cluster::start().await?,
        };
        let database = Database::at(&cluster.url(&cluster.primary));
        let first = Program::init_on(database, tempfile::tempdir().unwrap()).await;
        let disk = setting.journal_disk_of.and_then(|node| {
            let path = first.folder.path().join("journal-disk");
            Some((node, Disk::mount(&path, 1 << 20)?))
        });
        let nodes = (0..NODES).map(|number| {
            let mut settings = Vec::new();
            if setting.clock_of == Some(number) {
                settings.extend(faketime().into_iter().flatten());
            }
            if let Some((_, disk)) = disk.iter().find(|(of, _)| *of == number) {
                settings.push(("TOKENHOUSE__LEDGER__JOURNAL", disk.path.display().to_string()));
            }
            let (cluster, first) = (&cluster, &first);
            async move { Node::start(&format!("node-{number}"), cluster, first, &settings).await }
        });
        let nodes = futures::future::join_all(nodes).await;
        let stored = "SELECT coalesce((SELECT value FROM settings WHERE name = 'freshness_ms'), '1000')";
        let freshness = cluster.ask(&cluster.primary, stored).await.unwrap().parse().unwrap();
        let freshness = Duration::from_millis(freshness);
        let urls = nodes.iter().map(|node| node.url.clone()).collect();
        let mut client = Client::new(urls, &first.admin, freshness, seed());
        let service = async |name: &str| {
            let body = json!({"kind": "service", "identifier": format!("sa::{name}")});
            client.make(0, "POST", "/v1/accounts", body).await.text("id")
        };
        let (asker, account) = (service("asker").await, service("measured").await);
        client.make(0, "PUT", &format!("/v1/accounts/{asker}/roles/verifier"), json!({})).await;
        let token = client.make(0, "POST", "/v1/tokens", json!({"owner": asker})).await;
        client.asker = token.text("secret");
        let touched = client.make(0, "POST", "/v1/tokens", json!({"owner": asker})).await.text("id");
        if let Some(replication) = setting.replication {
            cluster.add_standby(replication).await;
        }
        let (report, begun) = (Report::default(), Instant::now());
        let (lost, load) = (0, None);
        let mut rig =
            Self { cluster, nodes, client, report, lost, disk, load, begun, name, account, touched, _first: first };
        rig.recover().await;
        rig.report.recoveries.clear();
        Some(rig)
    }

    /// Begins the load.
    pub async fn load(&mut self) {
        self.load = Some(Load::begin(&self.client).await);
    }

    /// The load, which was begun.
    pub fn loaded(&self) -> &Load {
        self.load.as_ref().unwrap()
    }

    /// Sends connections of every node to what is the primary now; those to another server are cut.
    pub fn follow_primary(&self) {
        for node in &self.nodes {
            node.proxy.lead_to(self.cluster.primary.address);
            node.proxy.cut();
        }
    }

    /// Fills the disk of a node's journal.
    pub async fn fill_journal(&self, node: usize) {
        match &self.disk {
            Some((of, disk)) if *of == node => disk.fill(),
            _ => {
                let sizes = files(&self.nodes[node].program.journal());
                self.nodes[node].limit_files(Some(sizes.into_iter().max().unwrap_or(0))).await;
            }
        }
    }

    /// Makes room for a node's journal again.
    pub async fn free_journal(&self, node: usize) {
        match &self.disk {
            Some((of, disk)) if *of == node => disk.free(),
            _ => self.nodes[node].limit_files(None).await,
        }
    }

    /// Waits until every node is ready and takes changes by itself, and notes how long each took.
    pub async fn recover(&mut self) {
        let recovering = self.nodes.iter().enumerate().map(|(number, node)| {
            let rig = &*self;
            async move {
                let begun = Instant::now();
                let ready = node.recovered().await;
                while ready.is_some() && begun.elapsed() < RECOVERY {
                    if rig.touch(number).await {
                        let took = begun.elapsed();
                        if took > SLOW {
                            println!("{} was well after {took:?}:\n{}", node.name, node.log_end());
                        }
                        return Ok(took);
                    }
                    sleep(Duration::from_millis(50)).await;
                }
                let said = node.look("/healthz/ready").await.map(|answer| answer.raw);
                let lacks = if ready.is_some() { "takes no changes" } else { "is not ready" };
                Err(format!("{} {lacks} after {RECOVERY:?}: {said:?}\n{}", node.name, node.log_end()))
            }
        });
        for recovered in futures::future::join_all(recovering).await {
            match recovered {
                Ok(took) => self.report.recoveries.push(took),
                Err(text) => {
                    println!("{:?} {text}", self.client.history.now());
                    self.report.violations.push(text);
                }
            }
        }
    }

    /// Changes something that nobody asks about through a node; whether that was acknowledged.
    async fn touch(&self, node: usize) -> bool {
        let body = json!({"name": format!("touched {}", self.client.history.now().as_micros())});
        let path = format!("/v1/tokens/{}", self.touched);
        let request = Request { what: "rename", method: "PATCH", path, body, effects: &[] };
        self.client.change(node, &request, false).await.is_ok()
    }

    /// With the load held back: waits until every node is ready, checks the history up to here, and asks every node
    /// about what was changed.
    pub async fn settle(&mut self) {
        let begun = Instant::now();
        self.recover().await;
        let held = match &self.load {
            Some(load) => Some(load.hold().await),
            None => None,
        };
        // What was acknowledged last must be confirmed by time at least.
        sleep(self.client.patience).await;
        self.ask_all().await;
        self.check();
        drop(held);
        if begun.elapsed() > Duration::from_secs(5) {
            println!("{}: settled in {:.1} s", self.name, begun.elapsed().as_secs_f64());
        }
    }

    /// Asks every node about every subject that was changed, and about some that are over.
    async fn ask_all(&mut self) {
        let mut wanted: Vec<(SubjectId, String, Option<&'static str>, bool)> = Vec::new();
        let mut old = Vec::new();
        self.client.history.with(|known| {
            for (id, subject) in known.subjects.iter_mut().enumerate() {
                let Some(expected) = subject.expected() else { continue };
                let one = (id, subject.secret.clone(), subject.permission, expected);
                if expected || !subject.settled {
                    wanted.push(one)
                } else {
                    old.push(one)
                }
                subject.settled = true;
            }
        });
        for _ in 0..OLD.min(old.len()) {
            wanted.push(old.swap_remove(self.client.die(old.len())));
        }
        self.report.direct += wanted.len() as u64;
        let asked = (0..NODES * 4).map(|worker| {
            let (client, wanted) = (&self.client, &wanted);
            async move {
                let (mut wrong, node) = (Vec::new(), worker % NODES);
                for (subject, secret, permission, expected) in wanted.iter().skip(worker / NODES).step_by(4) {
                    // A node may be busy; it must not be so for long.
                    let mut question = client.ask(node, *subject, secret, *permission).await;
                    for _ in 0..20 {
                        if matches!(question.said, Said::Yes | Said::No(_)) {
                            break;
                        }
                        sleep(Duration::from_millis(100)).await;
                        question = client.ask(node, *subject, secret, *permission).await;
                    }
                    if (question.said == Said::Yes) != *expected {
                        wrong.push((*subject, question));
                    }
                }
                wrong
            }
        });
        for (subject, question) in futures::future::join_all(asked).await.into_iter().flatten() {
            let subject = self.client.history.with(|known| known.subjects[subject].clone());
            let last = subject.changes.last().unwrap();
            let rule = "an acknowledged change is not what a node says when all is over";
            let text = contradiction(rule, &subject, last, &question);
            self.report.violations.push(text);
        }
    }

    /// Checks the history since the last check.
    pub fn check(&mut self) {
        let (checked, surprises) = self.client.history.with(|known| {
            let questions = std::mem::take(&mut known.questions);
            (check(&known.subjects, &questions), std::mem::take(&mut known.surprises))
        });
        self.report.checks += checked.checks;
        self.report.violations.extend(checked.violations);
        self.report.violations.extend(surprises.into_iter().map(|said| format!("unexpected: {said}")));
    }

    /// Issues a token and makes sure that every node has it in memory.
    pub async fn token(&self) -> (String, SubjectId, String) {
        let body = json!({"owner": self.account});
        let request = Request { what: "issue", method: "POST", path: "/v1/tokens".to_owned(), body, effects: &[] };
        let mut done = self.client.change(self.client.die(NODES), &request, false).await;
        for _ in 0..20 {
            if done.is_ok() {
                break;
            }
            sleep(Duration::from_millis(100)).await;
            done = self.client.change(self.client.die(NODES), &request, false).await;
        }
        let done = done.unwrap_or_else(|refused| panic!("issue: {refused:?}"));
        let (id, secret) = (done.answer.text("id"), done.answer.text("secret"));
        let subject = self.client.history.add(format!("token {id}"), &secret, None);
        self.client.history.note(subject, done.gives);
        for node in 0..NODES {
            // Until it knows the token; then once more, out of its memory.
            for _ in 0..100 {
                if self.client.ask(node, subject, &secret, None).await.said == Said::Yes {
                    break;
                }
                sleep(Duration::from_millis(10)).await;
            }
            self.client.ask(node, subject, &secret, None).await;
        }
        (id, subject, secret)
    }

    /// How long it takes, with all nodes well, from the answer to a revocation to the refusal of the last node: every
    /// node is asked again and again.
    pub async fn measure(&mut self, times: usize) {
        for _ in 0..times {
            let (id, subject, secret) = self.token().await;
            let revoking = async {
                // Once the questions are under way.
                sleep(Duration::from_millis(20)).await;
                let begun = Instant::now();
                while self.client.revoke(self.client.die(NODES), &id, subject, false).await.is_none() {
                    assert!(begun.elapsed() < RECOVERY * 2, "{id} can't be revoked");
                    sleep(Duration::from_millis(50)).await;
                }
                self.client.history.now()
            };
            let asking = (0..NODES).map(|node| {
                let (client, secret) = (&self.client, &secret);
                async move {
                    loop {
                        let question = client.ask(node, subject, secret, None).await;
                        if let Said::No(_) = question.said {
                            return question.answered;
                        }
                        // Where all nodes and the database share a core, the revocation needs it too.
                        sleep(Duration::from_millis(1)).await;
                    }
                }
            });
            let (answered, refused) = futures::future::join(revoking, futures::future::join_all(asking)).await;
            let last = refused.into_iter().max().unwrap_or_default();
            self.report.refusals.push(last.saturating_sub(answered));
        }
    }

    /// Ends the run: all must be as it was acknowledged, the ledger whole, and nothing found that can't be true.
    pub async fn close(mut self) {
        self.settle().await;
        if let Some(load) = self.load.take() {
            load.end().await;
        }
        self.measure(3).await;
        self.check();
        for node in &self.nodes {
            let (code, found) = node.program.verify_ledger().await;
            if code != 0 || found["whole"] != json!(true) {
                self.report.violations.push(format!("the ledger as {} sees it: {code}, {found}", node.name));
            }
        }
        let listed = self.client.make(0, "GET", "/v1/nodes", json!(null)).await;
        for node in &self.nodes {
            let rows = listed["items"].as_array().unwrap();
            if !rows.iter().any(|row| row["name"] == node.name.as_str()) {
                self.report.violations.push(format!("{} is not in the list of nodes: {}", node.name, listed.raw));
            }
        }
        let report = &mut self.report;
        self.client.history.with(|known| {
            (report.questions, report.confirmed) = (known.said, known.confirmed);
            report.reasons.clone_from(&known.reasons);
            report.changes = [known.done, known.nothing, known.unknown];
        });
        report.took = self.begun.elapsed();
        self.report.print(self.name);
        for node in &mut self.nodes {
            node.program.stop().await;
        }
        let violations = &self.report.violations;
        let shown: Vec<&str> = violations.iter().take(10).map(String::as_str).collect();
        assert!(violations.is_empty(), "{} violations, the first:\n{}", violations.len(), shown.join("\n"));
        assert!(self.report.checks > 0, "nothing was checked");
    }
}

/// The sizes of the files in the folders below this one.
fn files(folder: &Path) -> Vec<u64> {
    let below = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    below(folder).flat_map(|inner| below(&inner.path())).map(|file| file.metadata().unwrap().len()).collect()
}

/// What the environment says about a run.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment how long to run")]
pub fn setting(name: &str) -> Option<i64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// The seed of this process's dice, printed so that its choices can be repeated.
pub fn seed() -> i64 {
    static SEED: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
    *SEED.get_or_init(|| {
        let seed = setting("TOKENHOUSE_FAULT_SEED");
        let seed = seed.unwrap_or_else(|| i64::from_be_bytes(Random::system().bytes()));
        println!("TOKENHOUSE_FAULT_SEED={seed}");
        seed
    })
}
