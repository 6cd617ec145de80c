//! Which handler a method and path have.
//!
//! Invariants: names that begin with `_` are endpoints, everything else may be an index; an unknown path is a 400 that
//! quotes it and a wrong method a 405, as Elasticsearch answers. Not here: the handlers.

use http::Method;
use serde_json::json;
use wharf_store_core::error::{EsError, EsResult};

use super::reply::{NO_HANDLER, WRONG_METHOD};
use super::{
    App, Call, Reply, aliases, analyze, bulk, by_query, cat, cluster, contexts, documents, indices,
    nodes, points, policies, search, security, streams, templates,
};

/// No handler has this path.
pub(super) fn no_handler(call: &Call) -> EsError {
    EsError::new(
        400,
        NO_HANDLER,
        format!(
            "no handler found for uri [{}] and method [{}]",
            call.target.split('?').next().unwrap_or_default(),
            call.method
        ),
    )
}

/// The path exists, not with this method.
pub(super) fn wrong_method(call: &Call, allowed: &str) -> EsError {
    EsError::new(
        405,
        WRONG_METHOD,
        format!(
            "Incorrect HTTP method for uri [{}] and method [{}], allowed: [{}]",
            call.target, call.method, allowed
        ),
    )
}

/// Known in Elasticsearch, not done here.
pub(super) fn unsupported(what: &str) -> EsError {
    EsError::new(
        501,
        "unsupported_operation_exception",
        format!("[{what}] is not supported by this store"),
    )
}

/// Answers a call.
pub(super) fn dispatch(app: &App, call: Call) -> EsResult<Reply> {
    let call = &call;
    let parts: Vec<&str> = call.parts.iter().map(String::as_str).collect();
    let m = &call.method;
    let read = matches!(*m, Method::GET | Method::HEAD);
    let get_or_post = read || *m == Method::POST;
    let put_or_post = matches!(*m, Method::PUT | Method::POST);
    match parts.as_slice() {
        [] if read => Ok(cluster::root(app)),
        ["_search"] if get_or_post => search::search(app, call, None),
        ["_search", "scroll", rest @ ..] if get_or_post => {
            contexts::scroll(app, call, rest.first().copied())
        }
        ["_search", "scroll", rest @ ..] if *m == Method::DELETE => {
            contexts::clear_scroll(app, call, rest.first().copied())
        }
        ["_search", "point_in_time", "_all"] if read => Ok(points::list(app)),
        ["_search", "point_in_time", rest @ ..]
            if *m == Method::DELETE && matches!(rest, [] | ["_all"]) =>
        {
            points::close(app, call, !rest.is_empty())
        }
        ["_pit"] if *m == Method::DELETE => contexts::close_pit(app, call),
        ["_msearch"] if get_or_post => search::msearch(app, call, None),
        ["_count"] if get_or_post => search::count(app, call, None),
        ["_field_caps"] if get_or_post => search::field_caps(app, call, None),
        ["_validate", "query"] if get_or_post => search::validate(app, call, None),
        ["_bulk"] if put_or_post => bulk::bulk(app, call, None),
        ["_mget"] if get_or_post => documents::mget(app, call, None),
        ["_reindex"] if *m == Method::POST => by_query::reindex(app, call),
        ["_license"] if read => Ok(cluster::license(app)),
        ["_xpack", ..] if read => Ok(cluster::xpack(app)),
        ["_cat", rest @ ..] if get_or_post => cat::cat(app, call, rest),
        ["_cluster", rest @ ..] => cluster::cluster(app, call, rest),
        ["_nodes", rest @ ..] if read => nodes::nodes(app, call, rest),
        ["_stats", ..] if read => nodes::stats(app, call, "_all"),
        ["_tasks", id] if read => Err(EsError::resource_not_found(format!(
            "task [{}] isn't running and hasn't stored its results",
            id.chars().take(100).collect::<String>()
        ))),
        ["_tasks"] if read => Ok(Reply::json(json!({"nodes": {}}))),
        // None can be made here, so there are none.
        ["_remote", "info"] if read => Ok(Reply::json(json!({}))),
        ["_segments"] if read => nodes::segments(app, call, "_all"),
        ["_recovery"] if read => nodes::recovery(app, call, "_all"),
        ["_search_shards"] if get_or_post => nodes::search_shards(app, call, "_all"),
        ["_cache", "clear"] if *m == Method::POST => indices::refresh(app, call, "_all"),
        ["_resolve", "index", expression] if get_or_post => indices::resolve(app, call, expression),
        ["_security", rest @ ..] => security::security(app, call, rest),
        ["_ilm", rest @ ..] => policies::ilm(app, call, rest),
        ["_ingest", rest @ ..] => policies::ingest(call, rest),
        ["_index_template", rest @ ..] => templates::index_template(app, call, rest),
        ["_component_template", rest @ ..] => templates::component_template(app, call, rest),
        ["_template", rest @ ..] => templates::legacy_template(app, call, rest),
        ["_data_stream", rest @ ..] => streams::data_stream(app, call, rest),
        ["_alias" | "_aliases", rest @ ..] if read => {
            aliases::aliases_of(app, call, "_all", rest.first().copied())
        }
        ["_aliases"] if *m == Method::POST => aliases::change_aliases(app, call),
        ["_mapping" | "_mappings"] if read => indices::mapping(app, call, "_all"),
        ["_mapping", "field", fields] if read => indices::field_mapping(app, call, "_all", fields),
        ["_settings", ..] if read => indices::settings(app, call, "_all"),
        ["_settings"] if *m == Method::PUT => indices::put_settings(app, call, "_all"),
        ["_refresh"] if get_or_post => indices::refresh(app, call, "_all"),
        ["_flush", ..] if get_or_post => indices::flush(app, call, "_all"),
        ["_forcemerge"] if *m == Method::POST => indices::force_merge(app, call, "_all"),
        ["_analyze"] if get_or_post => analyze::analyze(app, call, None),
        ["_all"] if *m == Method::DELETE => indices::delete(app, call, "_all"),
        [name, ..] if name.starts_with('_') && *name != "_all" => {
            let known = [
                "_watcher",
                "_ml",
                "_async_search",
                "_sql",
                "_eql",
                "_scripts",
                "_rank_eval",
                "_transform",
                "_rollup",
                "_slm",
                "_enrich",
                "_ccr",
                "_remote",
                "_ssl",
                "_monitoring",
                "_mtermvectors",
                "_render",
                "_features",
                "_shard_stores",
                "_dangling",
                "_autoscaling",
                "_query",
                "_inference",
            ];
            if known.contains(name) {
                Err(unsupported(name))
            } else {
                Err(no_handler(call))
            }
        }
        [index] => indices::index(app, call, index),
        [index, rest @ ..] => of_index(app, call, index, rest),
        _ => Err(no_handler(call)),
    }
}

fn of_index(app: &App, call: &Call, index: &str, rest: &[&str]) -> EsResult<Reply> {
    let m = &call.method;
    let read = matches!(*m, Method::GET | Method::HEAD);
    let get_or_post = read || *m == Method::POST;
    let put_or_post = matches!(*m, Method::PUT | Method::POST);
    match rest {
        ["_search"] if get_or_post => search::search(app, call, Some(index)),
        ["_msearch"] if get_or_post => search::msearch(app, call, Some(index)),
        ["_count"] if get_or_post => search::count(app, call, Some(index)),
        ["_field_caps"] if get_or_post => search::field_caps(app, call, Some(index)),
        ["_validate", "query"] if get_or_post => search::validate(app, call, Some(index)),
        ["_search", "point_in_time"] if *m == Method::POST => points::open(app, call, index),
        ["_pit"] if *m == Method::POST => contexts::open_pit(app, call, index),
        ["_bulk"] if put_or_post => bulk::bulk(app, call, Some(index)),
        ["_mget"] if get_or_post => documents::mget(app, call, Some(index)),
        ["_doc"] => documents::doc(app, call, index, None),
        ["_doc", id] => documents::doc(app, call, index, Some(id)),
        ["_create", id] if put_or_post => documents::write(app, call, index, Some(id), true),
        ["_update", id] if *m == Method::POST => documents::update(app, call, index, id),
        ["_source", id] if read => documents::source(app, call, index, id),
        ["_update_by_query"] if *m == Method::POST => by_query::update_by_query(app, call, index),
        ["_delete_by_query"] if *m == Method::POST => by_query::delete_by_query(app, call, index),
        ["_mapping" | "_mappings"] if read => indices::mapping(app, call, index),
        ["_mapping" | "_mappings"] if put_or_post => indices::put_mapping(app, call, index),
        ["_mapping", "field", fields] if read => indices::field_mapping(app, call, index, fields),
        ["_settings", ..] if read => indices::settings(app, call, index),
        ["_settings"] if *m == Method::PUT => indices::put_settings(app, call, index),
        ["_alias" | "_aliases", rest @ ..] => {
            aliases::alias(app, call, index, rest.first().copied())
        }
        ["_refresh"] if get_or_post => indices::refresh(app, call, index),
        ["_flush", ..] if get_or_post => indices::flush(app, call, index),
        ["_forcemerge"] if *m == Method::POST => indices::force_merge(app, call, index),
        ["_stats", ..] if read => nodes::stats(app, call, index),
        ["_segments"] if read => nodes::segments(app, call, index),
        ["_recovery"] if read => nodes::recovery(app, call, index),
        ["_search_shards"] if get_or_post => nodes::search_shards(app, call, index),
        ["_cache", "clear"] if *m == Method::POST => indices::refresh(app, call, index),
        ["_rollover", ..] if *m == Method::POST => streams::rollover(app, call, index),
        ["_analyze"] if get_or_post => analyze::analyze(app, call, Some(index)),
        ["_ilm", "explain"] if read => policies::explain(app, call, index),
        ["_open"] if *m == Method::POST => {
            app.catalog
                .select(index, call.name_options(Default::default())?)?;
            Ok(Reply::json(
                json!({"acknowledged": true, "shards_acknowledged": true}),
            ))
        }
        [
            "_close" | "_clone" | "_split" | "_shrink" | "_termvectors" | "_explain" | "_rank_eval"
            | "_async_search" | "_downsample" | "_block" | "_segments" | "_recovery",
            ..,
        ] => Err(unsupported(rest[0])),
        _ => Err(no_handler(call)),
    }
}
