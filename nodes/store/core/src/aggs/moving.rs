//! `moving_fn` and `moving_avg`: a value over a window of the buckets before.
//!
//! Formulas: those of Elasticsearch's `MovingFunctions` (linear weights ascend by one; `ewma` weighs the newest by alpha;
//! `holt` adds a trend weighed by beta). Not here: scripts of other functions, predictions (refused by name).

use serde_json::Value;

use crate::error::EsError;
use crate::query::params::Params;

/// Widest window, in buckets.
const MAX_WINDOW: usize = 65_536;

/// What is made of the values of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MovingFunction {
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// Their standard deviation, population.
    Deviation,
    /// Their mean, newer ones weighing more, by their number.
    Linear,
    /// The same, exponentially: alpha.
    Exponential(f64),
    /// With a trend: alpha, beta.
    Trend(f64, f64),
}

impl MovingFunction {
    /// The value of a window, oldest first; NaN if it has none.
    pub(super) fn of(self, values: &[f64]) -> f64 {
        let Some(first) = values.first() else {
            return match self {
                Self::Sum => 0.0,
                _ => f64::NAN,
            };
        };
        let mean = || values.iter().sum::<f64>() / values.len() as f64;
        match self {
            Self::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Self::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
            Self::Sum => values.iter().sum(),
            Self::Mean => mean(),
            Self::Deviation => {
                let mean = mean();
                let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
                (squares / values.len() as f64).sqrt()
            }
            Self::Linear => {
                let (mut sum, mut weights) = (0.0, 1.0);
                for (at, value) in values.iter().enumerate() {
                    let weight = (at + 1) as f64;
                    sum += value * weight;
                    weights += weight;
                }
                sum / weights
            }
            Self::Exponential(alpha) => values[1..]
                .iter()
                .fold(*first, |mean, value| value * alpha + mean * (1.0 - alpha)),
            Self::Trend(alpha, beta) => {
                let (mut level, mut trend) = (*first, 0.0);
                for value in &values[1..] {
                    let before = level;
                    level = alpha * value + (1.0 - alpha) * (before + trend);
                    trend = beta * (level - before) + (1.0 - beta) * trend;
                }
                level
            }
        }
    }

    /// From a script such as `MovingFunctions.ewma(values, 0.3)`.
    pub(super) fn parse(script: &str) -> Result<Self, EsError> {
        let unknown = || {
            EsError::unsupported(format!(
                "moving_fn script [{}]",
                script.chars().take(100).collect::<String>()
            ))
        };
        let text: String = script.chars().filter(|c| !c.is_whitespace()).collect();
        let text = text.strip_prefix("return").unwrap_or(&text);
        let call = text.trim_end_matches(';').strip_prefix("MovingFunctions.");
        let (name, rest) = call
            .and_then(|call| call.split_once('('))
            .ok_or_else(unknown)?;
        let rest = rest.strip_suffix(')').ok_or_else(unknown)?;
        if name == "stdDev" {
            return match rest {
                "values,MovingFunctions.unweightedAvg(values)" => Ok(Self::Deviation),
                _ => Err(unknown()),
            };
        }
        let mut arguments = rest.split(',');
        if arguments.next() != Some("values") {
            return Err(unknown());
        }
        let numbers = arguments
            .map(|text| text.parse::<f64>().ok().filter(|n| n.is_finite()))
            .collect::<Option<Vec<f64>>>()
            .ok_or_else(unknown)?;
        match (name, numbers.as_slice()) {
            ("max", []) => Ok(Self::Max),
            ("min", []) => Ok(Self::Min),
            ("sum", []) => Ok(Self::Sum),
            ("unweightedAvg", []) => Ok(Self::Mean),
            ("linearWeightedAvg", []) => Ok(Self::Linear),
            ("ewma", [alpha]) => Ok(Self::Exponential(*alpha)),
            ("holt", [alpha, beta]) => Ok(Self::Trend(*alpha, *beta)),
            _ => Err(unknown()),
        }
    }

    /// From the model of a `moving_avg`.
    pub(super) fn model(p: &mut Params<'_>) -> Result<Self, EsError> {
        let model = p.string("model")?.unwrap_or_else(|| "simple".to_owned());
        let none = Value::Object(serde_json::Map::new());
        let settings = p.take("settings").unwrap_or(&none);
        let mut s = Params::object("settings", settings)?;
        let mut share = |name: &'static str, default: f64| match s.number(name)? {
            None => Ok(default),
            Some(share) if (0.0..=1.0).contains(&share) => Ok(share),
            Some(_) => Err(EsError::parsing(format!(
                "Parameter [{name}] must be between 0-1 inclusive"
            ))),
        };
        let function = match model.as_str() {
            "simple" => Self::Mean,
            "linear" => Self::Linear,
            "ewma" => Self::Exponential(share("alpha", 0.3)?),
            "holt" => Self::Trend(share("alpha", 0.3)?, share("beta", 0.1)?),
            other => return Err(EsError::unsupported(format!("moving_avg model {other}"))),
        };
        s.finish_as_object()?;
        for name in ["predict", "minimize"] {
            if p.take(name)
                .is_some_and(|value| *value != Value::Bool(false))
            {
                return Err(EsError::unsupported(format!("moving_avg {name}")));
            }
        }
        Ok(function)
    }
}

/// How many buckets a window has.
pub(super) fn window(p: &mut Params<'_>, default: Option<usize>) -> Result<usize, EsError> {
    let window = match (p.size("window")?, default) {
        (Some(window), _) => window,
        (None, Some(default)) => default,
        (None, None) => {
            return Err(EsError::illegal_argument("Required [window]"));
        }
    };
    if window == 0 || window > MAX_WINDOW {
        return Err(EsError::json_parse(format!(
            "[window] must be a positive, non-zero integer of at most [{MAX_WINDOW}]."
        )));
    }
    Ok(window)
}

/// The value of each bucket that has one itself: over the window before it, moved by `shift`.
pub(super) fn over(
    values: &[f64],
    window: usize,
    shift: i64,
    function: MovingFunction,
) -> Vec<Option<f64>> {
    let known: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    let place = |at: i64| usize::try_from(at.max(0)).unwrap_or(0).min(known.len());
    let mut number = 0i64;
    values
        .iter()
        .map(|value| {
            if value.is_nan() {
                return None;
            }
            let end = number.saturating_add(shift);
            let from = place(end.saturating_sub(window as i64));
            number += 1;
            Some(function.of(&known[from..place(end).max(from)]))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn windows_end_before_their_bucket_unless_they_are_moved() {
        let values = [1.0, 2.0, f64::NAN, 4.0];
        let sums = |window, shift| over(&values, window, shift, MovingFunction::Sum);
        assert_eq!(sums(2, 0), [Some(0.0), Some(1.0), None, Some(3.0)]);
        assert_eq!(sums(2, 1), [Some(1.0), Some(3.0), None, Some(6.0)]);
    }

    #[test]
    fn functions_are_read_or_refused_by_name() {
        let read = |script: &str| MovingFunction::parse(script);
        assert_eq!(
            read("return MovingFunctions.holt(values, 0.5, 0.25);").unwrap(),
            MovingFunction::Trend(0.5, 0.25)
        );
        for script in [
            "values[0]",
            "MovingFunctions.nope(values)",
            "MovingFunctions.ewma(values)",
        ] {
            assert!(read(script).unwrap_err().is_unsupported(), "{script}");
        }
    }

    proptest! {
        #[test]
        fn any_script_is_read_or_refused(script in "\\PC{0,40}|(MovingFunctions\\.)?[a-zA-Z]{0,8}\\(?values[,0-9. ]{0,8}\\)?;?") {
            let _ = MovingFunction::parse(&script);
        }

        #[test]
        fn means_lie_between_the_extremes(values in prop::collection::vec(-1e6..1e6f64, 1..40), window in 1..50usize, shift in -5..5i64) {
            let low = over(&values, window, shift, MovingFunction::Min);
            let high = over(&values, window, shift, MovingFunction::Max);
            let mean = over(&values, window, shift, MovingFunction::Mean);
            for ((low, high), mean) in low.iter().zip(&high).zip(&mean) {
                let (low, high, mean) = (low.unwrap(), high.unwrap(), mean.unwrap());
                prop_assert!(mean.is_nan() || low - 1e-6 <= mean && mean <= high + 1e-6);
            }
        }
    }
}
