//! Tables of `_cat` about the node: disk, recovery, pools, and those that are always empty here.
//!
//! Not here: how a table is written, and tables of indices (`cat`).

use wharf_store_core::error::EsResult;

use super::cat::{Cell, Table, text};
use super::indices::selected;
use super::{App, Call};

/// A table by its name; none if there is no such table here.
pub(super) fn of_node(app: &App, call: &Call, rest: &[&str]) -> EsResult<Option<Table>> {
    let ip = || text(app.config.listen.ip().to_string());
    let node = || text(&app.config.node_name);
    let empty = |columns: Vec<(&'static str, &'static [&'static str])>| Table {
        columns,
        rows: Vec::new(),
    };
    Ok(Some(match rest {
        ["pending_tasks"] => empty(vec![
            ("insertOrder", &["o"]),
            ("timeInQueue", &["t"]),
            ("priority", &["p"]),
            ("source", &["s"]),
        ]),
        ["repositories"] => {
            let mut table = empty(vec![("id", &[]), ("type", &["t"])]);
            if let Some(opened) = app.place.snapshots.opened() {
                let (kind, _) = opened.order.shown();
                let row = vec![text(&opened.order.repository), text(kind)];
                table.rows.push(row);
            }
            table
        }
        ["plugins"] => empty(vec![
            ("name", &["n"]),
            ("component", &["c"]),
            ("version", &["v"]),
        ]),
        ["nodeattrs"] => empty(vec![
            ("node", &["name"]),
            ("host", &["h"]),
            ("ip", &["i"]),
            ("attr", &["attr.name"]),
            ("value", &["attr.value"]),
        ]),
        // Nothing is loaded into memory field by field.
        ["fielddata", ..] => empty(vec![
            ("id", &[]),
            ("host", &["h"]),
            ("ip", &[]),
            ("node", &["n"]),
            ("field", &["f"]),
            ("size", &["s"]),
        ]),
        ["allocation", ..] => {
            let space = wharf_runtime::disk::space(&app.config.data_dir).ok();
            let (total, available) = space.map_or((0, 0), |s| (s.total_bytes, s.available_bytes));
            let used = total.saturating_sub(available);
            let indices = app.catalog.indices();
            let bytes = indices.iter().map(|index| index.shard.stats().disk_bytes);
            Table {
                columns: vec![
                    ("shards", &["s"]),
                    ("disk.indices", &["di"]),
                    ("disk.used", &["du"]),
                    ("disk.avail", &["da"]),
                    ("disk.total", &["dt"]),
                    ("disk.percent", &["dp"]),
                    ("host", &["h"]),
                    ("ip", &[]),
                    ("node", &["n"]),
                ],
                rows: vec![vec![
                    Cell::Number(indices.len() as u64),
                    Cell::Bytes(bytes.sum()),
                    Cell::Bytes(used),
                    Cell::Bytes(available),
                    Cell::Bytes(total),
                    Cell::Number(used * 100 / total.max(1)),
                    ip(),
                    ip(),
                    node(),
                ]],
            }
        }
        ["recovery", rest @ ..] => {
            let mut table = empty(vec![
                ("index", &["i", "idx"]),
                ("shard", &["s", "sh"]),
                ("type", &["ty"]),
                ("stage", &["st"]),
                ("target_host", &["thost"]),
                ("target_node", &["tnode"]),
                ("bytes_percent", &["bp"]),
                ("bytes_total", &["tb"]),
            ]);
            let expression = rest.first().copied().unwrap_or("_all");
            for index in selected(app, call, expression)? {
                table.rows.push(vec![
                    text(&index.name),
                    Cell::Number(0),
                    text("existing_store"),
                    text("done"),
                    ip(),
                    node(),
                    text("100.0%"),
                    Cell::Bytes(index.shard.stats().disk_bytes),
                ]);
            }
            table
        }
        // One pool works on everything.
        ["thread_pool", rest @ ..] => {
            let wanted = |names: &&str| names.split(',').any(|one| one == "*" || one == "search");
            let load = app.load();
            let mut table = empty(vec![
                ("node_name", &["nn"]),
                ("name", &["n"]),
                ("active", &["a"]),
                ("queue", &["q"]),
            ]);
            if rest.first().is_none_or(wanted) {
                table.rows.push(vec![
                    node(),
                    text("search"),
                    Cell::Number(load.active),
                    Cell::Number(load.queued),
                ]);
            }
            table
        }
        _ => return Ok(None),
    }))
}
