//! `_index_template`, `_component_template`, `_template`: what they mean, and how they are shown, is core's.
//!
//! Invariant: a change is kept whole or not at all. Not here: what templates give an index (`catalog::change`).

use http::Method;
use serde_json::json;
use wharf_store_core::error::{EsError, EsResult};

use super::route::no_handler;
use super::{App, Call, Reply};

fn head(known: bool) -> Reply {
    Reply::empty(if known { 200 } else { 404 })
}

/// `_index_template[/{name}]`, `_simulate[/{name}]`, `_simulate_index/{name}`.
pub(super) fn index_template(app: &App, call: &Call, rest: &[&str]) -> EsResult<Reply> {
    match (&call.method, rest) {
        (&Method::POST, ["_simulate_index", name]) => {
            let state = app.catalog.read();
            let answer = state.definitions.templates.simulate_index(name)?;
            Ok(Reply::json(answer))
        }
        (&Method::POST, ["_simulate"] | ["_simulate", _]) => {
            let body = Some(call.json()?).filter(|body| !body.is_null());
            let state = app.catalog.read();
            let templates = &state.definitions.templates;
            let answer = templates.simulate(rest.get(1).copied(), body.as_ref())?;
            Ok(Reply::json(answer))
        }
        (&Method::PUT | &Method::POST, [name]) => {
            let body = call.required_json()?;
            let create = call.flag("create")?;
            app.catalog
                .define(|d| d.templates.put_index(name, &body, create))?;
            Ok(Reply::acknowledged())
        }
        (&Method::HEAD, [name]) => {
            let state = app.catalog.read();
            Ok(head(state.definitions.templates.shows_index(name)))
        }
        (&Method::GET, [] | [_]) => {
            let pattern = rest.first().copied().unwrap_or("*");
            let state = app.catalog.read();
            Ok(Reply::json(
                state.definitions.templates.render_index(pattern)?,
            ))
        }
        (&Method::DELETE, [pattern]) => {
            app.catalog.define(|d| {
                d.templates.delete_index(pattern)?;
                match d.data_streams.keys().find(|name| !d.templates.makes_data_stream(name)) {
                    Some(stream) => Err(EsError::illegal_argument(format!(
                        "unable to remove composable templates [{pattern}] as they are in use by a data streams [{stream}]"
                    ))),
                    None => Ok(()),
                }
            })?;
            Ok(Reply::acknowledged())
        }
        _ => Err(no_handler(call)),
    }
}

/// `_component_template[/{name}]`.
pub(super) fn component_template(app: &App, call: &Call, rest: &[&str]) -> EsResult<Reply> {
    match (&call.method, rest) {
        (&Method::PUT | &Method::POST, [name]) => {
            let body = call.required_json().map_err(|error| match error.kind() {
                "json_parse_exception" | "unexpected_end_of_input_exception" => {
                    EsError::json_parse("[component_template] failed to parse object")
                        .caused_by(error)
                }
                _ => error,
            })?;
            let create = call.flag("create")?;
            app.catalog
                .define(|d| d.templates.put_component(name, &body, create))?;
            Ok(Reply::acknowledged())
        }
        (&Method::HEAD, [name]) => {
            let state = app.catalog.read();
            Ok(head(state.definitions.templates.shows_component(name)))
        }
        (&Method::GET, [] | [_]) => {
            let pattern = rest.first().copied().unwrap_or("*");
            let state = app.catalog.read();
            let answer = state.definitions.templates.render_components(pattern)?;
            Ok(Reply::json(answer))
        }
        (&Method::DELETE, [pattern]) => {
            app.catalog
                .define(|d| d.templates.delete_component(pattern))?;
            Ok(Reply::acknowledged())
        }
        _ => Err(no_handler(call)),
    }
}

/// `_template[/{name}]`, the older kind.
pub(super) fn legacy_template(app: &App, call: &Call, rest: &[&str]) -> EsResult<Reply> {
    match (&call.method, rest) {
        (&Method::PUT | &Method::POST, [name]) => {
            let body = call.required_object()?;
            let create = call.flag("create")?;
            app.catalog
                .define(|d| d.templates.put_legacy(name, &body, create))?;
            Ok(Reply::acknowledged())
        }
        (&Method::HEAD, [name]) => {
            let state = app.catalog.read();
            Ok(head(state.definitions.templates.shows_legacy(name)))
        }
        (&Method::GET, [] | [_]) => {
            let pattern = rest.first().copied().unwrap_or("*");
            let state = app.catalog.read();
            let templates = &state.definitions.templates;
            // The older kind answers nothing, where the newer ones name what is missing.
            if !pattern.contains('*') && !templates.shows_legacy(pattern) {
                return Ok(Reply::status(404, json!({})));
            }
            Ok(Reply::json(templates.render_legacy(pattern)?))
        }
        (&Method::DELETE, [pattern]) => {
            app.catalog.define(|d| d.templates.delete_legacy(pattern))?;
            Ok(Reply::acknowledged())
        }
        _ => Err(no_handler(call)),
    }
}
