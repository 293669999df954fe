//! `/healthz` and `/metrics`

use serde_json::json;
use tokenhouse_e2e::{House, both};

async fn metrics(house: &House) -> String {
    house.get("", "/metrics").await.expect(200).raw
}

/// The value of a series that is there exactly as written.
fn value(metrics: &str, series: &str) -> Option<i64> {
    metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

both! {
    async fn a_house_that_runs_is_live_and_ready(house) {
        let live = house.get("", "/healthz/live").await.expect(200);
        assert_eq!(live.raw, "live\n");
        let ready = house.get("", "/healthz/ready").await.expect(200);
        let checks = json!({"database": "answers", "clock": "is right", "journal": "is written"});
        assert_eq!(ready.body, json!({"status": "ready", "checks": checks}));
        // A bad credential does not make it sick.
        house.get("junk", "/healthz/ready").await.expect(200);
        house.restart().await;
        house.get("", "/healthz/ready").await.expect(200);
    }

    async fn metrics_count_requests_by_template_and_verdicts_by_reason(house) {
        let (id, token) = house.issue(&house.admin, json!({})).await;
        house.get(&house.admin, &format!("/v1/tokens/{id}")).await.expect(200);
        house.verdict(&token).await;
        house.verdict("junk").await;
        house.get("junk", "/v1/whoami").await.refused(401, "unauthenticated");
        let shown = house.get("", "/metrics").await.expect(200);
        assert!(shown.header("content-type").starts_with("application/openmetrics-text"));
        let text = shown.raw;
        assert!(text.ends_with("# EOF\n"));
        for (series, count) in [
            (r#"tokenhouse_http_requests_total{method="GET",route="/v1/tokens/{token}",status="200"}"#, 1),
            (r#"tokenhouse_http_requests_total{method="POST",route="/v1/tokens",status="201"}"#, 1),
            (r#"tokenhouse_http_requests_total{method="GET",route="/v1/whoami",status="401"}"#, 1),
            (r#"tokenhouse_http_request_seconds_count{route="/v1/verify"}"#, 2),
            (r#"tokenhouse_verdicts_total{surface="verify",outcome="good"}"#, 1),
            (r#"tokenhouse_verdicts_total{surface="verify",outcome="malformed"}"#, 1),
            (r#"tokenhouse_verdicts_total{surface="native",outcome="malformed"}"#, 1),
            ("tokenhouse_ready", 1),
            ("tokenhouse_journal_written", 1),
            ("tokenhouse_ledger_revision", house.revision().await),
        ] {
            assert_eq!(value(&text, series), Some(count), "{series}\n{text}");
        }
    }

    async fn what_callers_send_never_becomes_a_label(house) {
        let (id, secret) = house.issue(&house.admin, json!({})).await;
        house.get(&secret, &format!("/{secret}")).await.refused(404, "not_found");
        house.get(&secret, &format!("/v1/tokens/{secret}")).await.refused(404, "not_found");
        house.get(&secret, &format!("/v1/tokens/{id}?{secret}=1")).await;
        house.get("", "/path-of-no-route").await.refused(404, "not_found");
        house.send(house.request("INVENTED", "/v1/whoami")).await.refused(405, "method_not_allowed");
        let text = metrics(house).await;
        for sent in
            [secret.as_str(), id.as_str(), "path-of-no-route", "INVENTED", house.org.as_str(), "127.0.0.1", "admin@"]
        {
            assert!(!text.contains(sent), "{sent}");
        }
        assert_eq!(
            value(&text, r#"tokenhouse_http_requests_total{method="GET",route="(none)",status="404"}"#),
            Some(2)
        );
        assert_eq!(
            value(&text, r#"tokenhouse_http_requests_total{method="other",route="/v1/whoami",status="405"}"#),
            Some(1)
        );
    }

    async fn hostile_paths_make_no_more_series(house) {
        for round in 0..2 {
            house.get("", "/nothing").await.refused(404, "not_found");
            let series = metrics(house).await.lines().count();
            for n in 0..30 {
                house.get("", &format!("/nothing/{round}/{n}")).await.refused(404, "not_found");
            }
            metrics(house).await;
            let later = metrics(house).await.lines().count();
            // The series of `/metrics` itself may have been born meanwhile.
            assert!(later <= series + 20, "{series} {later}");
        }
    }

    async fn the_api_describes_itself(house) {
        let document = house.get("", "/v1/openapi.json").await.expect(200);
        assert!(document.text("openapi").starts_with("3.1"));
        assert!(document["paths"]["/v1/tokens"]["post"].is_object());
        assert!(document["components"]["schemas"]["Problem"].is_object());
    }
}
