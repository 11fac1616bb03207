//! Configurations: JSON values with typed, well-explained access.

use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A configuration object. The host reads it from TOML; it crosses the ABI as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Config(Value);

impl Config {
    /// Wraps a JSON value. Anything but an object has no keys.
    pub fn new(value: Value) -> Self {
        Self(value)
    }

    /// The JSON value.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The whole configuration as a typed structure.
    ///
    /// # Errors
    /// [`Error::Config`] with serde's account of what did not fit.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        let value = if self.0.is_null() { Value::Object(serde_json::Map::new()) } else { self.0.clone() };
        serde_json::from_value(value).map_err(|e| Error::Config {
            key: "(whole)".into(),
            expected: std::any::type_name::<T>().rsplit("::").next().unwrap_or("config").into(),
            found: e.to_string(),
        })
    }

    /// The value at a dotted path, if there is one.
    pub fn find(&self, key: &str) -> Option<&Value> {
        key.split('.').try_fold(&self.0, |value, part| value.get(part))
    }

    /// The typed value at a dotted path.
    ///
    /// # Errors
    /// [`Error::Config`] if it is absent or of another kind.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<T> {
        let fail = |found: String| Error::Config { key: key.into(), expected: std::any::type_name::<T>().into(), found };
        let value = self.find(key).ok_or_else(|| fail("nothing".into()))?;
        T::deserialize(value).map_err(|_| fail(value.to_string()))
    }

    /// The typed value at a dotted path, or `default` where it is absent.
    ///
    /// # Errors
    /// [`Error::Config`] if it is there but of another kind.
    pub fn get_or<T: DeserializeOwned>(&self, key: &str, default: T) -> Result<T> {
        if self.find(key).is_none() { Ok(default) } else { self.get(key) }
    }

    /// A copy with one top-level key set.
    #[must_use]
    pub fn with(&self, key: &str, value: impl Into<Value>) -> Self {
        let mut map = self.0.as_object().cloned().unwrap_or_default();
        map.insert(key.into(), value.into());
        Self(Value::Object(map))
    }

    /// Canonical bytes (sorted keys, no white space), for hashing.
    pub fn canonical(&self) -> String {
        fn sorted(value: &Value) -> Value {
            match value {
                Value::Object(map) => {
                    let mut entries: Vec<_> = map.iter().collect();
                    entries.sort_by_key(|(key, _)| key.as_str());
                    Value::Object(entries.into_iter().map(|(k, v)| (k.clone(), sorted(v))).collect())
                }
                Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
                other => other.clone(),
            }
        }
        sorted(&self.0).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_types_and_defaults() {
        let config = Config::new(json!({"train": {"epochs": 5, "lr": 0.05}}));
        assert_eq!(config.get::<u32>("train.epochs").unwrap(), 5);
        assert_eq!(config.get_or("train.batch", 64u32).unwrap(), 64);
        assert_eq!(config.get::<u32>("train.lr").unwrap_err().to_string(), "config key `train.lr`: expected u32, found 0.05");
        assert!(config.get::<u32>("model.depth").unwrap_err().to_string().ends_with("found nothing"));
    }

    #[test]
    fn canonical_form_ignores_the_order_of_keys() {
        let a = Config::new(json!({"a": {"x": 1, "y": 2}, "b": [1, 2]}));
        let b = Config::new(json!({"b": [1, 2], "a": {"y": 2, "x": 1}}));
        assert_eq!(a.canonical(), b.canonical());
        assert_eq!(a.canonical(), r#"{"a":{"x":1,"y":2},"b":[1,2]}"#);
    }
}
