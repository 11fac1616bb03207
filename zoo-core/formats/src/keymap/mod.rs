//! Maps between two schemes of naming weights, say the authors' `state_dict` and the zoo's.

mod pattern;
mod transform;

#[cfg(test)]
mod tests;

pub use transform::Transform;

use pattern::Pattern;
use std::collections::{BTreeMap, BTreeSet};
use zoo_core::{Error, Result, Weights};

/// Rules that rename, and where needed rearrange, the tensors of one scheme into another.
///
/// Patterns are names with placeholders: `{i}` stands for a number, `{x:part}` for text without dots, `{x:rest}` for any
/// text. The first rule that matches a name counts.
///
/// ```
/// # use zoo_formats::{KeyMap, keymap::Transform};
/// # use zoo_core::{Tensor, Weights};
/// # fn main() -> zoo_core::Result<()> {
/// let map = KeyMap::new()
///     .strip("module.")
///     .ignore("{layer:rest}.num_batches_tracked")?
///     .rule("features.{i}.weight", "conv.{i}.weight")?
///     .rule_with("classifier.weight", "head.weight", Transform::Transpose(vec![1, 0]))?;
/// let mut file = Weights::new();
/// file.insert("module.features.3.weight", Tensor::scalar(1.0f32));
/// file.insert("module.classifier.weight", Tensor::from_vec([2, 1], vec![1.0f32, 2.0])?);
/// let ours = map.apply("checkpoint", &file, ["conv.3.weight", "head.weight"])?;
/// assert_eq!(ours.get("head.weight")?.shape(), [1, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeyMap {
    prefixes: Vec<String>,
    ignored: Vec<Pattern>,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    from: Pattern,
    to: Pattern,
    transform: Transform,
    /// Whether the rule only leads from the first scheme to the second.
    alias: bool,
}

impl KeyMap {
    /// A map without rules, which knows no name.
    pub fn new() -> Self {
        Self::default()
    }

    /// A map that leaves every name as it is.
    pub fn identity() -> Self {
        let any = Pattern::anything();
        let rule = Rule { from: any.clone(), to: any, transform: Transform::Keep, alias: false };
        Self { rules: vec![rule], ..Self::default() }
    }

    /// Removes a prefix such as `module.` wherever a name starts with it. Prefixes are tried in the order given, each once.
    #[must_use]
    pub fn strip(mut self, prefix: impl Into<String>) -> Self {
        self.prefixes.push(prefix.into());
        self
    }

    /// Leaves out the names that match, without an error.
    ///
    /// # Errors
    /// [`Error::Argument`] if the pattern is not well-formed.
    pub fn ignore(mut self, pattern: &str) -> Result<Self> {
        self.ignored.push(Pattern::parse(pattern)?);
        Ok(self)
    }

    /// Renames what matches `from` to `to`, which uses the same placeholders.
    ///
    /// # Errors
    /// [`Error::Argument`] if a pattern is not well-formed or the placeholders differ.
    pub fn rule(self, from: &str, to: &str) -> Result<Self> {
        self.rule_with(from, to, Transform::Keep)
    }

    /// Renames and rearranges.
    ///
    /// # Errors
    /// As [`KeyMap::rule`].
    pub fn rule_with(self, from: &str, to: &str, transform: Transform) -> Result<Self> {
        self.push(from, to, transform, false)
    }

    /// Another name under which a tensor may be found; [`KeyMap::invert`] leaves it out.
    ///
    /// # Errors
    /// As [`KeyMap::rule`].
    pub fn alias(self, from: &str, to: &str) -> Result<Self> {
        self.push(from, to, Transform::Keep, true)
    }

    fn push(mut self, from: &str, to: &str, transform: Transform, alias: bool) -> Result<Self> {
        let (from, to) = (Pattern::parse(from)?, Pattern::parse(to)?);
        if from.placeholders() != to.placeholders() {
            return Err(Error::argument(format!("key rule `{from}` to `{to}`"), "the same placeholders on both sides", "different ones"));
        }
        self.rules.push(Rule { from, to, transform, alias });
        Ok(self)
    }

    /// The map that leads back. Prefixes and ignored names have no way back, aliases none of their own.
    #[must_use]
    pub fn invert(&self) -> Self {
        let turned = |rule: &Rule| Rule { from: rule.to.clone(), to: rule.from.clone(), transform: rule.transform.inverse(), alias: false };
        Self { rules: self.rules.iter().filter(|rule| !rule.alias).map(turned).collect(), ..Self::default() }
    }

    /// The name in the other scheme, if a rule knows it.
    pub fn rename(&self, name: &str) -> Option<String> {
        self.find(self.stripped(name)).map(|(name, _)| name)
    }

    /// Renames and rearranges the tensors of `file`. `wanted` are the names the result must have, all of them; metadata
    /// is kept. Memory is shared wherever no tensor is transposed.
    ///
    /// # Errors
    /// [`Error::Keys`] about `what`, with every wanted name that no tensor leads to, and every name of the file that no rule
    /// knows, that leads to something not wanted, or that leads where another one does; [`Error::Shape`] if a tensor can't
    /// be rearranged.
    pub fn apply<'a>(&self, what: &str, file: &Weights, wanted: impl IntoIterator<Item = &'a str>) -> Result<Weights> {
        let wanted: BTreeSet<&str> = wanted.into_iter().collect();
        let mut unexpected = Vec::new();
        let mut sources = BTreeMap::<String, (&str, &Transform)>::new();
        for source in file.tensors.keys() {
            let name = self.stripped(source);
            if self.ignored.iter().any(|pattern| pattern.matches(name).is_some()) {
                continue;
            }
            match self.find(name) {
                Some((target, transform)) if wanted.contains(target.as_str()) => match sources.get(&target) {
                    Some((other, _)) => unexpected.push(format!("{source} (`{other}` already leads to `{target}`)")),
                    None => {
                        sources.insert(target, (source, transform));
                    }
                },
                Some((target, _)) if target != *source => unexpected.push(format!("{source} (as `{target}`)")),
                Some(_) | None => unexpected.push(source.clone()),
            }
        }
        let missing: Vec<_> = wanted.iter().filter(|name| !sources.contains_key(**name)).map(ToString::to_string).collect();
        if !missing.is_empty() || !unexpected.is_empty() {
            return Err(Error::Keys { what: what.into(), missing, unexpected });
        }
        let mut weights = Weights { metadata: file.metadata.clone(), ..Weights::default() };
        for (target, (source, transform)) in sources {
            let tensor = transform.apply(source, file.get(source)?)?;
            weights.insert(target, tensor);
        }
        Ok(weights)
    }

    fn stripped<'a>(&self, name: &'a str) -> &'a str {
        self.prefixes.iter().fold(name, |name, prefix| name.strip_prefix(prefix.as_str()).unwrap_or(name))
    }

    fn find(&self, name: &str) -> Option<(String, &Transform)> {
        self.rules.iter().find_map(|rule| Some((rule.to.fill(&rule.from.matches(name)?), &rule.transform)))
    }
}
