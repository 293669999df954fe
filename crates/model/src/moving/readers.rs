//! One function for each system from which tokens move in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::fields::{Record, malformed};
use super::{Owners, Reading};
use crate::import::No;
use crate::{Millis, Uuid};

/// Grafana keeps when a token ends in seconds.
const SECOND: Millis = 1000;
/// Random bits of a key that better-auth makes unless it is told otherwise: 64 letters of both cases.
const BETTER_AUTH: u64 = 364;

/// A row without what is not there.
fn present(value: Value) -> Map<String, Value> {
    let Value::Object(mut members) = value else { return Map::new() };
    members.retain(|_, value| !value.is_null());
    members
}

fn no_owner(what: &str) -> No {
    No::new("unknown_owner", format!("{what} has no owner here: name it in the owner map, or give one for all"))
}

/// Tokenhouse's own rows, with what was said for all of them.
pub(super) fn tokenhouse(record: Record, reading: &Reading) -> Map<String, Value> {
    let mut row = record.0;
    let named = row.get("owner").and_then(Value::as_str).and_then(|owner| reading.owners.map.get(owner)).cloned();
    if let Some(owner) = named {
        row.insert("owner".to_owned(), owner.into());
    }
    let bare = |row: &Map<String, Value>, name: &str| row.get(name).is_none_or(Value::is_null);
    if bare(&row, "owner")
        && bare(&row, "kind")
        && let Some(owner) = &reading.owners.default
    {
        row.insert("owner".to_owned(), owner.clone().into());
    }
    if !bare(&row, "sha256")
        && bare(&row, "bits")
        && let Some(bits) = reading.bits
    {
        row.insert("bits".to_owned(), bits.into());
    }
    row
}

/// `UserApiToken` and `ApiTokenModel` (wavefront.md 3): the id of a token is its secret, unless the system hides it.
pub(super) fn wavefront(mut record: Record, owners: &Owners) -> Result<Map<String, Value>, No> {
    let id = record.text(&["tokenID", "id"]).ok_or_else(|| malformed("there is no tokenID".to_owned()))?;
    if Uuid::try_parse(&id).is_ok_and(|id| id.get_version_num() != 4) || id.starts_with('*') {
        let message = "this list tells the token's public id and not its secret: take the list of a system that tells \
            secrets, or ask the owner";
        return Err(No::new("no_secret", message));
    }
    let account = record.text(&["account"]);
    let owner = owners.map.get(account.as_deref().unwrap_or_default()).cloned().or(account);
    let owner = owner.or_else(|| owners.default.clone()).ok_or_else(|| no_owner("the token"))?;
    Ok(present(json!({
        "token": id,
        "owner": owner,
        "name": record.text(&["tokenName", "name"]),
        "created_at": record.time(&["dateGenerated", "createdEpochMillis"], 1)?,
        "last_used_at": record.time(&["lastUsed"], 1)?,
        "reach": ["wavefront", "verify"],
    })))
}

/// An org token (splunk.md 1.7). It belongs to the org and holds what its scopes say, as permissions of a service.
pub(super) fn splunk(mut record: Record) -> Result<Map<String, Value>, No> {
    let secret = record.text(&["secret"]);
    let secret = secret.ok_or_else(|| {
        No::new("no_secret", "the list tells no secret: ask as an administrator who may read the token")
    })?;
    let mut permissions = Vec::new();
    for scope in record.take(&["authScopes"]).as_ref().and_then(Value::as_array).into_iter().flatten() {
        permissions.push(match scope.as_str() {
            Some("API") => "external/splunk/api",
            Some("INGEST") => "external/splunk/ingest",
            Some("RUM") => "external/splunk/rum",
            _ => return Err(malformed("authScopes has a scope that is not known".to_owned())),
        });
    }
    Ok(present(json!({
        "token": secret,
        "kind": "org",
        "name": record.text(&["name"]),
        "created_at": record.time(&["created"], 1)?,
        "expires_at": record.time(&["expiry"], 1)?,
        "permissions": permissions,
        "disabled": record.flag(&["disabled"])?,
        "reach": ["splunk", "verify"],
    })))
}

/// A row of Grafana's table `api_key`.
pub(super) fn grafana(mut record: Record, owners: &Owners) -> Result<Map<String, Value>, No> {
    let hash = record.text(&["key"]).ok_or_else(|| malformed("there is no key".to_owned()))?;
    if record.flag(&["is_revoked", "isRevoked"])? == Some(true) {
        return Err(No::new("revoked", "Grafana had revoked it"));
    }
    let account = record.text(&["service_account_id", "serviceAccountId"]);
    let owner = owners.of(account).ok_or_else(|| no_owner("its service_account_id"))?;
    Ok(present(json!({
        "grafana": hash,
        "owner": owner,
        "name": record.text(&["name"]),
        "created_at": record.time(&["created"], SECOND)?,
        "expires_at": record.time(&["expires"], SECOND)?,
        "last_used_at": record.time(&["last_used_at", "lastUsedAt"], SECOND)?,
    })))
}

/// A row of better-auth's table `apikey`.
pub(super) fn better_auth(mut record: Record, reading: &Reading) -> Result<Map<String, Value>, No> {
    let key = record.text(&["key"]).ok_or_else(|| malformed("there is no key".to_owned()))?;
    if record.take(&["remaining"]).is_some() {
        return Err(No::new("unsupported", "it may be used so many times only, which can't be kept here"));
    }
    let user = record.text(&["userId", "user_id", "referenceId", "reference_id"]);
    let owner = reading.owners.of(user).ok_or_else(|| no_owner("its userId"))?;
    // Without hashing, which can be switched off there, the key stands in clear.
    let hashed = URL_SAFE_NO_PAD.decode(&key).is_ok_and(|bytes| bytes.len() == 32);
    let proof = if hashed { "sha256" } else { "token" };
    // Without what it may not do it would be more than it was.
    let permissions = match record.take(&["permissions"]) {
        None => None,
        Some(value) => Some(permissions(value).ok_or_else(|| malformed("permissions can't be read".to_owned()))?),
    };
    let enabled = record.flag(&["enabled"])?;
    Ok(present(json!({
        proof: key,
        "bits": hashed.then(|| reading.bits.unwrap_or(BETTER_AUTH)),
        "owner": owner,
        "name": record.text(&["name"]),
        "created_at": record.time(&["createdAt", "created_at"], 1)?,
        "expires_at": record.time(&["expiresAt", "expires_at"], 1)?,
        "last_used_at": record.time(&["lastRequest", "last_request"], 1)?,
        "permissions": permissions,
        "disabled": enabled.map(|enabled| !enabled),
    })))
}

/// `{"files": ["read"]}` as the permission `external/files/read`.
fn permissions(value: Value) -> Option<Vec<String>> {
    let value = match value {
        Value::String(text) => serde_json::from_str(&text).ok()?,
        value => value,
    };
    let Value::Object(resources) = value else { return None };
    let mut all = Vec::new();
    for (resource, actions) in resources {
        for action in actions.as_array()? {
            all.push(format!("external/{resource}/{}", action.as_str()?));
        }
    }
    Some(all)
}
