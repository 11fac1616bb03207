//! Curves of a training, from the lines of its log.

use serde_json::Value;
use std::collections::BTreeMap;
use zoo_chart::{Curve, Text, curves};
use zoo_core::model::Figure;

/// What numbers the lines, the first that a log has.
const STEPS: [&str; 4] = ["epoch", "iteration", "step", "update"];
/// What a log says of the machine, and of settings.
const ASIDE: [&str; 6] = ["images_per_s", "eta_s", "lr", "seconds", "T", "stage"];
/// Most lines that are read.
const LINES: usize = 100_000;
/// Most pictures of a log.
const PICTURES: usize = 8;

/// A picture for each quantity of a training log of JSON lines: losses, shares of right answers together, and lists as a
/// curve a layer. Lines that are not JSON objects are left out; quantities that never change are not drawn.
pub fn training_curves(name: &str, log: &str) -> Vec<Figure> {
    let lines: Vec<Value> = log.lines().take(LINES).filter_map(|line| serde_json::from_str(line).ok()).collect();
    let Some(axis) = STEPS.into_iter().find(|step| lines.first().is_some_and(|line| line[*step].is_number())) else { return Vec::new() };
    // Stages of one training number their epochs anew: lines count on.
    let mut charts: BTreeMap<String, Vec<Curve>> = BTreeMap::new();
    for (index, line) in lines.iter().enumerate() {
        let x = if axis == "epoch" { index as f64 } else { line[axis].as_f64().unwrap_or(index as f64) };
        for (key, value) in line.as_object().into_iter().flatten().filter(|(key, _)| *key != axis && !ASIDE.contains(&key.as_str())) {
            let chart = if key.ends_with("accuracy") { "accuracy" } else { key };
            match value {
                Value::Number(number) => add(&mut charts, chart, key, [x, number.as_f64().unwrap_or(f64::NAN)]),
                Value::Array(list) => {
                    for (layer, value) in list.iter().enumerate().take(16) {
                        add(&mut charts, chart, &format!("{key} {}", layer + 1), [x, value.as_f64().unwrap_or(f64::NAN)]);
                    }
                }
                _ => {}
            }
        }
    }
    charts
        .into_iter()
        .filter(|(_, curves)| curves.iter().any(moves))
        .take(PICTURES)
        .filter_map(|(key, all)| picture(name, axis, &key, &all))
        .collect()
}

fn add(charts: &mut BTreeMap<String, Vec<Curve>>, chart: &str, name: &str, point: [f64; 2]) {
    let all = charts.entry(chart.into()).or_default();
    match all.iter_mut().find(|curve| curve.name == name) {
        Some(curve) => curve.points.push(point),
        None => all.push(Curve::new(name, [point])),
    }
}

fn moves(curve: &Curve) -> bool {
    curve.points.windows(2).any(|pair| pair[0][1] != pair[1][1])
}

fn picture(name: &str, axis: &str, key: &str, all: &[Curve]) -> Option<Figure> {
    let ends = |curve: &Curve| {
        let (first, last) = (curve.points.first()?, curve.points.last()?);
        Some(format!("{} from {:.4} to {:.4}", curve.name, first[1], last[1]))
    };
    let said: Vec<String> = all.iter().filter_map(ends).collect();
    let words = Text::new(format!("Training of {name}: {key}"), format!("{}.", said.join(", ")), axis, key);
    curves(&words, all).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_become_pictures() {
        let log = "{\"epoch\":0,\"lr\":0.1,\"loss\":2.0,\"accuracy\":0.5,\"val_accuracy\":0.4,\"density\":[1.0,0.9],\"temperature\":1.0}\n\
                   not JSON\n{\"epoch\":1,\"lr\":0.05,\"loss\":1.0,\"accuracy\":0.7,\"val_accuracy\":0.6,\"density\":[0.5,0.4],\"temperature\":1.0}\n";
        let titles: Vec<_> = training_curves("m", log).into_iter().map(|f| (f.title, f.alt)).collect();
        assert_eq!(
            titles,
            [
                ("Training of m: accuracy".to_string(), "accuracy from 0.5000 to 0.7000, val_accuracy from 0.4000 to 0.6000.".to_string()),
                ("Training of m: density".into(), "density 1 from 1.0000 to 0.5000, density 2 from 0.9000 to 0.4000.".into()),
                ("Training of m: loss".into(), "loss from 2.0000 to 1.0000.".into()),
            ]
        );
        assert!(training_curves("m", "").is_empty() && training_curves("m", "[1]\n{\"loss\":1}").is_empty());
    }
}
