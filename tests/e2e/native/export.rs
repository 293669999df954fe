//! `/v1/tokens/export`, `/v1/accounts/export`, `/v1/ledger/export`

use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, Backend, House, both};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

const LISTS: [&str; 3] = ["tokens", "accounts", "ledger"];

async fn export(house: &House, with: &str, path: &str) -> Answer {
    house.get(with, path).await
}

/// The lines of an export.
async fn lines(house: &House, with: &str, path: &str) -> Vec<Value> {
    let answer = export(house, with, path).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/jsonl");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.raw.is_empty() || answer.raw.ends_with('\n'));
    answer.raw.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The records of CSV as RFC 4180 says.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut cell)),
            '\r' if !quoted => assert_eq!(chars.peek(), Some(&'\n')),
            '\n' if !quoted => {
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            c => cell.push(c),
        }
    }
    assert!(record.is_empty() && cell.is_empty() && !quoted, "{text}");
    records
}

/// What a cell holds of a member.
fn told(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Everything that a list shows, page by page.
async fn listed(house: &House, with: &str, list: &str) -> Vec<Value> {
    let (mut all, mut next) = (Vec::new(), String::new());
    loop {
        let page = house.get(with, &format!("/v1/{list}?limit=7{next}")).await.expect(200);
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        next = match &page["next"] {
            Value::String(cursor) => format!("&cursor={cursor}"),
            Value::Number(after) => format!("&after={after}"),
            _ => return all,
        };
    }
}

/// Copies the one token of this name so many times, each with this name, which may be longer than anyone may give.
async fn copies(house: &House, of: &str, name: &str, count: usize) {
    let many =
        format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n");
    let made = match house.database.backend {
        Backend::Sqlite => "randomblob(16)",
        Backend::Postgres => "gen_random_uuid()",
    };
    let sql = format!(
        "INSERT INTO token SELECT {made}, 'copy' || many.i, org_id, owner_id, kind, '{name}', '', state, scopes, reach,
            addresses, created_at, created_by, created_through, updated_at, not_before, expires_at, idle_limit,
            last_used_at, last_used_address, revoked_at, owner_fold, owner_type
        FROM token CROSS JOIN ({many}) AS many WHERE name = '{of}'"
    );
    house.database.execute(&sql).await;
}

both! {
    async fn an_export_is_what_lists_show_whole_and_in_order(house) {
        let (account, _) = house.service("ci", &["member"]).await;
        for name in ["one", "two", "three"] {
            house.issue(&house.admin, json!({"owner": account, "name": name})).await;
        }
        copies(house, "two", "copied", 1200).await;
        for list in LISTS {
            let shown = listed(house, &house.admin, list).await;
            let exported = lines(house, &house.admin, &format!("/v1/{list}/export")).await;
            assert!(exported == shown, "{list}: {} and {}", exported.len(), shown.len());
            assert_eq!(lines(house, &house.admin, &format!("/v1/{list}/export?format=jsonl")).await, shown);
            let csv = export(house, &house.admin, &format!("/v1/{list}/export?format=csv")).await.expect(200);
            assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
            let (names, rows) = {
                let mut records = records(&csv.raw);
                (records.remove(0), records)
            };
            assert_eq!(rows.len(), shown.len());
            for (row, item) in rows.iter().zip(&shown) {
                let cells: Vec<String> = names.iter().map(|name| told(item.get(name))).collect();
                assert_eq!(*row, cells);
            }
            // By what the request accepts.
            let request = house.request("GET", &format!("/v1/{list}/export")).bearer_auth(&house.admin);
            let accepted = house.send(request.header("accept", "text/csv")).await.expect(200);
            assert_eq!(accepted.raw, csv.raw);
        }
        // Narrowed as lists are.
        let path = format!("/v1/tokens/export?owner={account}&state=active&kind=service");
        assert_eq!(lines(house, &house.admin, &path).await.len(), 1204);
        assert_eq!(lines(house, &house.admin, "/v1/tokens/export?state=revoked").await.len(), 0);
        assert_eq!(lines(house, &house.admin, "/v1/accounts/export?kind=service&prefix=sa::c").await.len(), 1);
        let last = house.revision().await;
        assert_eq!(lines(house, &house.admin, &format!("/v1/ledger/export?after={}", last - 1)).await.len(), 1);
        assert_eq!(export(house, &house.admin, "/v1/tokens/export?state=revoked&format=csv").await.expect(200).raw.lines().count(), 1);
    }

    async fn no_export_has_a_secret_or_a_digest(house) {
        let (account, secret) = house.service("ci", &["member"]).await;
        house.secret(&secret);
        let digest = tokenhouse_model::secret::Digest::of(secret.as_bytes()).to_hex();
        house.get(&secret, "/v1/whoami").await.expect(200);
        let _ = account;
        for list in LISTS {
            for format in ["jsonl", "csv"] {
                let raw = export(house, &house.admin, &format!("/v1/{list}/export?format={format}")).await.expect(200).raw;
                for secret in [secret.as_str(), &digest, &house.admin, &house.password] {
                    assert!(!raw.contains(secret), "{list} {format}");
                }
            }
        }
    }

    async fn names_of_strangers_are_text_in_a_spreadsheet(house) {
        let hostile = [
            "=cmd|'/C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "=HYPERLINK(\"http://evil\",\"x\")", "a,b", "say \"hi\"",
            "plain", "'=x", " =x",
        ];
        let (account, _) = house.service("ci", &["member"]).await;
        for name in hostile {
            house.issue(&house.admin, json!({"owner": account, "name": name})).await;
        }
        house.patch(&house.admin, &format!("/v1/accounts/{account}"), json!({"description": "\"=1+1\",\r\n=2"})).await;
        let csv = export(house, &house.admin, &format!("/v1/tokens/export?format=csv&owner={account}")).await.expect(200);
        let records = records(&csv.raw);
        let at = records[0].iter().position(|name| name == "name").unwrap();
        // The account's first token has no name. Within one millisecond the order is that of random ids.
        let mut names: Vec<String> = records[1..].iter().map(|record| record[at].clone()).collect();
        names.sort();
        let mut safe: Vec<String> = hostile.iter().map(|name| told(Some(&json!(name)))).collect();
        safe.push(String::new());
        safe.sort();
        assert_eq!(names, safe);
        for list in LISTS {
            let csv = export(house, &house.admin, &format!("/v1/{list}/export?format=csv")).await.expect(200);
            for cell in self::records(&csv.raw).concat() {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
            }
        }
    }

    async fn exports_show_nobody_more_than_lists_do(house) {
        let (_, neighbour) = house.neighbour("second").await;
        let (account, lesser) = house.service("lesser", &["member"]).await;
        let own = lines(house, &lesser, "/v1/tokens/export").await;
        assert_eq!((own.len(), &own[0]["owner"]), (1, &json!(account)));
        house.get(&lesser, "/v1/ledger/export").await.refused(403, "missing_permission");
        let (_, limited) = house.issue(&house.admin, json!({"scopes": ["house:ledger"]})).await;
        house.get(&limited, "/v1/accounts/export").await.refused(403, "missing_permission");
        for list in LISTS {
            house.get("", &format!("/v1/{list}/export")).await.refused(401, "unauthenticated");
            house.get(&house.admin, &format!("/v1/{list}/export?format=xml")).await.refused(400, "invalid_field");
            house.get(&house.admin, &format!("/v1/{list}/export?limit=1")).await.refused(400, "malformed");
            assert_eq!(lines(house, &neighbour, &format!("/v1/{list}/export")).await, listed(house, &neighbour, list).await);
            let other = export(house, &neighbour, &format!("/v1/{list}/export")).await;
            assert!(!other.raw.contains(&account), "{list}");
        }
        house.get(&neighbour, &format!("/v1/tokens/export?owner={account}")).await.refused(404, "not_found");
        house.get(&house.admin, "/v1/ledger/export?after=-1").await.refused(400, "invalid_field");
    }

    async fn half_an_export_says_so_and_is_cut(house) {
        let (account, _) = house.service("ci", &["member"]).await;
        house.issue(&house.admin, json!({"owner": account, "name": "one"})).await;
        copies(house, "one", "copied", 900).await;
        // A row of the second page can't be read.
        let broken = "UPDATE token SET scopes = 'broken' WHERE id = (SELECT MAX(id) FROM token WHERE name = 'copied')";
        let broken = match house.database.backend {
            Backend::Sqlite => broken.to_owned(),
            Backend::Postgres => broken.replace("SELECT MAX(id) FROM token WHERE name = 'copied'", "SELECT id FROM token WHERE name = 'copied' ORDER BY id DESC LIMIT 1"),
        };
        house.database.execute(&broken).await;
        for (format, said) in [("jsonl", "{\"error\":{\"code\":\"internal\""), ("csv", "\"error: the export broke off")] {
            let request = house.request("GET", &format!("/v1/tokens/export?format={format}")).bearer_auth(&house.admin);
            let mut answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200);
            let mut came = String::new();
            let cut = loop {
                match answer.chunk().await {
                    Ok(Some(piece)) => came.push_str(std::str::from_utf8(&piece).unwrap()),
                    Ok(None) => break false,
                    Err(_) => break true,
                }
            };
            assert!(cut, "{format}: it must not look whole");
            assert!(came.lines().last().unwrap().starts_with(said), "{:?}", came.lines().last());
            assert!(came.lines().count() >= 500, "{}", came.lines().count());
            assert!(!came.contains("broken'") && !came.contains("scopes\":\"broken"));
        }
    }

    async fn a_credential_that_is_revoked_meanwhile_reads_no_further(house) {
        const ROWS: usize = 4000;
        house.issue(&house.admin, json!({"name": "one"})).await;
        let (id, secret) = house.issue(&house.admin, json!({})).await;
        copies(house, "one", &"x".repeat(4000), ROWS).await;
        // A client that reads slowly: what is on the way is bounded by the buffers of both sides.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(house.url.trim_start_matches("http://").parse().unwrap()).await.unwrap();
        let head = format!("GET /v1/tokens/export HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut begin = [0; 1000];
        stream.read_exact(&mut begin).await.unwrap();
        assert!(begin.starts_with(b"HTTP/1.1 200"));
        house.post(&house.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        let text = String::from_utf8_lossy(&rest);
        let rows = text.matches("\"created_at\"").count();
        assert!(rows < ROWS, "{rows}");
        assert!(text.contains("{\"error\":{\"code\":\"unauthenticated\""), "{}", &text[text.len() - 300..]);
        assert!(!text.ends_with("0\r\n\r\n"), "it must not look whole");
    }
}
