//! Pictures of regions, states and Gramians.

use crate::portrait::Portrait;
use zoo_chart::{Curve, Dot, Matrix, Scale, Text, curves, heatmap, scatter};
use zoo_core::Result;
use zoo_core::model::Figure;

/// Rows of the table of regions.
const LISTED: usize = 12;
/// Regions at either end of an axis that get their names.
const NAMED: usize = 1;

/// All pictures of a portrait.
///
/// # Errors
/// Whatever drawing finds.
pub(super) fn all(portrait: &Portrait) -> Result<Vec<Figure>> {
    let groups = groups(portrait);
    let mut figures = vec![by_part(portrait, &groups)?, table(portrait)?];
    figures.extend(controllability(portrait)?);
    if !portrait.states.is_empty() {
        figures.extend([maps(portrait, &groups)?, steps(portrait)?, energies(portrait)?]);
    }
    figures.push(conditions(portrait)?);
    Ok(figures)
}

/// Parts of the brain with their regions, in order of appearance, and the control set at the end.
fn groups(portrait: &Portrait) -> Vec<(String, Vec<usize>)> {
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    for (i, part) in portrait.parts.iter().enumerate() {
        match groups.iter_mut().find(|(name, _)| name == part) {
            Some((_, regions)) => regions.push(i),
            None => groups.push((part.clone(), vec![i])),
        }
    }
    groups.push(("control set".into(), (0..portrait.control.len()).filter(|&i| portrait.control[i]).collect()));
    groups
}

/// Shares of the whole energy, %.
fn shares(energies: &[f64]) -> Vec<f64> {
    let total: f64 = energies.iter().sum();
    energies.iter().map(|e| 100.0 * e / total).collect()
}

fn table_of(words: &Text, names: &[String], columns: [&str; 2], values: &[f64]) -> Result<Figure> {
    let most = values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
    let columns = columns.map(String::from);
    let matrix = Matrix { shape: [names.len(), 2], values, rows: names, columns: &columns, labelled: true };
    heatmap(words, &matrix, Scale::Sequential(0.0, most))
}

fn by_part(portrait: &Portrait, groups: &[(String, Vec<usize>)]) -> Result<Figure> {
    let both = [shares(&portrait.fixed), shares(&portrait.dynamic)];
    let sum = |shares: &[f64], regions: &[usize]| regions.iter().map(|&i| shares[i]).sum::<f64>();
    let values: Vec<f64> = groups.iter().flat_map(|(_, regions)| [sum(&both[0], regions), sum(&both[1], regions)]).collect();
    let names: Vec<String> = groups.iter().map(|(name, regions)| format!("{name} ({})", regions.len())).collect();
    let words = Text::new(
        "Where the energy is spent: share of each part of the brain, % (number of regions; the control set overlaps the parts)",
        "Shares of the control energy by part of the brain under static and dynamic connectivity.",
        "connectivity",
        "",
    );
    table_of(&words, &names, ["static", "dynamic"], &values)
}

fn table(portrait: &Portrait) -> Result<Figure> {
    let both = [shares(&portrait.fixed), shares(&portrait.dynamic)];
    let mut order: Vec<usize> = (0..portrait.regions.len()).collect();
    order.sort_by(|a, b| both[0][*b].total_cmp(&both[0][*a]));
    order.truncate(LISTED);
    let names: Vec<String> =
        order.iter().map(|&i| format!("{}{}", portrait.regions[i], if portrait.control[i] { " *" } else { "" })).collect();
    let values: Vec<f64> = order.iter().flat_map(|&i| [both[0][i], both[1][i]]).collect();
    let words = Text::new(
        "The regions that spend most: share of the whole energy, % (* control set)",
        format!(
            "The {} regions with the greatest share of the energy under static connectivity, and their share under dynamic.",
            order.len()
        ),
        "connectivity",
        "",
    );
    table_of(&words, &names, ["static", "dynamic"], &values)
}

/// Average and modal controllability over strength.
fn controllability(portrait: &Portrait) -> Result<Vec<Figure>> {
    let mut order: Vec<usize> = (0..portrait.regions.len()).collect();
    order.sort_by(|a, b| portrait.strength[*a].total_cmp(&portrait.strength[*b]));
    let (weak, strong) = (order.iter().take(NAMED), order.iter().rev().take(NAMED));
    let named: Vec<usize> = weak.chain(strong).copied().collect();
    let dots = |values: &[f64]| -> Vec<Dot> {
        let dot = |i: usize| Dot {
            name: if named.contains(&i) { portrait.regions[i].clone() } else { String::new() },
            at: [portrait.strength[i], values[i]],
            half: 0.0,
            series: usize::from(portrait.control[i]),
        };
        (0..portrait.regions.len()).map(dot).collect()
    };
    let kinds = [("Average", &portrait.average), ("Modal", &portrait.modal)];
    let drawn = kinds.iter().map(|(kind, values)| {
        let words = Text::new(
            format!("{kind} controllability over strength, a dot a region (orange: control set)"),
            format!("{kind} controllability of each region over the sum of its positive correlations, means of subjects."),
            "strength: sum of positive correlations",
            format!("{} controllability", kind.to_lowercase()),
        );
        scatter(&words, &dots(values), false)
    });
    drawn.collect()
}

fn state_names(portrait: &Portrait) -> Vec<String> {
    (1..=portrait.states.len()).map(|s| format!("state {s}")).collect()
}

fn maps(portrait: &Portrait, groups: &[(String, Vec<usize>)]) -> Result<Figure> {
    let level = |regions: &[usize], state: &[f64]| regions.iter().map(|&i| state[i]).sum::<f64>() / regions.len().max(1) as f64;
    let values: Vec<f64> = groups.iter().flat_map(|(_, regions)| portrait.states.iter().map(move |s| level(regions, s))).collect();
    let most = values.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    let rows: Vec<String> = groups.iter().map(|(name, _)| name.clone()).collect();
    let columns = state_names(portrait);
    let matrix = Matrix { shape: [rows.len(), columns.len()], values: &values, rows: &rows, columns: &columns, labelled: true };
    let words = Text::new(
        "k-means states of all subjects together: mean z-scored signal of each part of the brain",
        "Mean signal of each part of the brain in each of the states found by k-means.",
        "",
        "",
    );
    heatmap(&words, &matrix, Scale::Diverging(most))
}

fn square(portrait: &Portrait, words: &Text, rows: &[Vec<f64>], scale: Scale) -> Result<Figure> {
    let names = state_names(portrait);
    let values: Vec<f64> = rows.iter().flatten().copied().collect();
    let matrix = Matrix { shape: [names.len(), names.len()], values: &values, rows: &names, columns: &names, labelled: true };
    heatmap(words, &matrix, scale)
}

fn steps(portrait: &Portrait) -> Result<Figure> {
    let words = Text::new(
        "Where states go: probability of the next sample's state",
        "Transition probabilities between the k-means states, rows from, columns to; the diagonal is staying.",
        "to",
        "from",
    );
    square(portrait, &words, &portrait.steps, Scale::Sequential(0.0, 1.0))
}

fn energies(portrait: &Portrait) -> Result<Figure> {
    let most = portrait.energies.iter().flatten().copied().fold(0.0, f64::max);
    let relative: Vec<Vec<f64>> = portrait.energies.iter().map(|row| row.iter().map(|e| e / most).collect()).collect();
    let words = Text::new(
        format!("What the transitions cost under static connectivity, over the dearest one ({most:.3e}); the diagonal is holding a state"),
        "Energy from each k-means state to each, rows from, columns to, relative to the dearest.",
        "to",
        "from",
    );
    square(portrait, &words, &relative, Scale::Sequential(0.0, 1.0))
}

fn conditions(portrait: &Portrait) -> Result<Figure> {
    let all = portrait.conditions.iter().map(|conditions| {
        let points = conditions.iter().skip(1).enumerate().map(|(window, c)| [window as f64 + 1.0, c.log10()]);
        Curve::new("subjects", points)
    });
    let words = Text::new(
        "Condition numbers of the windows' Gramians, a line a subject (beyond 10^12 a Gramian is refused)",
        "Logarithm of the condition number of each window's Gramian, a curve a subject.",
        "window",
        "log10 of the condition number",
    );
    curves(&words, &all.collect::<Vec<_>>())
}
