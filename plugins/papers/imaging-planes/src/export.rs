//! ONNX: pretext, segmentation and encoder graphs. Rows and columns are free, in multiples of 16: the slice head's
//! full-map maximum is exported as a global one, which is the same at the trained size.

use crate::unet::{Head, STAGES, Unet};
use std::collections::BTreeMap;
use zoo_core::{Artifact, DType, Dim, Result, Tensor, Weights};
use zoo_formats::onnx::{Conv, Graph, Pool, Value};

const EPSILON: f32 = 1e-5;

/// Exports a network.
///
/// # Shapes
/// `image` f32 `[batch, 1, height, width]`. Pretext: `heatmaps` `[batch, 2, height, width]`, `slice_location` `[batch, 1]`.
/// Segmentation: `logits` `[batch, classes, height, width]`. Classifier: `logits` `[batch, classes]`. With `center`, the
/// last encoder features `[batch, channels, height / 16, width / 16]` are an output too, for Grad-CAM.
///
/// # Errors
/// What checking the weights and building the graph find.
pub fn export(
    name: &str,
    opset: Option<u32>,
    network: &Unet,
    weights: &Weights,
    center: bool,
    metadata: BTreeMap<String, String>,
) -> Result<Artifact> {
    network.check(weights)?;
    let mut graph = match opset {
        Some(opset) => Graph::with_opset(name, opset)?,
        None => Graph::new(name),
    };
    let image = graph.input("image", DType::F32, [Dim::from("batch"), Dim::Fixed(1), "height".into(), "width".into()])?;
    let mut build = Build { graph, weights };
    let mut skips = Vec::new();
    let mut value = image;
    for stage in 0..STAGES {
        if stage > 0 {
            value = build.graph.max_pool(value, &Pool::square(2, 2))?;
        }
        for layer in ["conv1", "conv2"] {
            let name = format!("{}.{layer}", Unet::stage(stage));
            value = build.conv(&format!("{name}.0"), value, 1)?;
            value = build.batch_norm(&format!("{name}.1"), value)?;
            value = build.graph.relu(value)?;
        }
        skips.push(value);
    }
    let last = value;
    if network.head != Head::Classifier {
        for stage in (0..STAGES - 1).rev() {
            let name = format!("up_concat{}", stage + 1);
            let up = build.up(&format!("{name}.up"), value)?;
            value = build.graph.concat(&[up, skips[stage]], 1)?;
            for layer in ["conv1", "conv2"] {
                value = build.conv(&format!("{name}.conv.{layer}.0"), value, 1)?;
                value = build.graph.relu(value)?;
            }
        }
    }
    match network.head {
        Head::Pretext => {
            let maps = build.conv("final", value, 0)?;
            build.maps("heatmaps", maps, network.outputs)?;
            let location = build.head(last)?;
            build.graph.output("slice_location", location)?;
        }
        Head::Segmentation => {
            let maps = build.conv("final_", value, 0)?;
            build.maps("logits", maps, network.outputs)?;
        }
        Head::Classifier => {
            let logits = build.head(last)?;
            build.graph.output("logits", logits)?;
        }
    }
    if center {
        let channels = Dim::Fixed(network.widths[STAGES - 1]);
        build.graph.refine(last, [Dim::from("batch"), channels, "center_height".into(), "center_width".into()])?;
        build.graph.output("center", last)?;
    }
    for (key, value) in metadata {
        build.graph.metadata(key, value);
    }
    Ok(build.graph.variant(name).finish()?)
}

struct Build<'a> {
    graph: Graph,
    weights: &'a Weights,
}

impl Build<'_> {
    fn tensor(&mut self, name: &str) -> Result<Value> {
        let tensor: &Tensor = self.weights.get(name)?;
        Ok(self.graph.initializer(name, tensor)?)
    }

    fn conv(&mut self, name: &str, x: Value, padding: i64) -> Result<Value> {
        let (weight, bias) = (self.tensor(&format!("{name}.weight"))?, self.tensor(&format!("{name}.bias"))?);
        Ok(self.graph.conv(x, weight, Some(bias), &Conv::square(1, padding))?)
    }

    fn up(&mut self, name: &str, x: Value) -> Result<Value> {
        let (weight, bias) = (self.tensor(&format!("{name}.weight"))?, self.tensor(&format!("{name}.bias"))?);
        Ok(self.graph.conv_transpose(x, weight, Some(bias), &Conv::square(2, 0))?)
    }

    fn batch_norm(&mut self, name: &str, x: Value) -> Result<Value> {
        let [scale, bias] = [self.tensor(&format!("{name}.weight"))?, self.tensor(&format!("{name}.bias"))?];
        let [mean, variance] = [self.tensor(&format!("{name}.running_mean"))?, self.tensor(&format!("{name}.running_var"))?];
        Ok(self.graph.batch_norm(x, scale, bias, mean, variance, EPSILON)?)
    }

    /// Maximum of every channel, hidden layer, output; dropout is the identity here.
    fn head(&mut self, center: Value) -> Result<Value> {
        // GlobalMaxPool and Flatten in one operator.
        let flat = self.graph.reduce_max(center, &[2, 3], false)?;
        let [w0, b0] = [self.tensor("global_layers.0.weight")?, self.tensor("global_layers.0.bias")?];
        let hidden = self.graph.linear(flat, w0, Some(b0))?;
        let hidden = self.graph.relu(hidden)?;
        let [w1, b1] = [self.tensor("global_layers.3.weight")?, self.tensor("global_layers.3.bias")?];
        Ok(self.graph.linear(hidden, w1, Some(b1))?)
    }

    /// Names an output whose rows and columns are those of the input, which pooling and its undoing hide from inference.
    fn maps(&mut self, name: &str, value: Value, channels: usize) -> Result<()> {
        let shape = [Dim::from("batch"), Dim::Fixed(channels), "height".into(), "width".into()];
        if self.graph.value_type(value)?.shape != shape {
            self.graph.refine(value, shape)?;
        }
        Ok(self.graph.output(name, value)?)
    }
}
