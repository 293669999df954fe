//! Envoy's question over gRPC: a client with next to no work of its own, and the bare server's answer to it.

use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use h2::client::{SendRequest, handshake};
use prost::Message as _;
use tokio::net::TcpStream;
use tonic::server::Grpc;
use tonic_prost::ProstCodec;

use tokenhouse_bench::generator::Run;

#[path = "../../../../crates/http/src/gate/envoy/messages.rs"]
#[expect(dead_code, reason = "the server has more to say than what is measured here")]
mod messages;

use messages::{
    Attributes, CheckRequest, CheckResponse, Described, Header, HttpRequest, Passed, SetHeader, Status, Verdict,
};

/// The one method.
pub const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
/// Connections, as few as an Envoy has, and questions under way at once on each.
const CONNECTIONS: usize = 4;
const AT_ONCE: usize = 16;
/// One answer in so many is read.
const LOOKED_AT: usize = 64;

/// Questions whose secret stands at a fixed place.
pub struct Questions<'a> {
    message: Vec<u8>,
    at: usize,
    secrets: &'a [String],
    /// The headers of the request.
    head: http::Request<()>,
}

/// A message as gRPC frames it.
fn framed(message: &impl prost::Message) -> Vec<u8> {
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.encoded_len()).expect("a length").to_be_bytes());
    framed.extend(message.encode_to_vec());
    framed
}

impl<'a> Questions<'a> {
    /// Questions about these secrets, by a gateway with this credential.
    pub fn new(gateway: &str, secrets: &'a [String]) -> Self {
        let headers = [("authorization", format!("Bearer {}", secrets[0])), ("user-agent", "bench".to_owned())];
        let http = HttpRequest {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            host: "bench.test".to_owned(),
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            ..HttpRequest::default()
        };
        let attributes = Attributes { request: Some(Described { http: Some(http) }), ..Attributes::default() };
        let message = framed(&CheckRequest { attributes: Some(attributes) });
        let secret = secrets[0].as_bytes();
        let at = message.windows(secret.len()).position(|part| part == secret).expect("the secret");
        let head = http::Request::post(format!("http://bench.test{CHECK}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("x-tokenhouse-gate", format!("Bearer {gateway}"))
            .body(())
            .expect("a request");
        Self { message, at, secrets, head }
    }

    fn about(&self, number: usize) -> Bytes {
        let (mut message, secret) = (self.message.clone(), self.secrets[number % self.secrets.len()].as_bytes());
        message[self.at..self.at + secret.len()].copy_from_slice(secret);
        message.into()
    }

    /// Asks as fast as it is answered.
    pub async fn closed(&self, address: &str, time: Duration) -> Run {
        let warm = time / 10;
        let begun = Instant::now();
        let connections = (0..CONNECTIONS).map(|number| async move {
            let stream = TcpStream::connect(address).await.expect("a connection");
            stream.set_nodelay(true).expect("no delay");
            let (client, connection) = handshake(stream).await.expect("HTTP/2");
            let driven = tokio::spawn(connection);
            let asking = (0..AT_ONCE).map(|part| {
                // Each begins elsewhere among the secrets.
                let first = (number * AT_ONCE + part) * (self.secrets.len() / (CONNECTIONS * AT_ONCE)).max(1);
                self.ask(client.clone(), first, begun + warm, begun + warm + time)
            });
            let all = futures::future::join_all(asking).await;
            driven.abort();
            all
        });
        let all = futures::future::join_all(connections).await.into_iter().flatten();
        let (mut took, mut body) = (Vec::new(), 0);
        for (times, length) in all {
            took.extend(times);
            body = length;
        }
        took.sort_unstable();
        Run { rate: took.len() as f64 / time.as_secs_f64(), took, body, unsure: 0 }
    }

    /// One question after the other; how long those took that were begun and answered within the time.
    async fn ask(&self, mut client: SendRequest<Bytes>, first: usize, from: Instant, to: Instant) -> (Vec<u64>, usize) {
        let (mut took, mut length) = (Vec::with_capacity(1 << 16), 0);
        for number in first.. {
            let begun = Instant::now();
            if begun >= to {
                break;
            }
            client = client.ready().await.expect("a stream");
            let (answer, mut sending) = client.send_request(self.head.clone(), false).expect("a request");
            sending.send_data(self.about(number), true).expect("a message");
            let mut body = answer.await.expect("an answer").into_body();
            let mut message = Vec::new();
            while let Some(piece) = body.data().await {
                let piece = piece.expect("a piece");
                body.flow_control().release_capacity(piece.len()).expect("room");
                message.extend_from_slice(&piece);
            }
            let trailers = body.trailers().await.expect("trailers").expect("trailers");
            assert_eq!(trailers["grpc-status"], "0");
            if number % LOOKED_AT == 0 {
                let answer = CheckResponse::decode(&message[5..]).expect("an answer");
                assert!(matches!(answer.verdict, Some(Verdict::Passed(_))), "it does not pass");
            }
            length = message.len();
            let ended = Instant::now();
            if begun >= from && ended < to {
                took.push(u64::try_from((ended - begun).as_nanos()).expect("nanoseconds"));
            }
        }
        (took, length)
    }
}

/// The bare server's answer, which is as long as ours.
pub async fn bare(request: Request, length: usize) -> Response {
    let answer = tower::service_fn(move |request: tonic::Request<CheckRequest>| async move {
        std::hint::black_box(request.into_inner());
        // Frame, lengths and tags take 20 bytes.
        let header = Header { key: " ".repeat(length.saturating_sub(20)), ..Header::default() };
        let headers = vec![SetHeader { header: Some(header), append_action: 0 }];
        let verdict = Some(Verdict::Passed(Passed { headers, headers_to_remove: Vec::new() }));
        Ok::<_, tonic::Status>(tonic::Response::new(CheckResponse { status: Some(Status { code: 0 }), verdict }))
    });
    let codec = ProstCodec::<CheckResponse, CheckRequest>::default();
    Grpc::new(codec).unary(answer, request).await.map(axum::body::Body::new)
}
