//! `_security`: who am I, API keys. Users come from the users file only.

use http::Method;
use serde_json::{Value, json};
use wharf_store_core::error::{EsError, EsResult};

use super::contexts::time_value;
use super::route::no_handler;
use super::{App, Call, Reply};
use crate::auth::ApiKey;

const MAX_NAME: usize = 256;

/// `_security/...`.
pub(super) fn security(app: &App, call: &Call, rest: &[&str]) -> EsResult<Reply> {
    match (&call.method, rest) {
        (&Method::GET, ["_authenticate"]) => Ok(Reply::json(whoami(call))),
        (&Method::GET | &Method::POST, ["user", "_has_privileges"]) => Ok(has_privileges(call)?),
        (&Method::GET, ["_query", "api_key"]) => list(app, call),
        (&Method::PUT | &Method::POST, ["api_key"]) => create(app, call),
        (&Method::GET, ["api_key"]) => list(app, call),
        (&Method::DELETE, ["api_key"]) => invalidate(app, call),
        (&Method::GET, ["user"] | ["user", _]) => {
            let name = &call.principal.username;
            match rest.get(1) {
                Some(wanted) if *wanted != name => Ok(Reply::status(404, json!({}))),
                _ => Ok(Reply::json(json!({name: {
                    "username": name, "roles": ["superuser"], "full_name": null, "email": null,
                    "metadata": {}, "enabled": true,
                }}))),
            }
        }
        (
            _,
            ["user", ..] | ["role", ..] | ["role_mapping", ..] | ["oauth2", ..] | ["privilege", ..],
        ) => Err(EsError::unsupported(format!(
            "_security/{}",
            rest.join("/")
        ))),
        _ => Err(no_handler(call)),
    }
}

fn whoami(call: &Call) -> Value {
    let realm = if call.principal.api_key.is_some() {
        "_es_api_key"
    } else {
        "file"
    };
    let mut body = json!({
        "username": call.principal.username,
        "roles": ["superuser"],
        "full_name": null,
        "email": null,
        "metadata": {},
        "enabled": true,
        "authentication_realm": {"name": realm, "type": realm},
        "lookup_realm": {"name": realm, "type": realm},
        "authentication_type": if call.principal.api_key.is_some() { "api_key" } else { "realm" },
    });
    if let Some(id) = &call.principal.api_key {
        body["api_key"] = json!({"id": id});
    }
    body
}

/// Every principal may do everything, so every question is answered yes.
fn has_privileges(call: &Call) -> EsResult<Reply> {
    let body = call.required_json()?;
    let yes = |list: Option<&Value>| -> Value {
        let names = list
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        Value::Object(names.map(|n| (n.to_owned(), json!(true))).collect())
    };
    let mut index = serde_json::Map::new();
    for entry in body
        .get("index")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        for name in entry
            .get("names")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if let Some(name) = name.as_str() {
                index.insert(name.to_owned(), yes(entry.get("privileges")));
            }
        }
    }
    Ok(Reply::json(json!({
        "username": call.principal.username,
        "has_all_requested": true,
        "cluster": yes(body.get("cluster")),
        "index": index,
        "application": {},
    })))
}

fn create(app: &App, call: &Call) -> EsResult<Reply> {
    let body = call.required_json()?;
    let mut name = None;
    let mut expiration_ms = None;
    let mut metadata = json!({});
    let now = app.catalog.now_ms();
    for (key, value) in body.as_object().into_iter().flatten() {
        match (key.as_str(), value) {
            ("name", Value::String(text)) => name = Some(text.clone()),
            ("expiration", Value::String(text)) => {
                expiration_ms = Some(now.saturating_add(time_value(text)?));
            }
            ("expiration", Value::Null) => {}
            ("metadata", Value::Object(_)) => metadata = value.clone(),
            ("role_descriptors", roles)
                if roles.as_object().is_none_or(serde_json::Map::is_empty) => {}
            ("role_descriptors", _) => {
                return Err(EsError::unsupported("role_descriptors in API keys"));
            }
            (other, _) => {
                return Err(EsError::json_parse(format!(
                    "[api_key_request] unknown field [{other}]"
                )));
            }
        }
    }
    let name = name.filter(|n| !n.trim().is_empty()).ok_or_else(|| {
        EsError::action_request_validation("Validation Failed: 1: api key name is required;")
    })?;
    if name.len() > MAX_NAME {
        return Err(EsError::action_request_validation(
            "Validation Failed: 1: api key name may not be more than 256 characters long;",
        ));
    }
    let made = app
        .auth
        .keys()
        .create(
            &call.principal.username,
            &name,
            expiration_ms,
            metadata,
            now,
        )
        .map_err(|e| EsError::new(503, "cluster_block_exception", e.to_string()))?;
    let encoded = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", made.key.id, made.secret))
    };
    let mut answer = json!({
        "id": made.key.id, "name": name, "api_key": made.secret, "encoded": encoded,
    });
    if let Some(at) = expiration_ms {
        answer["expiration"] = json!(at);
    }
    Ok(Reply::json(answer))
}

fn key_body(key: &ApiKey) -> Value {
    let mut body = json!({
        "id": key.id,
        "name": key.name,
        "type": "rest",
        "creation": key.creation_ms,
        "invalidated": key.invalidated,
        "username": key.owner,
        "realm": "file",
        "metadata": key.metadata,
        "role_descriptors": {},
    });
    if let Some(at) = key.expiration_ms {
        body["expiration"] = json!(at);
    }
    body
}

fn list(app: &App, call: &Call) -> EsResult<Reply> {
    let (id, name, user) = (call.param("id"), call.param("name"), call.param("username"));
    let owner = call.flag("owner")?;
    let active = call.flag("active_only")?;
    let now = app.catalog.now_ms();
    let keys = app.auth.keys().list(|k| {
        id.is_none_or(|i| i == k.id)
            && name.is_none_or(|n| wharf_store_core::wildcard::glob(n, &k.name))
            && user.is_none_or(|u| u == k.owner)
            && (!owner || k.owner == call.principal.username)
            && (!active || (!k.invalidated && k.expiration_ms.is_none_or(|e| e > now)))
    });
    if let Some(id) = id.filter(|_| keys.is_empty()) {
        return Err(EsError::resource_not_found(format!(
            "api key [{id}] not found"
        )));
    }
    let list: Vec<Value> = keys.iter().map(key_body).collect();
    Ok(Reply::json(json!({"api_keys": list})))
}

fn invalidate(app: &App, call: &Call) -> EsResult<Reply> {
    let body = call.required_json()?;
    let mut ids: Vec<String> = Vec::new();
    let (mut name, mut user, mut owner) = (None, None, false);
    for (key, value) in body.as_object().into_iter().flatten() {
        match (key.as_str(), value) {
            ("id", Value::String(id)) => ids.push(id.clone()),
            ("ids", Value::Array(many)) => {
                ids.extend(many.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            ("name", Value::String(n)) => name = Some(n.clone()),
            ("username", Value::String(u)) => user = Some(u.clone()),
            ("owner", Value::Bool(flag)) => owner = *flag,
            ("realm_name", _) => {}
            (other, _) => return Err(EsError::json_parse(format!("unknown field [{other}]"))),
        }
    }
    if ids.is_empty() && name.is_none() && user.is_none() && !owner {
        return Err(EsError::action_request_validation(
            "Validation Failed: 1: One of [api key id(s), api key name, username, realm name] must be specified if [owner] flag is false;",
        ));
    }
    let me = call.principal.username.clone();
    let removed = app
        .auth
        .keys()
        .invalidate(|k| {
            (ids.is_empty() || ids.contains(&k.id))
                && name.as_ref().is_none_or(|n| *n == k.name)
                && user.as_ref().is_none_or(|u| *u == k.owner)
                && (!owner || k.owner == me)
        })
        .map_err(|e| EsError::new(503, "cluster_block_exception", e.to_string()))?;
    app.auth.forget();
    Ok(Reply::json(json!({
        "invalidated_api_keys": removed.now,
        "previously_invalidated_api_keys": removed.before,
        "error_count": 0,
    })))
}
