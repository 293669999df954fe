//! Metrics in the Prometheus text format. Labels hold route templates and closed sets of words, never what callers sent.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, header};
use axum::response::IntoResponse;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokenhouse_authority::{housekeeping, verify};
use tokenhouse_model::Surface;
use tokenhouse_model::decide::Reason;

use crate::gate::{self, envoy};
use crate::{App, native, oauth};

/// What is counted of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Request {
    method: &'static str,
    route: Cow<'static, str>,
    status: u16,
}

impl EncodeLabelSet for Request {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        let status = self.status.to_string();
        [("method", self.method), ("route", &self.route), ("status", &status)].as_slice().encode(encoder)
    }
}

/// Where the time went.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Route(Cow<'static, str>);

impl EncodeLabelSet for Route {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        [("route", self.0.as_ref())].as_slice().encode(encoder)
    }
}

/// How a credential was decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Decided {
    surface: Surface,
    outcome: &'static str,
}

impl EncodeLabelSet for Decided {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        [("surface", self.surface.as_str()), ("outcome", self.outcome)].as_slice().encode(encoder)
    }
}

/// What is answered most: questions about credentials, and that they are good. Their places among the families are kept
/// at hand, because to look one up costs as much as to look up the credential.
const USUAL: [(&str, &str); 4] =
    [("POST", oauth::INTROSPECT), ("POST", native::VERIFY), ("GET", gate::GATE), ("POST", envoy::CHECK)];

#[derive(Debug)]
struct Usual {
    method: &'static str,
    route: &'static str,
    requests: Counter,
    seconds: Histogram,
}

const GOOD: Decided = Decided { surface: Surface::Verify, outcome: "good" };

/// The counters of this process.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    usual: [Usual; USUAL.len()],
    verdicts: Family<Decided, Counter>,
    /// Of them those about credentials that are good.
    good: Counter,
    ready: Gauge,
    journal: Gauge,
    /// In the order of [`GAUGES`].
    gauges: [Gauge; GAUGES.len()],
    /// In the order of [`verify::COUNTERS`].
    counters: [Counter; verify::COUNTERS.len()],
}

/// What is read when it is asked for.
const GAUGES: [(&str, &str); 7] = [
    ("ledger_revision", "The last revision of the ledger that this node has heard of"),
    ("applied_revision", "The revision up to which this node has applied the ledger"),
    ("clock_ahead_milliseconds", "How far this machine's clock is ahead of the database's"),
    ("memory_bytes", "What verify remembers, as weighed"),
    ("memory_secrets", "Secrets that verify remembers with their tokens"),
    ("memory_holders", "Accounts that verify remembers with what they hold"),
    ("memory_unknown", "Secrets of which verify remembers that they do not exist"),
];

fn histogram() -> Histogram {
    Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0])
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("tokenhouse");
        let requests: Family<Request, Counter> = Family::default();
        let seconds: Family<Route, Histogram, fn() -> Histogram> = Family::new_with_constructor(histogram);
        let verdicts: Family<Decided, Counter> = Family::default();
        let (ready, journal) = (Gauge::default(), Gauge::default());
        let gauges: [Gauge; GAUGES.len()] = Default::default();
        let counters: [Counter; verify::COUNTERS.len()] = Default::default();
        registry.register("http_requests", "Requests by method, route and status", requests.clone());
        registry.register("http_request_seconds", "Time to answer by route", seconds.clone());
        registry.register("verdicts", "Credentials decided by surface and outcome", verdicts.clone());
        registry.register("ready", "1 if this node can tell the truth", ready.clone());
        registry.register("journal_written", "1 if the journal of removed authority can be written", journal.clone());
        for ((name, help), gauge) in GAUGES.iter().zip(&gauges) {
            registry.register(*name, *help, gauge.clone());
        }
        for ((name, help), counter) in verify::COUNTERS.iter().zip(&counters) {
            registry.register(*name, *help, counter.clone());
        }
        let usual = USUAL.map(|(method, route)| Usual {
            method,
            route,
            requests: requests.get_or_create_owned(&Request { method, route: route.into(), status: 200 }),
            seconds: seconds.get_or_create_owned(&Route(route.into())),
        });
        let good = verdicts.get_or_create_owned(&GOOD);
        Self { registry, requests, seconds, usual, verdicts, good, ready, journal, gauges, counters }
    }

    pub(crate) fn served(&self, method: &Method, route: Cow<'static, str>, status: u16, took: Duration) {
        // Methods are free text on the wire.
        let method = match *method {
            Method::GET => "GET",
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            Method::HEAD => "HEAD",
            Method::OPTIONS => "OPTIONS",
            _ => "other",
        };
        let usual = |usual: &&Usual| status == 200 && usual.method == method && usual.route == route;
        if let Some(usual) = self.usual.iter().find(usual) {
            usual.requests.inc();
            usual.seconds.observe(took.as_secs_f64());
            return;
        }
        self.requests.get_or_create(&Request { method, route: route.clone(), status }).inc();
        self.seconds.get_or_create(&Route(route)).observe(took.as_secs_f64());
    }

    pub(crate) fn refused(&self, surface: Surface, reason: Reason) {
        self.verdict(surface, reason.as_str());
    }

    pub(crate) fn verdict(&self, surface: Surface, outcome: &'static str) {
        let decided = Decided { surface, outcome };
        if decided == GOOD {
            self.good.inc();
        } else {
            self.verdicts.get_or_create(&decided).inc();
        }
    }
}

/// Shows them.
pub(crate) async fn show(State(app): State<App>) -> impl IntoResponse {
    let metrics: &Arc<Metrics> = &app.metrics;
    let health = housekeeping::health(&app.ctx);
    let (pulse, filled) = (verify::pulse(&app.ctx), verify::filled(&app.ctx));
    metrics.ready.set(i64::from(health.fresh.is_ok() && health.clock_off.is_none()));
    metrics.journal.set(i64::from(health.journal.is_none()));
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let gauges = [
        pulse.head,
        pulse.applied,
        pulse.clock_ahead,
        i64::try_from(filled.bytes).unwrap_or(i64::MAX),
        count(filled.secrets),
        count(filled.holders),
        count(filled.unknown),
    ];
    metrics.gauges.iter().zip(gauges).for_each(|(gauge, value)| _ = gauge.set(value));
    let counters = verify::counters(&app.ctx);
    metrics.counters.iter().zip(counters).for_each(|(counter, value)| counter.inner().store(value, Relaxed));
    let mut text = String::new();
    // Writing into a string can't fail.
    let _ = encode(&mut text, &metrics.registry);
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}
