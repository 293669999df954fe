//! A heartbeat registers, tells and hears in one committed transaction.

use tokenhouse_e2e::{Backend, Database};
use tokenhouse_model::chain::GENESIS;
use tokenhouse_model::env::{Clock, Random};
use tokenhouse_model::event::{Actor, Event, EventKind};
use tokenhouse_model::{Result, Uuid};
use tokenhouse_store::nodes::{self, Freshness, Node};
use tokenhouse_store::{Checkpoints, MasterKey, Settings, Store, Tx};

fn node(number: u128, beats: i64, applied: i64) -> Node {
    let (id, name) = (Uuid::from_u128(number), format!("node {number}"));
    Node { id, name, started_at: 1, beat_at: 2, beats, epoch: 1, applied }
}

/// Everything that is asked of the rows of nodes, on a store whose ledger ends at `head`.
pub async fn beats(store: &Store, head: i64) {
    let mut heart = store.heart();
    let heard = heart.beat(&node(1, 1, 0), GENESIS, &[]).await.unwrap();
    assert_eq!((heard.head.revision, heard.there, heard.freshness), (head, None, Freshness::default()));
    assert_eq!(heard.nodes, [node(1, 1, 0)]);
    let hash = heard.head.link();
    let heard = heart.beat(&node(2, 1, head), hash, &[]).await.unwrap();
    assert_eq!(heard.there.unwrap().hash, heard.head.hash);
    // What this database never had is no acknowledgement of it.
    let heard = heart.beat(&node(1, 9, head), [9; 32], &[]).await.unwrap();
    assert_eq!(heard.nodes[0].beats, 9, "read within the transaction");
    let listed = nodes::all(&mut store.read().await.unwrap().conn()).await.unwrap();
    assert_eq!(listed[0].beats, 1, "and never committed");
    let heard = heart.beat(&node(1, 2, head), hash, &[]).await.unwrap();
    assert_eq!(heard.nodes, [node(1, 2, head), node(2, 1, head)]);
    // One that beat since it was seen to stand still stays; one that did not goes.
    let heard = heart.beat(&node(1, 3, head), hash, &[node(2, 0, head)]).await.unwrap();
    assert_eq!(heard.nodes.len(), 2);
    let heard = heart.beat(&node(1, 4, head), hash, &[node(2, 1, head)]).await.unwrap();
    assert_eq!(heard.nodes, [node(1, 4, head)]);

    let freshness = Freshness { millis: 500, before: 1000, changed_at: 7 };
    store.write(async move |tx: &mut Tx<'_>| nodes::set_freshness(tx.conn(), freshness).await).await.unwrap();
    let heard = heart.beat(&node(1, 5, head), hash, &[]).await.unwrap();
    assert_eq!(heard.freshness, freshness);
    heart.leave(Uuid::from_u128(1)).await.unwrap();
    assert_eq!(nodes::all(&mut store.read().await.unwrap().conn()).await.unwrap(), []);
    assert_eq!(store.feed().after(head - 1, 10).await.unwrap().len(), 1);
}

/// Writers that never rest.
async fn write(store: &Store) -> Result<()> {
    loop {
        let event = async |tx: &mut Tx<'_>| {
            tx.record(&Actor::default(), Event::new(EventKind::OrgCreated, Uuid::max(), Uuid::max()));
            Ok(())
        };
        store.write(event).await?;
    }
}

async fn a_busy_writer_does_not_starve_the_heartbeat(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let Some(database) = Database::create(backend, folder.path()).await else { return };
    let (clock, random) = (Clock::system(), Random::system());
    let key = MasterKey::create(&folder.path().join("master.key"), &random).unwrap();
    Store::create(&database.location, &key, &clock, &random).await.unwrap();
    let (location, journal) = (database.location.clone(), folder.path().join("journal"));
    let settings = Settings { location, journal, checkpoints: Checkpoints::default(), readers: 1, misses: 1 };
    let store = Store::open(&settings, key, clock.clone(), random).await.unwrap();
    let beating = async {
        let mut heart = store.heart();
        for beats in 1..=40 {
            heart.beat(&node(1, beats, 0), GENESIS, &[]).await.unwrap();
        }
    };
    // Each would wait for the other's lock for two seconds and then fail, were they not to take turns.
    let work = futures::future::join_all((0..8).map(|_| write(&store)));
    futures::future::select(std::pin::pin!(work), std::pin::pin!(beating)).await;
    store.close().await;
    drop(store);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_writer_does_not_starve_the_heartbeat_on_sqlite() {
    a_busy_writer_does_not_starve_the_heartbeat(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_writer_does_not_starve_the_heartbeat_on_postgres() {
    a_busy_writer_does_not_starve_the_heartbeat(Backend::Postgres).await;
}
