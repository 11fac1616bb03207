//! The terminal table: model, backend, what the paper claimed, our bar and what was measured.

use super::{Claim, Results, Run};
use std::fmt::Write;

/// How to draw the table.
#[derive(Clone, Copy, Debug, Default)]
pub struct TableStyle {
    /// Whether to colour the verdicts with ANSI codes.
    pub colour: bool,
}

const HEADER: [&str; 7] = ["model", "data (split, n)", "backend", "measure", "measured", "published", "bar"];

/// Draws results as an aligned table, a row a metric or claim. Ends with a newline.
pub fn table(results: &Results, style: TableStyle) -> String {
    let rows: Vec<[String; 7]> = results.runs.iter().flat_map(rows).collect();
    let mut widths = HEADER.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    draw(&mut out, &HEADER.map(String::from), &widths, style);
    let rule: usize = widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
    let _ = writeln!(out, "{}", "-".repeat(rule));
    for row in &rows {
        draw(&mut out, row, &widths, style);
    }
    out
}

fn draw(out: &mut String, row: &[String; 7], widths: &[usize; 7], style: TableStyle) {
    let mut line = String::new();
    for (i, (cell, &width)) in row.iter().zip(widths).enumerate() {
        let pad = " ".repeat(width - cell.chars().count() + if i + 1 < row.len() { 2 } else { 0 });
        line.push_str(&paint(cell, style));
        line.push_str(&pad);
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

fn paint(cell: &str, style: TableStyle) -> String {
    if !style.colour {
        return cell.into();
    }
    match cell.split_once("  ") {
        Some(("PASS", rest)) => format!("\x1b[32mPASS\x1b[0m  {rest}"),
        Some(("FAIL", rest)) => format!("\x1b[31mFAIL\x1b[0m  {rest}"),
        _ => cell.into(),
    }
}

fn rows(run: &Run) -> Vec<[String; 7]> {
    let head = [run.model.clone(), format!("{} ({}, {})", run.dataset, run.split, run.n), run.backend.clone()];
    let with = |tail: [String; 4]| {
        let [a, b, c] = head.clone();
        let [d, e, f, g] = tail;
        [a, b, c, d, e, f, g]
    };
    let of_metric = |(name, measured): (&String, &super::Measured)| {
        let e = &measured.estimate;
        let interval = e.ci95.map_or(String::new(), |[low, high]| format!(" [{}, {}]", number(low), number(high)));
        with([name.clone(), format!("{} {}{interval}", number(e.value), e.unit), "-".into(), "-".into()])
    };
    let (shown, silent): (Vec<_>, Vec<_>) = run.claims.iter().partition(|claim| claim.measured.is_some() || claim.published.is_some());
    let mut rows: Vec<_> = run.metrics.iter().map(of_metric).chain(shown.into_iter().map(|claim| with(of_claim(claim)))).collect();
    if !silent.is_empty() {
        let bars = format!("{} more {}", silent.len(), if silent.len() == 1 { "bar" } else { "bars" });
        rows.push(with([bars, "not measured".into(), "-".into(), "measured with --claims".into()]));
    }
    rows
}

fn of_claim(claim: &Claim) -> [String; 4] {
    let published = claim.published.as_ref().map_or("-".into(), |p| format!("{} {}", number(p.value), p.unit));
    let verdict = match claim.holds {
        Some(true) => "PASS  ",
        Some(false) => "FAIL  ",
        None => "",
    };
    let note = if claim.gating { "" } else { " (not gating)" };
    let measured = claim.measured.map_or("not measured".into(), number);
    [format!("claim {}", claim.id), measured, published, format!("{verdict}{}{note}", claim.bar)]
}

/// Four significant digits where there are decimals, no trailing zeros.
pub(crate) fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the exponent of a finite double is small")]
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;

    #[test]
    fn numbers_are_short_and_exact_enough() {
        for (value, text) in [(98.730_1, "98.73"), (0.0, "0"), (-0.001_234_56, "-0.001235"), (12_345.6, "12346"), (100.0, "100")] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn bars_that_were_not_measured_take_one_line() {
        let mut run = run("m", 3);
        let claim =
            |id: &str| Claim { id: id.into(), published: None, bar: "x".into(), measured: None, holds: None, gating: true, detail: None };
        run.claims = vec![claim("a"), claim("b")];
        let text = table(&Results::new(vec![run]), TableStyle::default());
        assert_eq!(text.lines().count(), 4);
        assert!(text.contains("2 more bars"), "{text}");
    }

    #[test]
    fn claims_stand_beside_what_was_published() {
        let mut run = run("m", 3);
        run.claims.push(Claim {
            id: "bar-1".into(),
            published: Some(super::super::Published { value: 93.3, unit: "%".into(), source: "README".into() }),
            bar: ">= 8 points".into(),
            measured: Some(11.25),
            holds: Some(true),
            gating: true,
            detail: None,
        });
        let text = table(&Results::new(vec![run]), TableStyle::default());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[3].contains("claim bar-1") && lines[3].contains("93.3 %") && lines[3].ends_with("PASS  >= 8 points"), "{text}");
        assert!(!text.contains('\x1b'));
    }
}
