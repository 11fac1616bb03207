//! Pictures of the counted runs, drawn from what the bars recorded (specification section 9).

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use zoo_chart::{Dot, Matrix, Scale, Text, heatmap, scatter};
use zoo_core::model::Figure;
use zoo_core::{ClaimOutcome, Result};

/// What `b1` records of an arm.
#[derive(Deserialize)]
struct Arm {
    mean: f64,
    ci95_half_width: f64,
    cost_of_first_seed: Cost,
    #[serde(default)]
    density_by_layer_of_first_seed: Vec<f64>,
}

#[derive(Deserialize)]
struct Cost {
    nonzeros: f64,
    macs: f64,
}

/// Kernels of a layer: `[K, outputs, inputs, 9]`.
#[derive(Deserialize)]
struct Mosaic {
    shape: [usize; 4],
    values: Vec<f64>,
}

/// All pictures whose bars are there.
///
/// # Errors
/// Whatever drawing finds.
pub fn all(outcomes: &[ClaimOutcome]) -> Result<Vec<Figure>> {
    let detail = |id: &str, key: &str| outcomes.iter().find(|o| o.id == id).map(|o| &o.detail[key]).filter(|v| !v.is_null());
    let mut figures = Vec::new();
    if let Some(arms) = detail("b1", "arms").and_then(|v| BTreeMap::<String, Arm>::deserialize(v).ok()) {
        figures.extend(trade_offs(&arms)?);
        figures.extend(densities(&arms)?);
    }
    if let Some(choices) = detail("b5", "choices_of_first_seed").and_then(|v| Vec::<Vec<Vec<f64>>>::deserialize(v).ok()) {
        figures.extend(routing(&choices)?);
    }
    if let Some(mosaic) = detail("b4", "mosaic_of_first_layer") {
        figures.extend(kernels(mosaic)?);
    }
    Ok(figures)
}

/// Accuracy over weights kept, and over multiply-adds.
fn trade_offs(arms: &BTreeMap<String, Arm>) -> Result<Vec<Figure>> {
    type Axis = (&'static str, &'static str, fn(&Cost) -> f64);
    let axes: [Axis; 2] = [
        ("weights kept", "nonzero weights of the dynamic convolutions (logarithmic)", |c| c.nonzeros),
        ("multiply-adds", "multiply-adds an image in the dynamic convolutions (logarithmic)", |c| c.macs),
    ];
    let mut figures = Vec::new();
    for (what, axis, cost) in axes {
        let dots: Vec<Dot> = arms
            .iter()
            .enumerate()
            .map(|(series, (name, arm))| Dot {
                name: name.clone(),
                at: [cost(&arm.cost_of_first_seed), arm.mean],
                half: if arm.ci95_half_width.is_finite() { arm.ci95_half_width } else { 0.0 },
                series,
            })
            .collect();
        let said: Vec<String> = dots.iter().map(|d| format!("{} {:.1} % at {:.0}", d.name, d.at[1], d.at[0])).collect();
        let words = Text::new(
            format!("Accuracy over {what}: mean of the seeds with 95 % intervals"),
            format!("{}.", said.join(", ")),
            axis,
            "accuracy, %",
        );
        figures.push(scatter(&words, &dots, true)?);
    }
    Ok(figures)
}

fn densities(arms: &BTreeMap<String, Arm>) -> Result<Option<Figure>> {
    let layers = arms.values().map(|arm| arm.density_by_layer_of_first_seed.len()).max().unwrap_or(0);
    let shown: Vec<(&String, &Arm)> =
        arms.iter().filter(|(_, arm)| layers > 0 && arm.density_by_layer_of_first_seed.len() == layers).collect();
    if shown.is_empty() {
        return Ok(None);
    }
    let values: Vec<f64> = shown.iter().flat_map(|(_, arm)| arm.density_by_layer_of_first_seed.clone()).collect();
    let rows: Vec<String> = shown.iter().map(|(name, _)| (*name).clone()).collect();
    let columns: Vec<String> = (1..=layers).map(|n| format!("layer {n}")).collect();
    let words =
        Text::new("Density of each dynamic convolution, first seed", "Share of weights that each arm keeps in each layer.", "", "arm");
    let matrix = Matrix { shape: [rows.len(), layers], values: &values, rows: &rows, columns: &columns, labelled: true };
    heatmap(&words, &matrix, Scale::Sequential(0.0, 1.0)).map(Some)
}

/// Share of each class's images for which a kernel had the greatest share, a picture a layer.
fn routing(layers: &[Vec<Vec<f64>>]) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (n, table) in layers.iter().enumerate() {
        let kernels = table.first().map_or(0, Vec::len);
        if kernels == 0 || table.iter().any(|row| row.len() != kernels) {
            continue;
        }
        let values: Vec<f64> = table
            .iter()
            .flat_map(|row| {
                let all: f64 = row.iter().sum();
                row.iter().map(move |count| count / all.max(1.0)).collect::<Vec<_>>()
            })
            .collect();
        let rows: Vec<String> = (0..table.len()).map(|class| class.to_string()).collect();
        let columns: Vec<String> = (1..=kernels).map(|k| format!("kernel {k}")).collect();
        let words = Text::new(
            format!("Layer {}: which kernel has the greatest share, by class (dense arm, first seed)", n + 1),
            format!("Share of the test images of each class that choose each kernel of layer {}.", n + 1),
            "",
            "class",
        );
        let matrix = Matrix { shape: [table.len(), kernels], values: &values, rows: &rows, columns: &columns, labelled: true };
        figures.push(heatmap(&words, &matrix, Scale::Sequential(0.0, 1.0))?);
    }
    Ok(figures)
}

/// Kernels side by side, each a grid of 3 x 3 patches; what is pruned is grey.
fn kernels(detail: &Value) -> Result<Option<Figure>> {
    let Ok(Mosaic { shape: [count, rows, columns, taps], values }) = Mosaic::deserialize(detail) else { return Ok(None) };
    let fits = [count, rows, columns].iter().all(|n| (1..=64).contains(n)) && taps == 9 && values.len() == count * rows * columns * 9;
    if !fits {
        return Ok(None);
    }
    // A white line between kernels.
    let (height, width) = (rows * 3, count * columns * 3 + (count - 1));
    let most = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let mut cells = vec![0.0; height * width];
    for k in 0..count {
        for row in 0..rows {
            for column in 0..columns {
                for tap in 0..9 {
                    let value = values[((k * rows + row) * columns + column) * 9 + tap];
                    let x = k * (columns * 3 + 1) + column * 3 + tap % 3;
                    cells[(row * 3 + tap / 3) * width + x] = if value == 0.0 { f64::NAN } else { value };
                }
            }
        }
    }
    let pruned = values.iter().filter(|v| **v == 0.0).count();
    let words = Text::new(
        format!("The {count} kernels of the first dynamic convolution side by side, first channels; grey is pruned"),
        format!("{pruned} of {} weights shown are pruned, the same places in all kernels.", values.len()),
        "input channels, kernel by kernel",
        "output channels",
    );
    let matrix = Matrix { shape: [height, width], values: &cells, rows: &[], columns: &[], labelled: false };
    heatmap(&words, &matrix, Scale::Diverging(most)).map(Some)
}
