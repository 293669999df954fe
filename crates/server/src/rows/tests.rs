use std::io::Cursor;

use serde_json::json;
use tokenhouse_model::moving::Owners;

use super::*;

fn rows(text: &[u8], layout: Layout, source: Source) -> Rows {
    let owners = Owners { default: Some("sa::all".to_owned()), ..Owners::default() };
    Rows::new(Box::new(Cursor::new(text.to_vec())), layout, Reading { source, owners, bits: None }).unwrap()
}

/// Line and row of each record, or the code of its refusal.
fn all(text: &[u8], layout: Layout, source: Source) -> Vec<(u64, Value)> {
    let mut rows = rows(text, layout, source);
    std::iter::from_fn(|| rows.next().unwrap())
        .map(|record| (record.line, record.row.map_or_else(|no| no.code.into(), Value::Object)))
        .collect()
}

#[test]
fn lines_are_read_one_by_one_and_a_bad_one_spoils_no_other() {
    let long = format!("{{\"token\": \"{}\"}}", "x".repeat(1 << 17));
    let text = format!("{{\"token\": \"a\"}}\n\nnot json\n[1]\n{long}\n{{\"token\": \"b\", \"owner\": \"me\"}}");
    let read = all(text.as_bytes(), Layout::Jsonl, Source::Tokenhouse);
    let expected = json!([
        [1, {"token": "a", "owner": "sa::all"}], [3, "malformed"], [4, "malformed"], [5, "malformed"],
        [6, {"token": "b", "owner": "me"}],
    ]);
    assert_eq!(serde_json::to_value(read).unwrap(), expected);
}

#[test]
fn a_table_is_read_by_its_header() {
    let text = "token,owner,permissions,expires_at,disabled,reach\r\na,me,\"house:read house:verify\",1900000000000,f,\n\
        b,,-,2033-01-01T00:00:00Z,1,verify\nc,too,few\n\"d\ne\",,,,,\n";
    let read = all(text.as_bytes(), Layout::Csv, Source::Tokenhouse);
    let expected = json!([
        [2, {"token": "a", "owner": "me", "permissions": ["house:read", "house:verify"],
            "expires_at": 1_900_000_000_000_i64, "disabled": false}],
        [3, {"token": "b", "owner": "sa::all", "permissions": [], "expires_at": "2033-01-01T00:00:00Z", "disabled": true,
            "reach": ["verify"]}],
        [4, "malformed"],
        [5, {"token": "d\ne", "owner": "sa::all"}],
    ]);
    assert_eq!(serde_json::to_value(read).unwrap(), expected);
}

#[test]
fn lines_of_a_table_are_counted_as_an_editor_counts_them() {
    for end in ["\n", "\r\n"] {
        let text = ["token,owner", "a,", "\"b", "b", "b\",", "c,", "", "d,", "\"e", "\",\"", "\"", "f,", ""].join(end);
        let read = all(text.as_bytes(), Layout::Csv, Source::Tokenhouse);
        let lines: Vec<u64> = read.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 6, 8, 9, 12], "{end:?}");
    }
    let text = b"token,owner\r\n\"\xFF\r\n\",\r\nb,\r\n";
    let read = all(text, Layout::Csv, Source::Tokenhouse);
    assert_eq!(read.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(read[0].1, "malformed");
}

#[test]
fn a_record_without_end_is_not_kept() {
    let text = format!("token,owner\n\"{}", "x".repeat(1 << 20));
    let mut rows = rows(text.as_bytes(), Layout::Csv, Source::Tokenhouse);
    assert!(matches!(rows.next(), Err(Failure::Other(said)) if said.contains("64 KiB")));
}

#[test]
fn a_document_is_read_through_whatever_stands_around_its_list() {
    let page = |n: u32| json!({"status": {}, "response": {"items": [{"tokenID": format!("t{n}"), "account": "sa::x"}], "totalItems": 2}});
    let text = format!("{}\n{}[3]", page(1), page(2));
    let read = all(text.as_bytes(), Layout::Json, Source::Wavefront);
    let row = |n: u32| json!({"token": format!("t{n}"), "owner": "sa::x", "reach": ["wavefront", "verify"]});
    assert_eq!(serde_json::to_value(read).unwrap(), json!([[1, row(1)], [2, row(2)], [3, "malformed"]]));
    let owners = Owners::default();
    let reading = Reading { source: Source::Splunk, owners, bits: None };
    assert!(Rows::new(Box::new(Cursor::new(b"{\"results\": [".to_vec())), Layout::Json, reading).is_err());
}
