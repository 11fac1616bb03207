//! Outputs and class names.

use crate::config::{Activation, Output};
use serde_json::{Value, json};
use zoo_core::{DType, Error, Result, Tensor, Weights};

/// Applies the activation over the last axis.
pub(crate) fn activate(activation: Option<Activation>, tensor: Tensor) -> Result<Tensor> {
    let Some(activation) = activation else { return Ok(tensor) };
    let width = tensor.shape().last().copied().unwrap_or(1).max(1);
    let mut values = tensor.to_f32();
    match activation {
        Activation::Sigmoid => values.iter_mut().for_each(|v| *v = 1.0 / (1.0 + (-*v).exp())),
        Activation::Softmax => {
            for row in values.chunks_exact_mut(width) {
                let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                row.iter_mut().for_each(|v| *v = (*v - top).exp());
                let sum: f32 = row.iter().sum();
                row.iter_mut().for_each(|v| *v /= sum);
            }
        }
    }
    Tensor::from_vec(tensor.shape(), values)
}

/// Names of the classes, from the file that the registry calls `labels`.
pub(crate) fn labels(pointer: &str, weights: &Weights) -> Result<Vec<String>> {
    let file = weights.get("labels")?;
    file.expect("file `labels`", DType::U8, &[None])?;
    let wrong = |why: String| Error::artifact("labels", format!("pointer `{pointer}`"), why);
    let text = std::str::from_utf8(file.as_bytes()).map_err(|e| wrong(format!("expected UTF-8, found {e}")))?;
    if pointer.is_empty() {
        return Ok(text.lines().map(str::to_owned).collect());
    }
    let value: Value = serde_json::from_str(text).map_err(|e| wrong(format!("expected JSON, found {e}")))?;
    let names = value.pointer(pointer).and_then(Value::as_array).ok_or_else(|| wrong("expected a list, found none".into()))?;
    names.iter().map(|n| n.as_str().map(str::to_owned).ok_or_else(|| wrong(format!("expected names, found {n}")))).collect()
}

/// One row of an output as `predict` prints it: all values, or the best classes.
pub(crate) fn shown(output: &Output, row: &[f32], names: Option<&[String]>) -> Result<Value> {
    let Some(top) = output.top else { return Ok(json!(row)) };
    if let Some(names) = names
        && names.len() != row.len()
    {
        return Err(Error::argument(format!("names of output `{}`", output.name), row.len().to_string(), names.len()));
    }
    let mut order: Vec<usize> = (0..row.len()).collect();
    // The first of equals wins, as in numpy's argmax.
    order.sort_by(|a, b| row[*b].total_cmp(&row[*a]).then(a.cmp(b)));
    let class = |&index: &usize| match names {
        Some(names) => json!({"class": index, "label": names[index], "score": row[index]}),
        None => json!({"class": index, "score": row[index]}),
    };
    Ok(order.iter().take(top).map(class).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_does_not_overflow() {
        let tensor = Tensor::from_vec([2, 2], vec![1000.0f32, 1000.0, 0.0, 3f32.ln()]).unwrap();
        let soft = activate(Some(Activation::Softmax), tensor).unwrap().to_f32();
        assert!(soft.iter().zip([0.5, 0.5, 0.25, 0.75]).all(|(a, b)| (a - b).abs() < 1e-6), "{soft:?}");
    }

    #[test]
    fn labels_that_are_no_list_are_told() {
        let mut weights = Weights::new();
        weights.insert("labels", Tensor::from_vec([8], b"{\"a\": 1}".to_vec()).unwrap());
        assert!(labels("/b", &weights).unwrap_err().to_string().contains("expected a list"));
        weights.insert("labels", Tensor::from_vec([1], vec![0xffu8]).unwrap());
        assert!(labels("", &weights).unwrap_err().to_string().contains("UTF-8"));
    }
}
