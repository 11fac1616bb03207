//! `--name value` options and positional arguments of a command.

use std::collections::BTreeMap;
use zoo_core::{Error, Result};

/// Parsed arguments.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) positional: Vec<String>,
    named: BTreeMap<String, String>,
}

impl Options {
    /// Reads arguments; only `known` options and exactly `positional` plain arguments are taken.
    pub(super) fn read(args: &[String], known: &[&str], positional: usize) -> Result<Self> {
        let mut options = Self::default();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let Some(name) = arg.strip_prefix("--") else {
                options.positional.push(arg.clone());
                continue;
            };
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_string())),
                None => (name, rest.next().cloned()),
            };
            let Some(value) = value.filter(|_| known.contains(&name)) else {
                let expected = known.iter().map(|k| format!("--{k} VALUE")).collect::<Vec<_>>().join(", ");
                return Err(Error::argument("option", if expected.is_empty() { "none".into() } else { expected }, arg));
            };
            options.named.insert(name.into(), value);
        }
        if options.positional.len() != positional {
            return Err(Error::argument("plain arguments", positional.to_string(), options.positional.join(" ")));
        }
        Ok(options)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.named.get(name).map(String::as_str)
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str) -> Result<Option<u32>> {
        let parse = |text: &str| text.parse().map_err(|_| Error::argument(format!("option --{name}"), "a whole number", text));
        self.text(name).map(parse).transpose()
    }

    /// Whole numbers with commas between them.
    pub(super) fn numbers(&self, name: &str) -> Result<Option<Vec<u32>>> {
        let bad = |part: &str| Error::argument(format!("option --{name}"), "whole numbers with commas between them", part);
        self.text(name).map(|text| text.split(',').map(|part| part.parse().map_err(|_| bad(part))).collect()).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    fn read(text: &str) -> zoo_core::Result<Options> {
        Options::read(&text.split_whitespace().map(String::from).collect::<Vec<_>>(), &["steps", "limit"], 1)
    }

    #[test]
    fn options_and_arguments() {
        let options = read("name --steps 2,4 --limit=10").unwrap();
        assert_eq!(options.positional, ["name"]);
        assert_eq!(options.numbers("steps").unwrap().unwrap(), [2, 4]);
        assert_eq!(options.number("limit").unwrap(), Some(10));
        assert!(options.number("steps").is_err());
        for bad in ["", "a b", "a --steps", "a --colour red"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
