//! Pictures for the report, drawn from what the bars recorded (specification section 9).

mod regions;
mod subjects;

use crate::portrait::Portrait;
use serde::Deserialize;
use serde_json::Value;
use zoo_chart::{Matrix, Scale, Text, heatmap};
use zoo_core::model::Figure;
use zoo_core::{ClaimOutcome, Result};

/// A setting of the grid.
#[derive(Deserialize)]
struct Row {
    window: usize,
    #[serde(rename = "T")]
    horizon: f64,
    eps: f64,
    dynamic_over_static: f64,
}

/// All pictures whose bars are there.
///
/// # Errors
/// Whatever drawing finds.
pub fn all(outcomes: &[ClaimOutcome]) -> Result<Vec<Figure>> {
    let detail = |id: &str, key: &str| outcomes.iter().find(|o| o.id == id).map(|o| &o.detail[key]).filter(|v| !v.is_null());
    let list = |id: &str, key: &str| detail(id, key).and_then(|v| Vec::<f64>::deserialize(v).ok());
    let mut figures = Vec::new();
    if let Some(pairs) = detail("b1", "static_and_dynamic").and_then(|v| Vec::<[f64; 2]>::deserialize(v).ok()) {
        figures.push(subjects::paired(&pairs));
    }
    let ratios = [
        ("own window", list("b1", "ratios")),
        ("wrong window", list("b2", "wrong_over_static")),
        ("previous window", list("b3", "previous_over_static")),
        ("surrogates", list("b3", "surrogate_over_static")),
    ];
    let bars: Vec<_> = ratios.into_iter().filter_map(|(name, values)| Some((name, crate::stats::mean(&values?)))).collect();
    if !bars.is_empty() {
        figures.push(subjects::ratios(&bars));
    }
    if let Some(rows) = detail("b1", "grid").and_then(|v| Vec::<Row>::deserialize(v).ok()) {
        figures.extend(savings(&rows)?);
    }
    if let Some(portrait) = detail("b1", "portrait").and_then(portrait) {
        figures.extend(regions::all(&portrait)?);
    }
    Ok(figures)
}

/// The portrait, if all its lists fit.
fn portrait(value: &Value) -> Option<Portrait> {
    let p = Portrait::deserialize(value).ok()?;
    let (n, k) = (p.regions.len(), p.states.len());
    let over_regions = [&p.fixed, &p.dynamic, &p.strength, &p.average, &p.modal].iter().all(|list| list.len() == n);
    let square = |rows: &[Vec<f64>]| rows.len() == k && rows.iter().all(|row| row.len() == k);
    let fits = over_regions && p.parts.len() == n && p.control.len() == n && p.states.iter().all(|state| state.len() == n);
    (n > 0 && fits && square(&p.steps) && square(&p.energies)).then_some(p)
}

/// Saving of each window and eps, a picture a horizon.
fn savings(rows: &[Row]) -> Result<Vec<Figure>> {
    let distinct = |of: fn(&Row) -> f64| {
        let mut values: Vec<f64> = rows.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values
    };
    let (windows, all_eps) = (distinct(|r| r.window as f64), distinct(|r| r.eps));
    let saving = |r: &Row| 100.0 * (1.0 - r.dynamic_over_static);
    let most = rows.iter().map(saving).fold(0.0, |most, s| f64::max(most, s.abs()));
    let mut figures = Vec::new();
    for horizon in distinct(|r| r.horizon) {
        let at = |window: f64, eps: f64| {
            let found = rows.iter().find(|r| r.window as f64 == window && r.eps == eps && r.horizon == horizon);
            found.map_or(f64::NAN, saving)
        };
        let values: Vec<f64> = windows.iter().flat_map(|w| all_eps.iter().map(move |eps| (*w, *eps))).map(|(w, eps)| at(w, eps)).collect();
        let said: Vec<String> = values.iter().map(|saving| format!("{saving:.0}")).collect();
        let matrix = Matrix {
            shape: [windows.len(), all_eps.len()],
            values: &values,
            rows: &windows.iter().map(|w| format!("{w} samples")).collect::<Vec<_>>(),
            columns: &all_eps.iter().map(f64::to_string).collect::<Vec<_>>(),
            labelled: true,
        };
        let words = Text::new(
            format!("Saving of dynamic connectivity by window and eps at horizon T = {horizon}, % (no single figure may be quoted alone)"),
            format!("Saving in per cent at horizon {horizon}, windows by eps: {}.", said.join(", ")),
            "eps: input weight outside the control set",
            "window",
        );
        figures.push(heatmap(&words, &matrix, Scale::Diverging(most))?);
    }
    Ok(figures)
}
