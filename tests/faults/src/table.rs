//! The table.

use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A kind of fault: how often it was injected, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The fault.
    pub fault: String,
    /// How often it was injected.
    pub injected: usize,
    /// How often all was as it must be, then and after the next run.
    pub survived: usize,
    /// How often not.
    pub lost: usize,
    /// How the processes that met it ended.
    pub exit: BTreeSet<String>,
    /// Why it was not injected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// What was lost, and where.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<String>,
}

impl Row {
    /// A row of nothing yet.
    pub fn new(fault: impl Into<String>) -> Self {
        Self { fault: fault.into(), injected: 0, survived: 0, lost: 0, exit: BTreeSet::new(), skipped: None, losses: Vec::new() }
    }

    /// A row of a fault that can't be injected here.
    pub fn skipped(fault: impl Into<String>, why: impl Into<String>) -> Self {
        Self { skipped: Some(why.into()), ..Self::new(fault) }
    }

    /// Counts one injection.
    pub fn count(&mut self, exit: impl Into<String>, verdict: Result<(), String>) {
        self.injected += 1;
        self.exit.insert(exit.into());
        match verdict {
            Ok(()) => self.survived += 1,
            Err(why) => {
                self.lost += 1;
                self.losses.push(why);
            }
        }
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(why) = &self.skipped {
            return write!(f, "skipped: {}: {why}", self.fault);
        }
        let exit = Vec::from_iter(self.exit.iter().map(String::as_str)).join(", ");
        write!(f, "{}: {} injected, {} survived, {} lost; exit {exit}", self.fault, self.injected, self.survived, self.lost)?;
        self.losses.iter().try_for_each(|loss| write!(f, "\n  {loss}"))
    }
}

/// The table as Markdown; `command` made it, with points of `seed`.
pub fn markdown(rows: &[Row], command: &str, seed: u64) -> String {
    let total = |of: fn(&Row) -> usize| rows.iter().map(of).sum::<usize>();
    let mut text = format!(
        "# Faults\n\nMade by `{command}` (seed {seed}). {} injected, {} lost.\n\nA fault is survived if the process that met it ended as \
         the contract says, and every file under a final name was whole then. Where it did not end well, the same command was run again: \
         it must end with status 0 and the bytes of an undisturbed run, and leave nothing unfinished behind. Status 0 of the process \
         itself says that nothing it still had to do needed what failed.\n\n| fault | injected | survived | lost | exit status |\n| \
         --- | --- | --- | --- | --- |\n",
        total(|r| r.injected),
        total(|r| r.lost)
    );
    for row in rows {
        let exit = match &row.skipped {
            Some(why) => format!("skipped: {}", why.lines().next().unwrap_or_default()),
            None => Vec::from_iter(row.exit.iter().map(String::as_str)).join(", "),
        };
        // Writing to a string does not fail.
        writeln!(text, "| {} | {} | {} | {} | {exit} |", row.fault.replace('|', "\\|"), row.injected, row.survived, row.lost).ok();
    }
    text
}
