//! Files of other systems' tokens: whatever stands in them becomes a row or a refusal, and no refusal repeats a secret.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokenhouse_model::grafana;
use tokenhouse_model::import;
use tokenhouse_model::moving::{self, Owners, Reading, Source};

fuzz_target!(|bytes: &[u8]| {
    // Presented by anybody: taken apart or not, without a hash being made.
    let _ = grafana::Parts::of(bytes);
    let Ok(records) = moving::records(bytes) else { return };
    for source in Source::ALL {
        let owners = Owners { default: Some("sa::all".to_owned()), ..Owners::default() };
        let reading = Reading { source: *source, owners, bits: None };
        for record in &records {
            let Value::Object(members) = record else { continue };
            let secrets: Vec<&str> = ["token", "tokenID", "secret", "key", "sha256", "grafana", "id"]
                .iter()
                .filter_map(|name| members.get(*name)?.as_str())
                .filter(|text| text.len() >= 20 && !text.contains(' '))
                .collect();
            let refused = match moving::row(members.clone(), &reading) {
                Err(no) => no,
                Ok(row) => match import::read(row) {
                    Ok(row) => {
                        assert!(row.last4.len() <= 4);
                        continue;
                    }
                    Err(no) => no,
                },
            };
            assert!(secrets.iter().all(|secret| !refused.message.contains(secret)), "{refused:?}");
            if let Ok(row) = moving::native(members.clone()) {
                let _ = import::read(row);
            }
        }
    }
});
