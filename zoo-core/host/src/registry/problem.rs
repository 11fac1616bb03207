//! What is wrong with a registry, and exactly where.

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use std::fmt;
use std::ops::Range;

/// A place in the registry file; both numbers start at 1, columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Location {
    /// The place of a byte offset.
    pub(crate) fn of(text: &str, offset: usize) -> Self {
        let offset = (0..=offset.min(text.len())).rev().find(|&o| text.is_char_boundary(o)).unwrap_or(0);
        let before = &text[..offset];
        let start = before.rfind('\n').map_or(0, |n| n + 1);
        Self { line: before.matches('\n').count() + 1, column: before[start..].chars().count() + 1 }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One mistake in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it starts.
    pub at: Location,
    /// Bytes of the file it covers.
    pub span: Range<usize>,
    /// What was expected and what was found.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// A registry that can't be used: every mistake found in it, in the order of the file.
#[derive(Clone, Debug)]
pub struct RegistryError {
    source: NamedSource<String>,
    problems: Vec<Problem>,
}

impl RegistryError {
    pub(crate) fn new(file: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|p| (p.span.start, p.span.end));
        Self { source: NamedSource::new(file, text.to_owned()).with_language("toml"), problems }
    }

    /// Every mistake, in the order of the file.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for RegistryError {
    /// `FILE:LINE:COLUMN: message`, the source line, a caret and the help, for each mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let line = self.source.inner().lines().nth(problem.at.line - 1).unwrap_or_default();
            let number = problem.at.line.to_string();
            let margin = " ".repeat(number.len());
            // Tabs are kept so that the caret lines up whatever their width.
            let pad: String = line.chars().take(problem.at.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            let room = line.chars().count().saturating_sub(problem.at.column - 1).max(1);
            let carets = "^".repeat(problem.span.len().clamp(1, room));
            writeln!(f, "{}:{}: {}", self.source.name(), problem.at, problem.message)?;
            write!(f, "{margin} |\n{number} | {line}\n{margin} | {pad}{carets}")?;
            if let Some(help) = &problem.help {
                write!(f, "\n{margin} = help: {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for RegistryError {}

impl Diagnostic for RegistryError {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.problems.iter().map(|p| LabeledSpan::new(Some(p.message.clone()), p.span.start, p.span.len()))))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let helps: Vec<_> = self.problems.iter().filter_map(|p| p.help.as_ref().map(|h| format!("line {}: {h}", p.at.line))).collect();
        (!helps.is_empty()).then(|| Box::new(helps.join("\n")) as Box<dyn fmt::Display>)
    }
}
