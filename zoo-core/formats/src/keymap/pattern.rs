//! Names with placeholders.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use zoo_core::{Error, Result};

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Decimal digits.
    Number,
    /// Text without dots.
    Part,
    /// Any text.
    Rest,
}

impl Kind {
    fn allows(self, c: char) -> bool {
        match self {
            Self::Number => c.is_ascii_digit(),
            Self::Part => c != '.',
            Self::Rest => true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Placeholder(String, Kind),
}

/// A name with placeholders, split into its pieces; placeholders are never neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

impl Pattern {
    /// The pattern that matches every name.
    pub(super) fn anything() -> Self {
        Self(vec![Piece::Placeholder("name".into(), Kind::Rest)])
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let fail = |found: &str| Error::argument(format!("key pattern `{text}`"), "text with {i}, {x:part} or {x:rest}", found);
        let mut pieces = Vec::new();
        let mut names = BTreeSet::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (literal, tail) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
            if literal.contains('}') {
                return Err(fail("`}` without `{`"));
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.into()));
            }
            let Some(tail) = tail.strip_prefix('{') else { break };
            let (inside, after) = tail.split_once('}').ok_or_else(|| fail("`{` without `}`"))?;
            let (name, kind) = match inside.split_once(':') {
                None => (inside, Kind::Number),
                Some((name, "part")) => (name, Kind::Part),
                Some((name, "rest")) => (name, Kind::Rest),
                Some((_, other)) => return Err(fail(other)),
            };
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(fail("a placeholder without a plain name"));
            }
            if !names.insert(name) {
                return Err(fail("a placeholder that appears twice"));
            }
            if matches!(pieces.last(), Some(Piece::Placeholder(..))) {
                return Err(fail("placeholders without text between them"));
            }
            pieces.push(Piece::Placeholder(name.into(), kind));
            rest = after;
        }
        if pieces.is_empty() {
            return Err(fail("an empty pattern"));
        }
        Ok(Self(pieces))
    }

    /// Names and kinds of the placeholders.
    pub(super) fn placeholders(&self) -> BTreeSet<(&str, u8)> {
        self.0
            .iter()
            .filter_map(|piece| match piece {
                Piece::Placeholder(name, kind) => Some((name.as_str(), *kind as u8)),
                Piece::Literal(_) => None,
            })
            .collect()
    }

    /// What the placeholders stand for in a name, the earlier ones as long as can be; `None` if the name does not match.
    pub(super) fn matches<'a>(&'a self, name: &'a str) -> Option<BTreeMap<&'a str, &'a str>> {
        let mut found = BTreeMap::new();
        matches(&self.0, name, &mut found).then_some(found)
    }

    /// The name with values in place of the placeholders.
    pub(super) fn fill(&self, values: &BTreeMap<&str, &str>) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Placeholder(name, _) => values.get(name.as_str()).copied().unwrap_or_default().into(),
        };
        self.0.iter().map(text).collect()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Literal(text) => f.write_str(text),
            Piece::Placeholder(name, Kind::Number) => write!(f, "{{{name}}}"),
            Piece::Placeholder(name, Kind::Part) => write!(f, "{{{name}:part}}"),
            Piece::Placeholder(name, Kind::Rest) => write!(f, "{{{name}:rest}}"),
        })
    }
}

fn matches<'a>(pieces: &'a [Piece], name: &'a str, found: &mut BTreeMap<&'a str, &'a str>) -> bool {
    match pieces {
        [] => name.is_empty(),
        [Piece::Literal(text), rest @ ..] => name.strip_prefix(text.as_str()).is_some_and(|name| matches(rest, name, found)),
        [Piece::Placeholder(placeholder, kind), rest @ ..] => {
            let longest = name.find(|c| !kind.allows(c)).unwrap_or(name.len());
            let ends = name[..longest].char_indices().map(|(at, c)| at + c.len_utf8());
            let ends: Vec<usize> = ends.collect();
            ends.into_iter().rev().any(|end| {
                let fits = matches(rest, &name[end..], found);
                if fits {
                    found.insert(placeholder, &name[..end]);
                }
                fits
            })
        }
    }
}
