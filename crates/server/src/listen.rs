//! The accept loop: plain TCP or TLS, bounded, and stopped gracefully.

mod limit;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use tokenhouse_http::Entrance;

use crate::config::Http;
use crate::tls::{Certificate, TlsError};
use limit::Limits;

/// How long a client may take for the TLS handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long a client may take for the head of its first request, and for each further one (HTTP/1.1) from the end of the
/// one before. Who only opens connections holds each no longer than this.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How often an HTTP/2 client that says nothing is asked whether it is there, and how soon it must answer.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 256;
/// The pause after a failed accept: out of file descriptors, trying at once would only burn the processor.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that listens, with what it needs to serve.
pub struct Listener {
    tcp: TcpListener,
    certificate: Option<Certificate>,
    acceptor: Option<TlsAcceptor>,
    connections: Arc<Semaphore>,
    times: Times,
}

#[derive(Clone, Copy)]
struct Times {
    handshake: Duration,
    head: Duration,
}

/// What answers requests.
pub trait Serve: Clone + Send + 'static {
    /// Answers a request of this peer; an IPv4 peer of an IPv6 socket is told as IPv4.
    fn answer(self, peer: SocketAddr, request: Request<Incoming>) -> impl Future<Output = Response> + Send;
}

impl Serve for Entrance {
    async fn answer(self, peer: SocketAddr, request: Request<Incoming>) -> Response {
        Self::answer(&self, peer, request).await
    }
}

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Connections that were still at work when the time to drain was over.
    pub cut: usize,
}

impl Listener {
    /// Binds the address and reads the certificate; requests wait until [`Listener::serve`].
    ///
    /// # Errors
    /// The address is taken or not ours, or the certificate can't be used; the message names the setting.
    pub async fn bind(http: &Http) -> io::Result<Self> {
        let tls = |error: TlsError| io::Error::other(format!("http.tls: {error}"));
        let certificate = http.tls.as_ref().map(Certificate::open).transpose().map_err(tls)?;
        let acceptor = certificate.as_ref().map(Certificate::acceptor).transpose().map_err(tls)?;
        Ok(Self { certificate, acceptor, ..Self::plain("http.listen", http.listen, http.connections).await? })
    }

    /// Binds an address without TLS; `key` is the setting that names it.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub async fn plain(key: &str, address: SocketAddr, connections: usize) -> io::Result<Self> {
        let tcp = TcpListener::bind(address).await;
        let tcp = tcp.map_err(|error| io::Error::other(format!("{key}: {address}: {error}")))?;
        let connections = Arc::new(Semaphore::new(connections));
        let times = Times { handshake: HANDSHAKE_WITHIN, head: HEAD_WITHIN };
        Ok(Self { tcp, certificate: None, acceptor: None, connections, times })
    }

    /// The address that is really listened on, also where port 0 was asked for.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// A place is taken before the connection: those beyond the bound wait in the system's queue.
    async fn next(&self) -> (Option<OwnedSemaphorePermit>, io::Result<(TcpStream, SocketAddr)>) {
        // The semaphore is never closed, so there is always a place in the end.
        let place = Arc::clone(&self.connections).acquire_owned().await.ok();
        (place, self.tcp.accept().await)
    }

    /// Serves until `stop` comes; then takes no more connections, and lets requests in progress end within `drain`.
    pub async fn serve<S: Serve>(self, service: S, stop: impl Future<Output = ()>, drain: Duration) -> Stopped {
        let follow = self.certificate.clone().map(|certificate| tokio::spawn(certificate.follow()));
        let graceful = GracefulShutdown::new();
        let mut tasks = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let (place, accepted) = tokio::select! {
                next = self.next() => next,
                () = &mut stop => break,
            };
            while tasks.try_join_next().is_some() {}
            match accepted {
                Ok((stream, peer)) => {
                    let connection = Connection {
                        peer: SocketAddr::new(peer.ip().to_canonical(), peer.port()),
                        service: service.clone(),
                        acceptor: self.acceptor.clone(),
                        times: self.times,
                        watcher: graceful.watcher(),
                    };
                    tasks.spawn(async move {
                        connection.run(stream).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(PAUSE).await;
                }
            }
        }
        // Whoever connects from here on is refused by the system, and can go to another node.
        drop(self.tcp);
        let ended = timeout(drain, async {
            graceful.shutdown().await;
            while tasks.join_next().await.is_some() {}
        });
        let cut = if ended.await.is_ok() { 0 } else { tasks.len() };
        tasks.shutdown().await;
        if let Some(follow) = follow {
            follow.abort();
        }
        Stopped { cut }
    }
}

#[cfg(test)]
impl Listener {
    fn with_times(mut self, time: Duration) -> Self {
        self.times = Times { handshake: time, head: time };
        self
    }
}

/// Comes when the process is told to stop: SIGTERM or SIGINT.
///
/// # Errors
/// The system gives no signals.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

struct Connection<S> {
    peer: SocketAddr,
    service: S,
    acceptor: Option<TlsAcceptor>,
    times: Times,
    watcher: Watcher,
}

impl<S: Serve> Connection<S> {
    async fn run(self, stream: TcpStream) {
        // Answers are small and whole: waiting to fill a packet only costs time. A socket that can't is served as it is.
        _ = stream.set_nodelay(true);
        match &self.acceptor {
            None => self.speak(stream).await,
            Some(acceptor) => match timeout(self.times.handshake, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => self.speak(stream).await,
                Ok(Err(error)) => tracing::debug!(peer = %self.peer, %error, "TLS handshake failed"),
                Err(_) => tracing::debug!(peer = %self.peer, "TLS handshake took too long"),
            },
        }
    }

    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Self { peer, service, times, watcher, .. } = self;
        let asked = Arc::new(Notify::new());
        let seen = Arc::clone(&asked);
        let asking = service_fn(move |request: Request<Incoming>| {
            seen.notify_one();
            let service = service.clone();
            async move { Ok::<_, Infallible>(service.answer(peer, request).await) }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(Limits::default()).header_read_timeout(times.head);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING.0)
            .keep_alive_timeout(PING.1)
            .max_concurrent_streams(STREAMS);
        let served = watcher.watch(builder.serve_connection(TokioIo::new(stream), asking).into_owned());
        let mut served = pin!(served);
        // The builder has no time limit of its own for finding out which HTTP is spoken, nor for a first HTTP/2 request.
        let ended = tokio::select! {
            ended = &mut served => ended,
            () = asked.notified() => served.await,
            () = sleep(times.head) => {
                tracing::debug!(%peer, "no request came in time");
                return;
            }
        };
        if let Err(error) = ended {
            // Clients go away at any time; that is their business.
            tracing::debug!(%peer, %error, "connection ended");
        }
    }
}

#[cfg(test)]
mod tests;
