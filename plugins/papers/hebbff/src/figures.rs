//! Pictures of the counted networks, drawn from what the bars recorded (specification section 10).

use crate::multilayer::allegiance;
use crate::stats::mean;
use crate::study::Portrait;
use serde::Deserialize;
use serde_json::Value;
use zoo_chart::{Curve, Matrix, Scale, Text, curves, heatmap};
use zoo_core::model::Figure;
use zoo_core::{ClaimOutcome, Result};

/// Bins of the histograms of correlations, over -1 to 1.
const BINS: usize = 10;

/// A network's snapshots by column, as `b1` records them.
#[derive(Deserialize)]
struct Course {
    iteration: Vec<f64>,
    q: Vec<f64>,
    flexibility: Vec<f64>,
    entropy: Vec<f64>,
    accuracy: Vec<f64>,
    eta: Vec<f64>,
    lambda: Vec<f64>,
}

/// All pictures whose bars are there.
///
/// # Errors
/// Whatever drawing finds.
pub fn all(outcomes: &[ClaimOutcome]) -> Result<Vec<Figure>> {
    let detail = |id: &str, key: &str| outcomes.iter().find(|o| o.id == id).map(|o| &o.detail[key]).filter(|v| !v.is_null());
    let mut figures = Vec::new();
    let by_delay = [
        ("anti-Hebbian", detail("a2", "anti_mean_by_delay")),
        ("Hebbian", detail("a2", "hebb_mean_by_delay")),
        ("LSTM", detail("a3-lstm", "lstm_mean_by_delay")),
    ];
    figures.extend(delays(&by_delay)?);
    if let Some(courses) = detail("b1", "courses").and_then(|v| Vec::<Course>::deserialize(v).ok()).filter(|c| !c.is_empty()) {
        figures.extend(over_training(&courses)?);
    }
    if let Some(portrait) = detail("b1", "portrait").and_then(|v| Portrait::deserialize(v).ok()) {
        figures.extend(portraits(&portrait)?);
    }
    if let Some(blocks) = detail("b1", "blocks_q_accuracy").and_then(Value::as_array) {
        figures.extend(histograms(blocks)?);
    }
    Ok(figures)
}

fn delays(families: &[(&str, Option<&Value>)]) -> Result<Option<Figure>> {
    let mut drawn = Vec::new();
    for (name, values) in families {
        let Some(values) = values.and_then(|v| Vec::<f64>::deserialize(v).ok()) else { continue };
        drawn.push(Curve::new(*name, values.iter().enumerate().map(|(i, v)| [i as f64 + 1.0, 100.0 * v])));
    }
    if drawn.is_empty() {
        return Ok(None);
    }
    let words = Text::new(
        "Balanced accuracy at delays never trained on; all networks were trained at a delay of 5",
        "Balanced accuracy falls with the delay between an item and its repetition, for anti-Hebbian networks later than for Hebbian ones and the LSTM.",
        "delay R, steps",
        "balanced accuracy, %",
    );
    curves(&words, &drawn).map(Some)
}

/// Thin lines a network, a thick one for their mean.
fn over_training(courses: &[Course]) -> Result<Vec<Figure>> {
    type Column = fn(&Course) -> &[f64];
    let columns: [(&str, &str, Column); 6] = [
        ("Modularity", "Q", |c| &c.q),
        ("Flexibility", "share of layer changes", |c| &c.flexibility),
        ("Entropy of the units' activity", "entropy, nats", |c| &c.entropy),
        ("Accuracy", "accuracy by the authors' formula", |c| &c.accuracy),
        ("Plasticity rate", "eta", |c| &c.eta),
        ("Decay of the plastic matrix", "lambda", |c| &c.lambda),
    ];
    let mut figures = Vec::new();
    for (title, unit, column) in columns {
        let mut drawn: Vec<Curve> =
            courses.iter().map(|c| Curve::new("", c.iteration.iter().zip(column(c)).map(|(x, y)| [*x, *y])).faint()).collect();
        let shortest = courses.iter().map(|c| c.iteration.len().min(column(c).len())).min().unwrap_or(0);
        let means: Vec<[f64; 2]> =
            (0..shortest).map(|i| [courses[0].iteration[i], mean(&courses.iter().map(|c| column(c)[i]).collect::<Vec<_>>())]).collect();
        let (Some(first), Some(last)) = (means.first(), means.last()) else { continue };
        let alt = format!("{title} over training, mean of {} networks: from {:.3} to {:.3}.", courses.len(), first[1], last[1]);
        drawn.push(Curve::new("", means));
        let words = Text::new(format!("{title} over training: thin, each network; thick, their mean"), alt, "iterations", unit);
        figures.push(curves(&words, &drawn)?);
    }
    Ok(figures)
}

fn portraits(portrait: &Portrait) -> Result<Vec<Figure>> {
    let units = portrait.labels.first().map_or(0, Vec::len);
    let layers = portrait.labels.len();
    if units == 0 || portrait.labels.iter().any(|layer| layer.len() != units) {
        return Ok(Vec::new());
    }
    let mut order: Vec<usize> = (0..units).collect();
    order.sort_by_key(|&unit| portrait.labels.iter().map(|layer| layer[unit]).collect::<Vec<_>>());

    let together = allegiance(&portrait.labels.concat(), units);
    let sorted: Vec<f64> = order.iter().flat_map(|&i| order.iter().map(|&j| together[i * units + j]).collect::<Vec<_>>()).collect();
    let words = Text::new(
        "Allegiance: share of windows in which two units share a community, the first network after training",
        format!("{units} units ordered by community; dark blocks on the diagonal are communities."),
        "units",
        "units",
    );
    let matrix = Matrix { shape: [units, units], values: &sorted, rows: &[], columns: &[], labelled: false };
    let mut figures = vec![heatmap(&words, &matrix, Scale::Sequential(0.0, 1.0))?];

    let labels: Vec<f64> = order.iter().flat_map(|&unit| portrait.labels.iter().map(move |layer| f64::from(layer[unit]))).collect();
    let moved = order.iter().filter(|&&unit| portrait.labels.iter().any(|layer| layer[unit] != portrait.labels[0][unit])).count();
    let windows: Vec<String> = (1..=layers).map(|w| w.to_string()).collect();
    let words = Text::new(
        "Community of each unit in each window, the first network after training; a colour a community",
        format!("Of {units} units, {moved} change community between windows."),
        "window",
        "units",
    );
    let matrix = Matrix { shape: [units, layers], values: &labels, rows: &[], columns: &windows, labelled: false };
    figures.push(heatmap(&words, &matrix, Scale::Groups)?);
    figures.extend(raster(portrait)?);
    Ok(figures)
}

/// Activity of all units, steps that repeat an item beside those that do not, in the order in which they came.
fn raster(portrait: &Portrait) -> Result<Option<Figure>> {
    let steps = portrait.familiar.len();
    if portrait.activity.is_empty() || portrait.activity.iter().any(|unit| unit.len() != steps) || steps == 0 {
        return Ok(None);
    }
    let mut order: Vec<usize> = (0..steps).collect();
    order.sort_by_key(|&t| portrait.familiar[t]);
    let values: Vec<f64> = portrait.activity.iter().flat_map(|unit| order.iter().map(|&t| unit[t]).collect::<Vec<_>>()).collect();
    let over = |familiar: bool| {
        let shown = portrait.activity.iter().flat_map(|unit| unit.iter().zip(&portrait.familiar).filter(|(_, f)| **f == familiar));
        mean(&shown.map(|(h, _)| *h).collect::<Vec<_>>())
    };
    let novel = portrait.familiar.iter().filter(|f| !**f).count();
    let words = Text::new(
        format!("Activity of the hidden units: {novel} novel items on the left, {} repeated ones on the right", steps - novel),
        format!("Mean activity is {:.3} at novel and {:.3} at repeated items.", over(false), over(true)),
        "items, novel then repeated",
        "units",
    );
    let matrix = Matrix { shape: [portrait.activity.len(), steps], values: &values, rows: &[], columns: &[], labelled: false };
    heatmap(&words, &matrix, Scale::Sequential(0.0, 1.0)).map(Some)
}

/// How the correlation of modularity and accuracy within a network is spread, block by block of training.
fn histograms(blocks: &[Value]) -> Result<Option<Figure>> {
    let mut counts = vec![0.0; blocks.len() * BINS];
    for (row, block) in blocks.iter().enumerate() {
        for r in block["within"].as_array().into_iter().flatten().filter_map(Value::as_f64) {
            let bin = ((r.clamp(-1.0, 1.0) + 1.0) / 2.0 * BINS as f64) as usize;
            counts[row * BINS + bin.min(BINS - 1)] += 1.0;
        }
    }
    let most = counts.iter().copied().fold(0.0, f64::max);
    if most == 0.0 {
        return Ok(None);
    }
    let rows: Vec<String> = (0..blocks.len()).map(|b| format!("{b}")).collect();
    let columns: Vec<String> = (0..BINS).map(|b| format!("{:.1}", (2 * b + 1) as f64 / BINS as f64 - 1.0)).collect();
    let words = Text::new(
        "Correlation of modularity and accuracy within a network, in blocks of ten snapshots: how many networks",
        "Histogram of within-network correlations, a row a block of training, early blocks above.",
        "Pearson's r, middle of the bin",
        "block",
    );
    let matrix = Matrix { shape: [blocks.len(), BINS], values: &counts, rows: &rows, columns: &columns, labelled: true };
    heatmap(&words, &matrix, Scale::Sequential(0.0, most)).map(Some)
}
