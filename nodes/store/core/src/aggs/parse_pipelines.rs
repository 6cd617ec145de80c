//! Options of aggregations of aggregations.
//! Not here: whether their paths lead anywhere (`pipeline.rs`).

use serde_json::Value;

use super::moving::{self, MovingFunction};
use super::script::Script;
use super::spec::{GapPolicy, PipelineSpec, SiblingOp};
use crate::error::EsError;
use crate::interval::{Interval, duration_ms};
use crate::query::params::{Params, number_of, scalar_text};

fn gaps(p: &mut Params<'_>) -> Result<GapPolicy, EsError> {
    match p.string("gap_policy")?.as_deref() {
        None | Some("skip") => Ok(GapPolicy::Skip),
        Some("insert_zeros") => Ok(GapPolicy::InsertZeros),
        Some("keep_values") => Ok(GapPolicy::KeepValues),
        Some(other) => Err(EsError::parsing(format!("Invalid gap policy: [{other}]"))),
    }
}

fn one_path(p: &mut Params<'_>) -> Result<String, EsError> {
    match p.require("buckets_path")? {
        Value::String(path) => Ok(path.clone()),
        Value::Array(items) if items.len() == 1 => {
            scalar_text(&items[0]).ok_or_else(|| EsError::parsing("[buckets_path] must be a name"))
        }
        _ => Err(EsError::parsing(format!(
            "[{}] takes one buckets_path",
            p.owner()
        ))),
    }
}

fn named_paths(p: &mut Params<'_>) -> Result<Vec<(String, String)>, EsError> {
    match p.require("buckets_path")? {
        Value::String(path) => Ok(vec![("_value".to_owned(), path.clone())]),
        Value::Object(map) if map.len() <= 64 => map
            .iter()
            .map(|(name, path)| match path.as_str() {
                Some(path) => Ok((name.clone(), path.to_owned())),
                None => Err(EsError::parsing(format!(
                    "[buckets_path.{name}] must be a name"
                ))),
            })
            .collect(),
        _ => Err(EsError::parsing(
            "[buckets_path] must be an object of names",
        )),
    }
}

fn script(p: &mut Params<'_>) -> Result<Script, EsError> {
    let (source, params) = match p.require("script")? {
        Value::String(source) => (source.clone(), Vec::new()),
        value @ Value::Object(_) => {
            let mut s = Params::object("script", value)?;
            let source = match s.string("source")? {
                Some(source) => source,
                None => s.need_string("inline")?,
            };
            if let Some(lang) = s.string("lang")?
                && !matches!(lang.as_str(), "painless" | "expression")
            {
                return Err(EsError::unsupported(format!("script lang {lang}")));
            }
            let mut params = Vec::new();
            if let Some(Value::Object(map)) = s.take("params") {
                for (name, value) in map {
                    let number = number_of(value).ok_or_else(|| {
                        EsError::unsupported(format!("script params.{name} that is no number"))
                    })?;
                    params.push((name.clone(), number));
                }
            }
            s.finish_as_object()?;
            (source, params)
        }
        _ => return Err(EsError::parsing("[script] must be a text or an object")),
    };
    Script::parse(&source, params)
}

/// The text of a script without parameters.
fn source(value: &Value) -> Result<String, EsError> {
    let text = match value {
        Value::Object(map) if map.len() == 1 => map.get("source").or_else(|| map.get("inline")),
        other => Some(other),
    };
    let text = text.and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| EsError::unsupported("moving_fn script with parameters"))
}

/// The pipeline of this name; `None` when the name is no pipeline's.
pub(super) fn pipeline(name: &str, body: &Value) -> Result<Option<PipelineSpec>, EsError> {
    let mut p = Params::object(name, body)?;
    let spec = match name {
        "derivative" => PipelineSpec::Derivative {
            path: one_path(&mut p)?,
            gaps: gaps(&mut p)?,
            unit_ms: match p.string("unit")? {
                None => None,
                Some(text) => Some(match Interval::calendar(&text) {
                    Ok(Interval::Calendar(unit)) => unit.about_ms(),
                    _ => duration_ms("unit", &text)?,
                })
                .filter(|ms| *ms > 0),
            },
        },
        "cumulative_sum" => PipelineSpec::CumulativeSum {
            path: one_path(&mut p)?,
        },
        "serial_diff" => PipelineSpec::SerialDiff {
            path: one_path(&mut p)?,
            lag: p.size("lag")?.unwrap_or(1).max(1),
            gaps: gaps(&mut p)?,
        },
        "moving_fn" => PipelineSpec::Moving {
            path: one_path(&mut p)?,
            window: moving::window(&mut p, None)?,
            shift: p.integer("shift")?.unwrap_or(0),
            skip_empty: false,
            function: MovingFunction::parse(&source(p.require("script")?)?)?,
            gaps: gaps(&mut p)?,
        },
        "moving_avg" => PipelineSpec::Moving {
            path: one_path(&mut p)?,
            window: moving::window(&mut p, Some(5))?,
            shift: 0,
            skip_empty: true,
            function: MovingFunction::model(&mut p)?,
            gaps: gaps(&mut p)?,
        },
        "bucket_script" => PipelineSpec::BucketScript {
            paths: named_paths(&mut p)?,
            script: script(&mut p)?,
            gaps: gaps(&mut p)?,
        },
        "bucket_selector" => PipelineSpec::BucketSelector {
            paths: named_paths(&mut p)?,
            script: script(&mut p)?,
            gaps: gaps(&mut p)?,
        },
        "bucket_sort" => {
            let mut sort = Vec::new();
            if let Some(value) = p.take("sort") {
                for key in crate::search::parse_sort(value)? {
                    let path = match key.key {
                        crate::search::SortKey::Field(path) => path,
                        _ => return Err(EsError::unsupported("bucket_sort by _score or _doc")),
                    };
                    sort.push((path, key.order == crate::search::SortOrder::Asc));
                }
            }
            PipelineSpec::BucketSort {
                sort,
                from: p.size("from")?.unwrap_or(0),
                size: p.size("size")?,
                gaps: gaps(&mut p)?,
            }
        }
        "max_bucket" | "min_bucket" | "avg_bucket" | "sum_bucket" | "stats_bucket"
        | "percentiles_bucket" => PipelineSpec::Sibling {
            op: match name {
                "max_bucket" => SiblingOp::Max,
                "min_bucket" => SiblingOp::Min,
                "avg_bucket" => SiblingOp::Avg,
                "sum_bucket" => SiblingOp::Sum,
                "stats_bucket" => SiblingOp::Stats,
                _ => SiblingOp::Percentiles(match p.take("percents") {
                    Some(Value::Array(items)) => items.iter().filter_map(number_of).collect(),
                    _ => vec![1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0],
                }),
            },
            path: one_path(&mut p)?,
            gaps: gaps(&mut p)?,
        },
        _ => return Ok(None),
    };
    if p.string("format")?.is_some() {
        return Err(EsError::unsupported(format!("{name} format")));
    }
    p.finish_as_object()?;
    Ok(Some(spec))
}
