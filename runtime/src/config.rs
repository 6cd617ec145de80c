//! Settings in layers: flags, then `WHARF_*` variables, then a file, then the default.
//!
//! Invariants: the first layer that has a setting wins, an empty variable counts as not set; an error
//! names the setting and the layer it came from; the file is flat YAML or JSON, at most
//! [`MAX_FILE_BYTES`]. Pure but for [`SettingsFile::load`]. Not here: which settings there are.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::data_dir;

/// No settings file is larger than this.
pub const MAX_FILE_BYTES: u64 = 256 * 1024;

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the settings file {path}: {source}; check its owner and mode")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not `name: value` lines.
    #[error("cannot understand the settings file {path}: {reason}; write one `name: value` a line")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A value is not what the setting takes.
    #[error("`{value}` is no value for {name} (from {layer}): {reason}")]
    Value {
        /// The setting.
        name: String,
        /// What was given, cut to 80 characters.
        value: String,
        /// Where it came from.
        layer: Layer,
        /// What is wrong.
        reason: String,
    },
    /// A setting without default is not set.
    #[error("{name} is not set: give --{name} or {variable}")]
    Missing {
        /// The setting.
        name: String,
        /// The variable that would set it.
        variable: String,
    },
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// A flag of the command line.
    Flag,
    /// An environment variable.
    Variable(String),
    /// The settings file.
    File(PathBuf),
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("the command line"),
            Self::Variable(name) => write!(f, "the variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

/// The settings of a file, names in `kebab-case`.
#[derive(Clone, Debug, Default)]
pub struct SettingsFile {
    path: PathBuf,
    values: BTreeMap<String, String>,
}

impl SettingsFile {
    /// Reads a file; a missing one has no settings. Blocks.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let path = path.into();
        let bytes =
            data_dir::read_limited(&path, MAX_FILE_BYTES).map_err(|source| ConfigError::Read {
                path: path.clone(),
                source,
            })?;
        match bytes {
            None => Ok(Self {
                path,
                values: BTreeMap::new(),
            }),
            Some(bytes) => Self::parse(&path, &bytes),
        }
    }

    /// Understands the text of a file.
    ///
    /// # Errors
    /// When it is not flat.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, ConfigError> {
        use serde_yaml_ng::Value;
        let wrong = |reason: String| ConfigError::Syntax {
            path: path.to_path_buf(),
            reason,
        };
        let parsed: Option<BTreeMap<String, Value>> =
            serde_yaml_ng::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        let mut values = BTreeMap::new();
        for (name, value) in parsed.unwrap_or_default() {
            let text = match value {
                Value::String(text) => text,
                Value::Bool(flag) => flag.to_string(),
                Value::Number(number) => number.to_string(),
                Value::Null => continue,
                _ => return Err(wrong(format!("`{name}` is not one value"))),
            };
            values.insert(name.replace('_', "-"), text);
        }
        Ok(Self {
            path: path.to_path_buf(),
            values,
        })
    }

    /// The names that are set and not among `known`, for a warning.
    pub fn unknown<'a>(&'a self, known: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.values
            .keys()
            .map(String::as_str)
            .filter(move |name| !known.contains(name))
    }
}

/// All layers of one process.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    flags: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
    file: SettingsFile,
}

impl Layers {
    /// Layers of these flags, these variables (all of the environment; only `WHARF_*` count), this file.
    pub fn new(
        flags: impl IntoIterator<Item = (String, String)>,
        variables: impl IntoIterator<Item = (String, String)>,
        file: SettingsFile,
    ) -> Self {
        let variables = variables
            .into_iter()
            .filter(|(name, value)| name.starts_with("WHARF_") && !value.is_empty());
        Self {
            flags: flags.into_iter().collect(),
            variables: variables.collect(),
            file,
        }
    }

    /// The text of a setting (`kebab-case`) and where it came from.
    pub fn text(&self, name: &str) -> Option<(&str, Layer)> {
        if let Some(value) = self.flags.get(name) {
            return Some((value, Layer::Flag));
        }
        let variable = variable_of(name);
        if let Some(value) = self.variables.get(&variable) {
            return Some((value, Layer::Variable(variable)));
        }
        let value = self.file.values.get(name)?;
        Some((value, Layer::File(self.file.path.clone())))
    }

    /// A setting that may be missing.
    ///
    /// # Errors
    /// When it is set to something that is no `T`.
    pub fn get<T>(&self, name: &str) -> Result<Option<T>, ConfigError>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let Some((text, layer)) = self.text(name) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|error: T::Err| ConfigError::Value {
                name: name.to_owned(),
                value: text.chars().take(80).collect(),
                layer,
                reason: error.to_string(),
            })
    }

    /// A setting with a default.
    ///
    /// # Errors
    /// When it is set to something that is no `T`.
    pub fn get_or<T>(&self, name: &str, default: T) -> Result<T, ConfigError>
    where
        T: FromStr<Err: fmt::Display>,
    {
        Ok(self.get(name)?.unwrap_or(default))
    }

    /// A setting that must be there.
    ///
    /// # Errors
    /// When it is not, or is no `T`.
    pub fn require<T>(&self, name: &str) -> Result<T, ConfigError>
    where
        T: FromStr<Err: fmt::Display>,
    {
        self.get(name)?.ok_or_else(|| ConfigError::Missing {
            name: name.to_owned(),
            variable: variable_of(name),
        })
    }
}

/// The variable of a setting: `port-base` is `WHARF_PORT_BASE`.
pub fn variable_of(name: &str) -> String {
    format!("WHARF_{}", name.to_ascii_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn file(text: &str) -> Result<SettingsFile, ConfigError> {
        SettingsFile::parse(Path::new("wharf.yaml"), text.as_bytes())
    }

    #[test]
    fn the_first_layer_that_has_a_setting_wins() {
        let file = file("port_base: 1\nzone: z1\nname: from-file\nnothing:\n").unwrap();
        let variables = [("WHARF_PORT_BASE", "2"), ("WHARF_ZONE", ""), ("HOME", "/")];
        let layers = Layers::new(pairs(&[("name", "flag")]), pairs(&variables), file);
        assert_eq!(layers.require::<u16>("port-base").unwrap(), 2);
        assert_eq!(layers.require::<String>("zone").unwrap(), "z1");
        assert_eq!(layers.require::<String>("name").unwrap(), "flag");
        assert_eq!(layers.get_or("nothing", 7).unwrap(), 7);
        assert_eq!(
            layers.text("zone").unwrap().1,
            Layer::File("wharf.yaml".into())
        );
    }

    #[test]
    fn an_error_names_the_setting_and_where_it_came_from() {
        let layers = Layers::new(
            [],
            pairs(&[("WHARF_PORT_BASE", "many")]),
            SettingsFile::default(),
        );
        let error = layers.get::<u16>("port-base").unwrap_err().to_string();
        assert!(
            error.contains("port-base") && error.contains("WHARF_PORT_BASE"),
            "{error}"
        );
        let error = layers
            .require::<String>("data-dir")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("--data-dir") && error.contains("WHARF_DATA_DIR"),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_is_not_flat_or_not_yaml_is_refused_and_a_missing_one_is_empty() {
        assert!(file("a: [1, 2]").is_err());
        assert!(file("{{{").is_err());
        assert!(file("").unwrap().values.is_empty());
        assert!(
            SettingsFile::load("/does/not/exist")
                .unwrap()
                .values
                .is_empty()
        );
        let parsed = file("a: 1\nport-base: 2").unwrap();
        assert_eq!(parsed.unknown(&["port-base"]).collect::<Vec<_>>(), ["a"]);
    }
}
