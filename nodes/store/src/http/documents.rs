//! Single documents: `_doc`, `_create`, `_update`, `_source`, `_mget`.
//!
//! Not here: `_bulk`, documents by query (`by_query`).

use std::borrow::Cow;

use http::Method;
use serde_json::{Map, Value, json};
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::search::SourceFilter;

use super::{App, Call, Reply};
use crate::catalog::resolve::NameKind;
use crate::ingest::{Ingest, Operation, Result_, Verb};

/// Documents of one `_mget`.
const MAX_MGET: usize = 10_000;

/// What is written can be searched at once; the parameter must be right all the same.
pub(super) fn check_refresh(call: &Call) -> EsResult<()> {
    match call.param("refresh") {
        None | Some("" | "true" | "false" | "wait_for") => Ok(()),
        Some(other) => Err(EsError::illegal_argument(format!(
            "Unknown value for refresh: [{other}]."
        ))),
    }
}

fn if_seq(call: &Call) -> EsResult<Option<(u64, u64)>> {
    let seq = call.number::<u64>("if_seq_no")?;
    let term = call.number::<u64>("if_primary_term")?;
    match (seq, term) {
        (Some(seq), Some(term)) => Ok(Some((seq, term))),
        (None, None) => Ok(None),
        _ => Err(EsError::action_request_validation(
            "Validation Failed: 1: ifSeqNo and primary term must be given together;",
        )),
    }
}

fn apply(app: &App, operation: &Operation<'_>) -> EsResult<crate::ingest::Done> {
    let mut ingest = Ingest::new(&app.catalog);
    ingest.push(operation);
    ingest
        .finish()
        .pop()
        .unwrap_or_else(|| unreachable_outcome(operation))
        .map_err(|f| f.error)
}

fn unreachable_outcome(operation: &Operation<'_>) -> crate::ingest::ItemOutcome {
    Err(crate::ingest::Failed {
        index: operation.index.to_string(),
        id: None,
        error: EsError::internal("operation without outcome"),
    })
}

/// `PUT|POST {index}/_doc[/{id}]`, `PUT|POST {index}/_create/{id}`.
pub(super) fn write(
    app: &App,
    call: &Call,
    index: &str,
    id: Option<&str>,
    create: bool,
) -> EsResult<Reply> {
    if call.param("version").is_some()
        || call.param("version_type").is_some_and(|v| v != "internal")
    {
        return Err(EsError::unsupported("external versioning"));
    }
    if let Some(pipeline) = call.param("pipeline").filter(|p| *p != "_none") {
        return Err(EsError::illegal_argument(format!(
            "pipeline with id [{pipeline}] does not exist"
        )));
    }
    check_refresh(call)?;
    let create = create
        || match call.param("op_type") {
            Some("create") => true,
            Some("index") => false,
            // A document that gets its id here is new.
            None => id.is_none(),
            Some(other) => {
                return Err(EsError::illegal_argument(format!(
                    "opType must be 'create' or 'index', found: [{other}]"
                )));
            }
        };
    let body = call.body()?;
    if body.is_empty() {
        return Err(EsError::parse("request body is required"));
    }
    let operation = Operation {
        verb: if create { Verb::Create } else { Verb::Index },
        index: Cow::Borrowed(index),
        id: id.map(Cow::Borrowed),
        body: Cow::Borrowed(body),
        if_seq: if_seq(call)?,
        require_alias: call.flag("require_alias")?,
        require_data_stream: call.flag("require_data_stream")?,
        retry_on_conflict: 0,
    };
    let done = apply(app, &operation)?;
    let location = format!("/{}/_doc/{}", done.index, done.id);
    Ok(Reply::status(done.result.status(), done.body())
        .with_header(http::header::LOCATION, location))
}

/// `DELETE {index}/_doc/{id}`.
pub(super) fn delete(app: &App, call: &Call, index: &str, id: &str) -> EsResult<Reply> {
    check_refresh(call)?;
    let operation = Operation {
        verb: Verb::Delete,
        index: Cow::Borrowed(index),
        id: Some(Cow::Borrowed(id)),
        body: Cow::Borrowed(&[]),
        if_seq: if_seq(call)?,
        require_alias: false,
        require_data_stream: false,
        retry_on_conflict: 0,
    };
    let done = apply(app, &operation)?;
    Ok(Reply::status(done.result.status(), done.body()))
}

/// `POST {index}/_update/{id}`.
pub(super) fn update(app: &App, call: &Call, index: &str, id: &str) -> EsResult<Reply> {
    check_refresh(call)?;
    let shown = ["_source", "_source_includes", "_source_excludes"];
    let filter = match shown.iter().any(|name| call.param(name).is_some()) {
        true => Some(source_filter(call)?),
        false => None,
    };
    let operation = Operation {
        verb: Verb::Update,
        index: Cow::Borrowed(index),
        id: Some(Cow::Borrowed(id)),
        body: Cow::Borrowed(call.body()?),
        if_seq: if_seq(call)?,
        require_alias: call.flag("require_alias")?,
        require_data_stream: false,
        retry_on_conflict: call.number("retry_on_conflict")?.unwrap_or(0),
    };
    let done = apply(app, &operation)?;
    let mut body = done.body();
    let source = match (&done.source, &filter) {
        (Some(source), _) => serde_json::from_slice::<Value>(source).ok(),
        (None, Some(filter)) if !filter.disabled => {
            let mut read = read_one(app, &done.index, &done.id, filter)?;
            Some(read["_source"].take())
        }
        _ => None,
    };
    if let Some(source) = source {
        let source = match filter {
            Some(filter) => filter.apply(source),
            None => source,
        };
        body["get"] = json!({
            "_seq_no": done.seq, "_primary_term": 1, "found": true, "_source": source,
        });
    }
    Ok(Reply::status(
        if done.result == Result_::Created {
            201
        } else {
            200
        },
        body,
    ))
}

/// What of a source a `_doc` or `_mget` request wants.
fn source_filter(call: &Call) -> EsResult<SourceFilter> {
    let mut filter =
        match call.param("_source") {
            Some(text) => SourceFilter::parse(&json!(text.split(',').collect::<Vec<_>>()))
                .and_then(|f| match text {
                    "true" | "false" => SourceFilter::parse(&json!(text)),
                    _ => Ok(f),
                })?,
            None => SourceFilter::default(),
        };
    let list = |name: &str| -> Vec<String> {
        call.param(name)
            .into_iter()
            .flat_map(|t| t.split(','))
            .map(str::to_owned)
            .collect()
    };
    filter.includes.extend(list("_source_includes"));
    filter.excludes.extend(list("_source_excludes"));
    filter.check()?;
    // Nothing is stored beside the source; it is not shown with what is not there.
    let stored = call.param("stored_fields");
    let asked = ["_source", "_source_includes", "_source_excludes"];
    if stored.is_some_and(|names| names.split(',').all(|name| name != "_source"))
        && asked.iter().all(|name| call.param(name).is_none())
    {
        filter.disabled = true;
    }
    Ok(filter)
}

fn read_one(app: &App, index: &str, id: &str, filter: &SourceFilter) -> EsResult<Value> {
    let indices = {
        let state = app.catalog.read();
        match state.kind_of(index) {
            None => return Err(EsError::index_not_found(index)),
            Some(NameKind::Index) => state.indices.get(index).cloned().into_iter().collect(),
            Some(NameKind::DataStream) => state.stream_indices(index),
            Some(NameKind::Alias) => state.alias_indices(index),
        }
    };
    if let [only] = indices.as_slice() {
        return Ok(match only.shard.get(id)? {
            Some(found) => {
                let mut hit = Map::new();
                hit.insert("_index".into(), json!(only.name));
                hit.insert("_id".into(), json!(id));
                hit.insert("_version".into(), json!(found.version));
                hit.insert("_seq_no".into(), json!(found.seq));
                hit.insert("_primary_term".into(), json!(1));
                hit.insert("found".into(), json!(true));
                if !filter.disabled {
                    let source: Value = serde_json::from_slice(&found.source)
                        .map_err(|e| EsError::internal(format!("stored document: {e}")))?;
                    hit.insert("_source".into(), filter.apply(source));
                }
                Value::Object(hit)
            }
            None => json!({"_index": only.name, "_id": id, "found": false}),
        });
    }
    Err(EsError::illegal_argument(format!(
        "alias [{index}] has more than one index associated with it [{}], can't execute a single index op",
        indices
            .iter()
            .map(|i| i.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    )))
}

/// `GET|HEAD {index}/_doc/{id}`.
pub(super) fn get(app: &App, call: &Call, index: &str, id: &str) -> EsResult<Reply> {
    let body = read_one(app, index, id, &source_filter(call)?)?;
    let found = body["found"] == json!(true);
    Ok(Reply::status(if found { 200 } else { 404 }, body))
}

/// `GET|HEAD {index}/_source/{id}`.
pub(super) fn source(app: &App, call: &Call, index: &str, id: &str) -> EsResult<Reply> {
    let mut body = read_one(app, index, id, &source_filter(call)?)?;
    if body["found"] != json!(true) {
        return Err(EsError::resource_not_found(format!(
            "Document not found [{index}]/[{id}]"
        )));
    }
    Ok(Reply::json(body["_source"].take()))
}

/// `POST [{index}/]_mget`.
pub(super) fn mget(app: &App, call: &Call, index: Option<&str>) -> EsResult<Reply> {
    let body = call.required_json()?;
    if !body.is_object() {
        return Err(EsError::parsing(
            "the body of a multi get must be an object",
        ));
    }
    let default = source_filter(call)?;
    let mut wanted: Vec<(String, String, SourceFilter)> = Vec::new();
    for (key, value) in body.as_object().into_iter().flatten() {
        match key.as_str() {
            "docs" => {
                for doc in value.as_array().into_iter().flatten() {
                    const KNOWN: [&str; 10] = [
                        "_index",
                        "_id",
                        "_source",
                        "routing",
                        "stored_fields",
                        "version",
                        "version_type",
                        "_routing",
                        "_version",
                        "_version_type",
                    ];
                    let mut keys = doc.as_object().into_iter().flat_map(Map::keys);
                    if let Some(key) = keys.find(|key| !KNOWN.contains(&key.as_str())) {
                        return Err(EsError::parse(format!(
                            "failed to parse multi get request. unknown field [{}]",
                            key.chars().take(100).collect::<String>()
                        )));
                    }
                    if doc.get("version").is_some() || doc.get("_version").is_some() {
                        return Err(EsError::unsupported("_mget version"));
                    }
                    let name = doc.get("_index").and_then(Value::as_str).or(index);
                    let id = doc.get("_id").map(|v| match v {
                        Value::String(s) => s.clone(),
                        other => other.to_string(),
                    });
                    let (Some(name), Some(id)) = (name, id) else {
                        return Err(EsError::action_request_validation(
                            "Validation Failed: 1: index or id is missing for doc;",
                        ));
                    };
                    let filter = match doc.get("_source") {
                        Some(source) => SourceFilter::parse(source)?,
                        None => default.clone(),
                    };
                    wanted.push((name.to_owned(), id, filter));
                }
            }
            "ids" => {
                let name = index.ok_or_else(|| {
                    EsError::action_request_validation("Validation Failed: 1: index is missing;")
                })?;
                for id in value.as_array().into_iter().flatten() {
                    let id = match id {
                        Value::String(id) => id.clone(),
                        Value::Number(id) => id.to_string(),
                        _ => {
                            return Err(EsError::illegal_argument(
                                "ids array element should only contain ids",
                            ));
                        }
                    };
                    wanted.push((name.to_owned(), id, default.clone()));
                }
            }
            other => {
                return Err(EsError::parsing(format!(
                    "unknown key [{other}] for multi get"
                )));
            }
        }
    }
    if wanted.is_empty() {
        return Err(EsError::action_request_validation(
            "Validation Failed: 1: no documents to get;",
        ));
    }
    if wanted.len() > MAX_MGET {
        return Err(EsError::illegal_argument(format!(
            "more than {MAX_MGET} documents in one request"
        )));
    }
    let docs: Vec<Value> = wanted
        .iter()
        .map(|(index, id, filter)| {
            read_one(app, index, id, filter).unwrap_or_else(
                |error| json!({"_index": index, "_id": id, "error": error.body()["error"].clone()}),
            )
        })
        .collect();
    Ok(Reply::json(json!({"docs": docs})))
}

/// Routes the methods of `{index}/_doc[/{id}]`.
pub(super) fn doc(app: &App, call: &Call, index: &str, id: Option<&str>) -> EsResult<Reply> {
    match (&call.method, id) {
        (&Method::GET | &Method::HEAD, Some(id)) => get(app, call, index, id),
        (&Method::PUT | &Method::POST, Some(id)) => write(app, call, index, Some(id), false),
        (&Method::POST, None) => write(app, call, index, None, false),
        (&Method::DELETE, Some(id)) => delete(app, call, index, id),
        _ => Err(super::route::wrong_method(
            call,
            "GET, PUT, POST, DELETE, HEAD",
        )),
    }
}
