//! `_cat/*`: tables for people, or JSON with `format=json`.
//!
//! Invariant: columns and their order are Elasticsearch's defaults; `h` chooses, `s` sorts, `v` shows the head, `bytes` the unit.

use serde_json::{Map, Value, json};
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::lifecycle::bytes_text;
use wharf_store_core::wildcard::{NameOptions, glob};

use super::route::no_handler;
use super::search;
use super::{App, Call, Reply, tables};

/// Columns that stand to the right, their heads too; not all numbers do.
const RIGHT: [&str; 25] = [
    "pri",
    "rep",
    "docs.count",
    "docs.deleted",
    "store.size",
    "pri.store.size",
    "dataset.size",
    "docs",
    "store",
    "dataset",
    "heap.percent",
    "ram.percent",
    "cpu",
    "load_1m",
    "load_5m",
    "load_15m",
    "node.total",
    "node.data",
    "shards",
    "relo",
    "init",
    "unassign",
    "pending_tasks",
    "max_task_wait_time",
    "active_shards_percent",
];

pub(super) struct Table {
    pub(super) columns: Vec<(&'static str, &'static [&'static str])>,
    pub(super) rows: Vec<Vec<Cell>>,
}

#[derive(Clone)]
pub(super) enum Cell {
    Text(String),
    Number(u64),
    Bytes(u64),
}

impl Cell {
    fn show(&self, unit: Option<u64>) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(n) => n.to_string(),
            Self::Bytes(n) => match unit {
                Some(unit) => (n / unit).to_string(),
                None => bytes_text(*n),
            },
        }
    }
}

pub(super) fn text(value: impl Into<String>) -> Cell {
    Cell::Text(value.into())
}

fn render(call: &Call, table: &Table) -> EsResult<Reply> {
    let unit = match call.param("bytes") {
        None => None,
        Some("b") => Some(1),
        Some("kb" | "k") => Some(1 << 10),
        Some("mb" | "m") => Some(1 << 20),
        Some("gb" | "g") => Some(1 << 30),
        Some(other) => {
            return Err(EsError::illegal_argument(format!(
                "Unknown bytes unit [{other}]"
            )));
        }
    };
    let find = |name: &str| {
        table
            .columns
            .iter()
            .position(|(n, aliases)| *n == name || aliases.contains(&name))
    };
    let shown: Vec<usize> = match call.param("h") {
        Some(names) => names
            .split(',')
            .flat_map(|n| {
                if n.contains('*') {
                    (0..table.columns.len())
                        .filter(|i| glob(n, table.columns[*i].0))
                        .collect()
                } else {
                    find(n).into_iter().collect::<Vec<_>>()
                }
            })
            .collect(),
        None => (0..table.columns.len()).collect(),
    };
    let mut rows = table.rows.clone();
    if let Some(keys) = call.param("s") {
        for key in keys.split(',').rev() {
            let (name, order) = key.split_once(':').unwrap_or((key, "asc"));
            let Some(at) = find(name) else {
                return Err(EsError::illegal_argument(format!(
                    "Unable to sort by unknown sort key `{name}`"
                )));
            };
            rows.sort_by(|a, b| {
                let by = match (&a[at], &b[at]) {
                    (Cell::Number(x) | Cell::Bytes(x), Cell::Number(y) | Cell::Bytes(y)) => {
                        x.cmp(y)
                    }
                    (x, y) => x.show(Some(1)).cmp(&y.show(Some(1))),
                };
                if order == "desc" { by.reverse() } else { by }
            });
        }
    }
    match call.param("format") {
        Some(json) if json.eq_ignore_ascii_case("json") => {
            let list: Vec<Value> = rows
                .iter()
                .map(|row| {
                    let mut map = Map::new();
                    for at in &shown {
                        map.insert(table.columns[*at].0.to_owned(), json!(row[*at].show(unit)));
                    }
                    Value::Object(map)
                })
                .collect();
            return Ok(Reply::json(json!(list)));
        }
        None | Some("text" | "txt") => {}
        Some(other) => return Err(EsError::unsupported(format!("format={other}"))),
    }
    let mut lines: Vec<Vec<String>> = Vec::new();
    if call.flag("v")? {
        lines.push(
            shown
                .iter()
                .map(|i| table.columns[*i].0.to_owned())
                .collect(),
        );
    }
    for row in &rows {
        lines.push(shown.iter().map(|i| row[*i].show(unit)).collect());
    }
    let right: Vec<bool> = shown
        .iter()
        .map(|i| RIGHT.contains(&table.columns[*i].0))
        .collect();
    let widths: Vec<usize> = (0..shown.len())
        .map(|c| {
            lines
                .iter()
                .map(|l| l[c].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut out = String::new();
    for line in lines {
        let last = line.len().saturating_sub(1);
        for (at, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let pad = width - cell.chars().count();
            let pad = std::iter::repeat_n(' ', pad);
            if right[at] {
                out.extend(pad);
                out.push_str(cell);
            } else {
                out.push_str(cell);
                if at < last {
                    out.extend(pad);
                }
            }
            if at < last {
                out.push(' ');
            }
        }
        out.push('\n');
    }
    Ok(Reply::text(out))
}

/// `_cat/...`.
pub(super) fn cat(app: &App, call: &Call, rest: &[&str]) -> EsResult<Reply> {
    if call.flag("help")? {
        return Err(EsError::unsupported("_cat help"));
    }
    let options = |hidden: bool| {
        call.name_options(NameOptions {
            hidden,
            ..NameOptions::default()
        })
    };
    match rest {
        [] => Ok(Reply::text(
            "=^.^=\n/_cat/aliases\n/_cat/allocation\n/_cat/count\n/_cat/fielddata\n/_cat/health\n/_cat/indices\n/_cat/master\n/_cat/nodeattrs\n/_cat/nodes\n/_cat/pending_tasks\n/_cat/plugins\n/_cat/recovery\n/_cat/repositories\n/_cat/shards\n/_cat/templates\n/_cat/thread_pool\n"
                .into(),
        )),
        ["indices", rest @ ..] => {
            let expression = rest.first().copied().unwrap_or("*");
            let mut table = Table {
                columns: vec![
                    ("health", &["h"]), ("status", &["s"]), ("index", &["i", "idx"]), ("uuid", &["id"]),
                    ("pri", &["p"]), ("rep", &["r"]), ("docs.count", &["dc", "docsCount"]),
                    ("docs.deleted", &["dd", "docsDeleted"]), ("store.size", &["ss", "storeSize"]),
                    ("pri.store.size", &[]), ("dataset.size", &[]),
                ],
                rows: Vec::new(),
            };
            for index in app.catalog.select(expression, options(rest.is_empty())?)? {
                let s = index.shard.stats();
                table.rows.push(vec![
                    text("green"), text("open"), text(&index.name), text(&index.uuid), Cell::Number(1),
                    Cell::Number(0), Cell::Number(s.docs), Cell::Number(s.deleted), Cell::Bytes(s.disk_bytes),
                    Cell::Bytes(s.disk_bytes), Cell::Bytes(s.disk_bytes),
                ]);
            }
            render(call, &table)
        }
        ["health"] => {
            let count = app.catalog.indices().len() as u64;
            let now = app.catalog.now_ms();
            let day = now.div_euclid(1000).rem_euclid(86_400);
            let clock = format!("{:02}:{:02}:{:02}", day / 3600, day / 60 % 60, day % 60);
            let table = Table {
                columns: vec![
                    ("epoch", &["t"]), ("timestamp", &["ts"]), ("cluster", &["cl"]), ("status", &["st"]),
                    ("node.total", &["nt"]), ("node.data", &["nd"]), ("shards", &["sh"]), ("pri", &["p"]),
                    ("relo", &["r"]), ("init", &["i"]), ("unassign", &["u"]), ("pending_tasks", &["pt"]),
                    ("max_task_wait_time", &["mtwt"]), ("active_shards_percent", &["asp"]),
                ],
                rows: vec![vec![
                    Cell::Number((now / 1000) as u64), text(clock), text(&app.config.cluster_name), text("green"),
                    Cell::Number(1), Cell::Number(1), Cell::Number(count), Cell::Number(count), Cell::Number(0),
                    Cell::Number(0), Cell::Number(0), Cell::Number(0), text("-"), text("100.0%"),
                ]],
            };
            render(call, &table)
        }
        ["nodes"] => {
            let usage = wharf_runtime::self_usage::SelfUsage::read().unwrap_or_default();
            let percent = usage.resident_bytes * 100 / app.config.memory_bytes.max(1);
            let table = Table {
                columns: vec![
                    ("ip", &["i"]), ("heap.percent", &["hp"]), ("ram.percent", &["rp"]), ("cpu", &[]),
                    ("load_1m", &[]), ("load_5m", &[]), ("load_15m", &[]), ("node.role", &["r"]),
                    ("master", &["m"]), ("name", &["n"]),
                ],
                rows: vec![vec![
                    text(app.config.listen.ip().to_string()), Cell::Number(percent), Cell::Number(percent),
                    text("-"), text("-"), text("-"), text("-"), text("dim"), text("*"), text(&app.config.node_name),
                ]],
            };
            render(call, &table)
        }
        ["master" | "cluster_manager"] => {
            let ip = app.config.listen.ip().to_string();
            let table = Table {
                columns: vec![("id", &[]), ("host", &["h"]), ("ip", &[]), ("node", &["n"])],
                rows: vec![vec![text(&app.config.node_id), text(&ip), text(&ip), text(&app.config.node_name)]],
            };
            render(call, &table)
        }
        ["count", rest @ ..] => {
            let count = search::live_count(app, rest.first().copied().unwrap_or("*"), options(true)?)?;
            let now = app.catalog.now_ms();
            let day = now.div_euclid(1000).rem_euclid(86_400);
            let clock = format!("{:02}:{:02}:{:02}", day / 3600, day / 60 % 60, day % 60);
            let table = Table {
                columns: vec![("epoch", &["t"]), ("timestamp", &["ts"]), ("count", &["dc"])],
                rows: vec![vec![Cell::Number((now / 1000) as u64), text(clock), Cell::Number(count)]],
            };
            render(call, &table)
        }
        ["shards", rest @ ..] => {
            let expression = rest.first().copied().unwrap_or("*");
            let ip = app.config.listen.ip().to_string();
            let mut table = Table {
                columns: vec![
                    ("index", &["i"]), ("shard", &["s"]), ("prirep", &["p"]), ("state", &["st"]), ("docs", &["d"]),
                    ("store", &["sto"]), ("dataset", &[]), ("ip", &[]), ("node", &["n"]),
                ],
                rows: Vec::new(),
            };
            for index in app.catalog.select(expression, options(rest.is_empty())?)? {
                let s = index.shard.stats();
                table.rows.push(vec![
                    text(&index.name), Cell::Number(0), text("p"), text("STARTED"), Cell::Number(s.docs),
                    Cell::Bytes(s.disk_bytes), Cell::Bytes(s.disk_bytes), text(&ip), text(&app.config.node_name),
                ]);
            }
            render(call, &table)
        }
        ["templates", rest @ ..] => {
            let pattern = rest.first().copied().unwrap_or("*");
            let mut table = Table {
                columns: vec![
                    ("name", &["n"]), ("index_patterns", &["t"]), ("order", &["o", "p"]), ("version", &["v"]),
                    ("composed_of", &["c"]),
                ],
                rows: Vec::new(),
            };
            for row in app.catalog.read().definitions.templates.list() {
                if glob(pattern, &row.name) {
                    table.rows.push(vec![
                        text(row.name), text(row.patterns), text(row.order.to_string()), text(row.version),
                        text(row.components.unwrap_or_default()),
                    ]);
                }
            }
            render(call, &table)
        }
        ["aliases", rest @ ..] => {
            let pattern = rest.first().copied().unwrap_or("*");
            let mut table = Table {
                columns: vec![
                    ("alias", &["a"]), ("index", &["i", "idx"]), ("filter", &["f"]), ("routing.index", &["ri"]),
                    ("routing.search", &["rs"]), ("is_write_index", &["w"]),
                ],
                rows: Vec::new(),
            };
            for index in app.catalog.indices() {
                for (name, alias) in &index.facts.load().aliases {
                    if glob(pattern, name) {
                        let write = alias.is_write_index.map_or("-".to_owned(), |w| w.to_string());
                        let filter = if alias.filter.is_some() { "*" } else { "-" };
                        table.rows.push(vec![
                            text(name), text(&index.name), text(filter), text("-"), text("-"), text(write),
                        ]);
                    }
                }
            }
            render(call, &table)
        }
        [other, ..] => {
            if let Some(table) = tables::of_node(app, call, rest)? {
                return render(call, &table);
            }
            let known = ["snapshots", "tasks", "segments", "ml", "transforms", "segment_replication"];
            if known.contains(other) {
                Err(EsError::unsupported(format!("_cat/{other}")))
            } else {
                Err(no_handler(call))
            }
        }
    }
}
