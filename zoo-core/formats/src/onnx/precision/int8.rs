//! Static quantisation to 8-bit integers, in the form of QuantizeLinear and DequantizeLinear pairs that runtimes fuse.

use super::super::model::Model;
use super::super::proto::{GraphProto, NodeProto, TensorProto, ValueInfoProto};
use super::super::tensor;
use super::edit::{Names, close, node, open};
use super::types::{signature, value_types};
use crate::error::{Error, Result};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use zoo_core::{Artifact, DType, Tensor};

/// Least and greatest value that calibration saw, by the names of [`observed_values`].
pub type Ranges = BTreeMap<String, [f32; 2]>;

/// A product with constant weights.
struct Site<'a> {
    /// Which node.
    at: usize,
    node: &'a NodeProto,
    /// The value it gives, after a ReLU that alone reads it.
    output: String,
    /// Axis of the weight that counts output channels.
    axis: usize,
}

/// Values whose ranges [`to_int8`] needs: what enters a Conv, Gemm or MatMul with constant weights, and what leaves it.
///
/// # Errors
/// As [`to_int8`].
pub fn observed_values(artifact: &Artifact) -> Result<Vec<String>> {
    let (model, opset) = open(artifact)?;
    Ok(values(&model, opset)?.into_iter().collect())
}

/// The graph with the values of [`observed_values`] as further outputs, after its own.
///
/// # Errors
/// As [`to_int8`], and [`Error::Graph`] if the file does not state a value's shape.
pub fn observed(artifact: &Artifact) -> Result<Artifact> {
    let (model, opset) = open(artifact)?;
    let mut proto = model.to_proto();
    let original = model.graph();
    let mut graph = original.clone();
    let known: BTreeSet<&str> = original.output.iter().map(ValueInfoProto::name).collect();
    for value in values(&model, opset)?.into_iter().filter(|value| !known.contains(value.as_str())) {
        let info = original.value_info.iter().chain(&original.input).find(|info| info.name() == value);
        let info = info.ok_or_else(|| Error::Graph {
            graph: original.name().into(),
            place: format!("value `{value}`"),
            why: "expected its type and shape in the file, found none".into(),
        })?;
        graph.value_info.retain(|info| info.name() != value);
        // An input that is an output as well needs a node between.
        if original.input.iter().any(|input| input.name() == value) {
            continue;
        }
        graph.output.push(info.clone());
    }
    proto.graph = Some(graph);
    let mut out = artifact.clone();
    out.files[0].bytes = proto.encode_to_vec().into();
    Ok(out)
}

fn values(model: &Model, opset: u32) -> Result<BTreeSet<String>> {
    let sites = sites(model, opset)?;
    Ok(sites.iter().flat_map(|site| [site.node.input[0].clone(), site.output.clone()]).collect())
}

fn sites(model: &Model, opset: u32) -> Result<Vec<Site<'_>>> {
    let types = value_types(model, opset)?;
    let graph = model.graph();
    let weights: HashMap<&str, usize> = graph.initializer.iter().map(|tensor| (tensor.name(), tensor.dims.len())).collect();
    let single = |name: &str| types.get(name) == Some(&DType::F32);
    let mut readers: HashMap<&str, Vec<&NodeProto>> = HashMap::new();
    for node in &graph.node {
        signature(node, opset)?;
        node.input.iter().for_each(|input| readers.entry(input).or_default().push(node));
    }
    let given = |name: &str| graph.output.iter().any(|output| output.name() == name);
    let mut sites = Vec::new();
    for (at, node) in graph.node.iter().enumerate() {
        let (Some(x), Some(w), Some(y)) = (node.input.first(), node.input.get(1), node.output.first()) else { continue };
        let flag = |name: &str| node.attribute.iter().find(|a| a.name() == name).map_or(0, |a| a.i());
        let one = |name: &str| node.attribute.iter().find(|a| a.name() == name).is_none_or(|a| a.f() == 1.0);
        let axis = match (node.op_type(), weights.get(w.as_str())) {
            ("Conv", Some(_)) => 0,
            ("Gemm", Some(2)) if flag("transA") == 0 && one("alpha") && one("beta") => usize::from(flag("transB") == 0),
            ("MatMul", Some(2)) => 1,
            _ => continue,
        };
        if weights.contains_key(x.as_str()) || ![x, w, y].into_iter().all(|name| single(name)) {
            continue;
        }
        let alone = readers.get(y.as_str()).filter(|readers| readers.len() == 1 && !given(y));
        let relu = alone.map(|readers| readers[0]).filter(|reader| reader.op_type() == "Relu");
        let output = relu.and_then(|relu| relu.output.first()).unwrap_or(y).clone();
        sites.push(Site { at, node, output, axis });
    }
    Ok(sites)
}

/// The graph with its products in 8-bit integers: weights signed, one scale a channel; what enters and leaves a product unsigned,
/// one scale a tensor, which spans what calibration saw and 0; biases in 32 bits. What is a graph's own output is not quantised.
///
/// # Errors
/// [`Error::Graph`] for opsets other than 13 to 20, weights outside the file, graphs that were converted before, without any such
/// product, or with a value that `ranges` lacks or that is not finite there; [`Error::Operator`] for nodes with a graph inside and operators
/// without a known signature.
pub fn to_int8(artifact: &Artifact, ranges: &Ranges) -> Result<Artifact> {
    let (model, opset) = open(artifact)?;
    let sites = sites(&model, opset)?;
    let fail = |place: String, why: &str| Error::Graph { graph: model.graph().name().into(), place, why: why.into() };
    if sites.is_empty() {
        return Err(fail("nodes".into(), "expected a Conv, Gemm or MatMul with constant weights, found none"));
    }
    let mut pairs = BTreeMap::new();
    for value in sites.iter().flat_map(|site| [site.node.input[0].as_str(), site.output.as_str()]) {
        let range = ranges.get(value).filter(|range| range.iter().all(|bound| bound.is_finite()));
        let [low, high] = range.ok_or_else(|| fail(format!("value `{value}`"), "expected a finite range from calibration, found none"))?;
        pairs.insert(value, Scale::of(*low, *high));
    }
    let mut quantizer =
        Quantizer { model: &model, names: Names::of(&model), initializers: Vec::new(), nodes: Vec::new(), done: HashMap::new() };
    let graph = quantizer.graph(&sites, &pairs)?;
    close(artifact, &model, graph, "int8", "int8")
}

/// How a value is quantised.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    scale: f32,
    zero: u8,
}

impl Scale {
    /// A range that holds 0, so that 0 is exact.
    fn of(low: f32, high: f32) -> Self {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let scale = (high - low) / 255.0;
        if scale < f32::MIN_POSITIVE {
            return Self { scale: 1.0, zero: 0 };
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the type's range")]
        let zero = (-low / scale).round().clamp(0.0, 255.0) as u8;
        Self { scale, zero }
    }
}

struct Quantizer<'a> {
    model: &'a Model,
    names: Names,
    initializers: Vec<TensorProto>,
    nodes: Vec<NodeProto>,
    /// What stands for a value after its pair.
    done: HashMap<String, String>,
}

impl Quantizer<'_> {
    fn constant(&mut self, name: &str, tensor: &Tensor) -> String {
        let name = self.names.fresh(name);
        self.initializers.push(tensor::to_proto(&name, tensor));
        name
    }

    /// Appends the pair of a value.
    fn pair(&mut self, value: &str, scale: Scale) {
        let s = self.constant(&format!("{value}_scale"), &Tensor::scalar(scale.scale));
        let z = self.constant(&format!("{value}_zero_point"), &Tensor::scalar(scale.zero));
        let q = self.names.fresh(&format!("{value}_quantized"));
        let d = self.names.fresh(&format!("{value}_dequantized"));
        self.nodes.push(node("QuantizeLinear", &q, &[value, &s, &z], &q, &[]));
        self.nodes.push(node("DequantizeLinear", &d, &[&q, &s, &z], &d, &[]));
        self.done.insert(value.into(), d);
    }

    /// The weight of a site as integers, and its scales.
    fn weight(&mut self, site: &Site<'_>) -> Result<(String, Vec<f32>)> {
        let name = &site.node.input[1];
        let weight = self.model.initializer(name)?;
        let shape = weight.shape().to_vec();
        let channels = shape.get(site.axis).copied().unwrap_or(1);
        let inner: usize = shape[site.axis + 1..].iter().product();
        let values = weight.as_slice::<f32>()?;
        let channel = |at: usize| at / inner.max(1) % channels.max(1);
        let mut greatest = vec![0.0f32; channels];
        values.iter().enumerate().for_each(|(at, value)| greatest[channel(at)] = greatest[channel(at)].max(value.abs()));
        let scales: Vec<f32> = greatest.iter().map(|max| if *max > 0.0 && max.is_finite() { max / 127.0 } else { 1.0 }).collect();
        #[allow(clippy::cast_possible_truncation, reason = "clamped to the type's range")]
        let quantized = values.iter().enumerate().map(|(at, value)| (value / scales[channel(at)]).round().clamp(-127.0, 127.0) as i8);
        let q = self.constant(&format!("{name}_quantized"), &Tensor::from_vec(shape, quantized.collect())?);
        Ok((self.dequantized(name, &q, &scales, site.axis, DType::I8)?, scales))
    }

    /// A node that gives back a constant's values, one scale a channel.
    fn dequantized(&mut self, name: &str, quantized: &str, scales: &[f32], axis: usize, dtype: DType) -> Result<String> {
        let s = self.constant(&format!("{name}_scale"), &Tensor::from_vec([scales.len()], scales.to_vec())?);
        let z = self.constant(&format!("{name}_zero_point"), &Tensor::zeros(dtype, [scales.len()])?);
        let d = self.names.fresh(&format!("{name}_dequantized"));
        #[allow(clippy::cast_possible_wrap, reason = "an axis of a weight")]
        self.nodes.push(node("DequantizeLinear", &d, &[quantized, &s, &z], &d, &[("axis", axis as i64)]));
        Ok(d)
    }

    /// The bias as integers in the scale of the product's sums; other shapes than one value a channel stay as they are.
    fn bias(&mut self, name: &str, input: Scale, weight: &[f32]) -> Result<Option<String>> {
        let Some(proto) = self.model.graph().initializer.iter().find(|tensor| tensor.name() == name) else { return Ok(None) };
        let bias = self.model.tensor(proto)?;
        if bias.shape() != [weight.len()] || bias.dtype() != DType::F32 {
            return Ok(None);
        }
        let scales: Vec<f32> = weight.iter().map(|scale| scale * input.scale).collect();
        let values = bias.as_slice::<f32>()?;
        // A channel without weights has no scale that its bias would fit.
        let fits = |value: f32, scale: f32| (value / scale).abs() < i32::MAX as f32 / 2.0;
        if !values.iter().zip(&scales).all(|(value, scale)| fits(*value, *scale)) {
            return Ok(None);
        }
        #[allow(clippy::cast_possible_truncation, reason = "checked")]
        let quantized = values.iter().zip(&scales).map(|(value, scale)| (value / scale).round() as i32).collect();
        let q = self.constant(&format!("{name}_quantized"), &Tensor::from_vec([values.len()], quantized)?);
        Ok(Some(self.dequantized(name, &q, &scales, 0, DType::I32)?))
    }

    fn graph(&mut self, sites: &[Site<'_>], pairs: &BTreeMap<&str, Scale>) -> Result<GraphProto> {
        let original = self.model.graph();
        let at: HashMap<usize, &Site<'_>> = sites.iter().map(|site| (site.at, site)).collect();
        let given = |name: &str| original.output.iter().any(|output| output.name() == name);
        for input in original.input.iter().map(ValueInfoProto::name) {
            if let Some(scale) = pairs.get(input) {
                self.pair(input, *scale);
            }
        }
        for (index, node) in original.node.iter().enumerate() {
            let mut node = node.clone();
            if let Some(site) = at.get(&index) {
                let (weight, scales) = self.weight(site)?;
                if let Some(bias) = node.input.get(2).cloned().filter(|bias| !bias.is_empty())
                    && let Some(quantized) = self.bias(&bias, pairs[site.node.input[0].as_str()], &scales)?
                {
                    node.input[2] = quantized;
                }
                node.input[1] = weight;
            }
            for input in &mut node.input {
                if let Some(dequantized) = self.done.get(input) {
                    input.clone_from(dequantized);
                }
            }
            let outputs = node.output.clone();
            self.nodes.push(node);
            for output in outputs {
                if let Some(scale) = pairs.get(output.as_str()).filter(|_| !given(&output)) {
                    self.pair(&output, *scale);
                }
            }
        }
        let read: BTreeSet<&str> = self.nodes.iter().flat_map(|node| node.input.iter().map(String::as_str)).collect();
        let used = |tensor: &&TensorProto| read.contains(tensor.name()) || given(tensor.name());
        let kept = original.initializer.iter().filter(used).cloned().chain(self.initializers.iter().cloned());
        Ok(GraphProto { initializer: kept.collect(), node: self.nodes.clone(), ..original.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::Scale;

    #[test]
    fn zero_is_exact_and_the_ends_are_reached() {
        for (low, high) in [(-1.0, 3.0), (0.5, 2.0), (-4.0, -1.0), (0.0, 6.0)] {
            let Scale { scale, zero } = Scale::of(low, high);
            let back = |q: u8| (f32::from(q) - f32::from(zero)) * scale;
            assert!(back(0) <= low.min(0.0) + scale / 2.0 && back(255) >= high.max(0.0) - scale / 2.0, "{low} {high}");
            assert_eq!(back(zero), 0.0);
        }
        assert_eq!(Scale::of(0.0, 0.0), Scale { scale: 1.0, zero: 0 });
    }
}
