//! Metrics in the Prometheus text format. Labels hold route templates and closed sets of words, never what callers sent.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
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

use crate::App;

/// Labels, as names and values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Labels(Vec<(&'static str, String)>);

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>().as_slice().encode(encoder)
    }
}

/// The counters of this process.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
    verdicts: Family<Labels, Counter>,
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
        let requests = Family::default();
        let seconds: Family<Labels, Histogram, fn() -> Histogram> = Family::new_with_constructor(histogram);
        let (verdicts, ready, journal) = (Family::default(), Gauge::default(), Gauge::default());
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
        Self { registry, requests, seconds, verdicts, ready, journal, gauges, counters }
    }

    pub(crate) fn served(&self, method: &str, route: &str, status: u16, took: Duration) {
        // Methods are free text on the wire.
        let method = if matches!(method, "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS") {
            method
        } else {
            "other"
        };
        let labels = vec![("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
        self.requests.get_or_create(&Labels(labels)).inc();
        self.seconds.get_or_create(&Labels(vec![("route", route.to_owned())])).observe(took.as_secs_f64());
    }

    pub(crate) fn refused(&self, surface: Surface, reason: Reason) {
        self.verdict(surface, reason.as_str());
    }

    pub(crate) fn verdict(&self, surface: Surface, outcome: &'static str) {
        let labels = vec![("surface", surface.to_string()), ("outcome", outcome.to_owned())];
        self.verdicts.get_or_create(&Labels(labels)).inc();
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
