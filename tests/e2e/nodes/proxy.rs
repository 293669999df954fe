//! The network between one node and the database, which can be spoilt.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::frontend::{Does, Frontend};

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All is well.
    Pass,
    /// Nothing arrives, either way. What was sent arrives when the network is back, as with TCP.
    Drop,
    /// What the node says arrives; what the database answers does not.
    Deaf,
    /// Everything takes so much longer, each way.
    Delay(Duration),
    /// Reads go through, writes hang.
    WritesHang,
    /// All goes through but COMMIT.
    CommitsHang,
    /// Every connection is reset, also new ones.
    Refuse,
}

#[derive(Clone, Copy, Debug)]
struct State {
    mode: Mode,
    upstream: SocketAddr,
    /// Connections that are older than this are cut.
    cut: u64,
    /// Connections that are older than this were forgotten on the way: nothing arrives any more, and nobody says so.
    lost: u64,
    /// Connections made so far.
    made: u64,
}

/// What passes through.
#[derive(Clone, Copy)]
enum Passing {
    Asked(Does),
    Answered,
}

impl State {
    fn lets(&self, number: u64, passing: Passing) -> bool {
        number >= self.lost
            && match self.mode {
                Mode::Pass | Mode::Delay(_) => true,
                Mode::Drop | Mode::Refuse => false,
                Mode::Deaf => matches!(passing, Passing::Asked(_)),
                Mode::WritesHang => matches!(passing, Passing::Answered | Passing::Asked(Does::Read)),
                Mode::CommitsHang => !matches!(passing, Passing::Asked(Does::Commit)),
            }
    }

    fn delay(&self) -> Duration {
        if let Mode::Delay(delay) = self.mode { delay } else { Duration::ZERO }
    }
}

/// A proxy of one node's own.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    state: watch::Sender<State>,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// Listens, and connects to this server.
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, _) = watch::channel(State { mode: Mode::Pass, upstream, cut: 0, lost: 0, made: 0 });
        let serving = tokio::spawn(serve(listener, state.clone()));
        Self { address, state, serving }
    }

    /// Spoils or mends the network.
    pub fn set(&self, mode: Mode) {
        self.state.send_modify(|state| state.mode = mode);
    }

    /// Resets every connection that there is.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cut = state.made);
    }

    /// Nothing of any connection that there is arrives any more, ever: a firewall forgot them. New ones work.
    pub fn lose(&self) {
        self.state.send_modify(|state| state.lost = state.made);
    }

    /// New connections go to this server.
    pub fn lead_to(&self, upstream: SocketAddr) {
        self.state.send_modify(|state| state.upstream = upstream);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, state: watch::Sender<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let mut number = 0;
        state.send_modify(|state| {
            number = state.made;
            state.made += 1;
        });
        tokio::spawn(carry(client, number, state.subscribe()));
    }
}

/// Carries one connection until an end closes it, or it is cut.
async fn carry(client: TcpStream, number: u64, state: watch::Receiver<State>) {
    let mut watched = state.clone();
    let over = watched.wait_for(|state| state.mode == Mode::Refuse || state.cut > number);
    // So that dropping either end says "reset" rather than "closed in good order".
    let _ = client.set_zero_linger();
    tokio::select! {
        _ = over => {}
        () = connect(client, number, state.clone()) => {}
    }
}

async fn connect(client: TcpStream, number: u64, mut state: watch::Receiver<State>) {
    let arrives = |state: &State| state.lets(number, Passing::Asked(Does::Read));
    let Ok(upstream) = state.wait_for(arrives).await.map(|state| state.upstream) else { return };
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    let _ = server.set_zero_linger();
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let asks = asking(from_client, to_server, number, state.clone());
    let answers = answering(from_server, to_client, number, state);
    tokio::join!(asks, answers);
}

/// Bytes on their way: since when, and what they are.
type Sent = (Instant, Passing, Vec<u8>);

async fn asking(mut from: OwnedReadHalf, to: OwnedWriteHalf, number: u64, state: watch::Receiver<State>) {
    let (queue, queued) = mpsc::unbounded_channel();
    let read = async move {
        let (mut frontend, mut buffer) = (Frontend::default(), vec![0; 16 * 1024]);
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            frontend.push(&buffer[..length]);
            while let Some(message) = frontend.next() {
                let _ = queue.send((Instant::now(), Passing::Asked(message.does), message.bytes));
            }
        }
    };
    tokio::join!(read, deliver(queued, to, number, Passing::Asked(Does::Read), state));
}

async fn answering(mut from: OwnedReadHalf, to: OwnedWriteHalf, number: u64, state: watch::Receiver<State>) {
    let (queue, queued) = mpsc::unbounded_channel();
    let read = async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let _ = queue.send((Instant::now(), Passing::Answered, buffer[..length].to_vec()));
        }
    };
    tokio::join!(read, deliver(queued, to, number, Passing::Answered, state));
}

async fn deliver(
    mut queued: mpsc::UnboundedReceiver<Sent>,
    mut to: OwnedWriteHalf,
    number: u64,
    end: Passing,
    mut state: watch::Receiver<State>,
) {
    while let Some((since, passing, bytes)) = queued.recv().await {
        let delay = state.borrow().delay();
        if !delay.is_zero() {
            // Not for nothing: a timer takes a millisecond even where the moment is over.
            sleep_until(since + delay).await;
        }
        if state.wait_for(|state| state.lets(number, passing)).await.is_err() || to.write_all(&bytes).await.is_err() {
            return;
        }
    }
    // The end travels as everything else does.
    if state.wait_for(|state| state.lets(number, end)).await.is_ok() {
        let _ = to.shutdown().await;
    }
}
