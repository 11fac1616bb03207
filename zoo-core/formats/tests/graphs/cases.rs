//! Graphs over every operator family; `reference.py` has the numpy side under the same names.

use zoo_core::{Artifact, DType, Dim, Tensor};
use zoo_formats::onnx::{Conv, Graph, Node, Pool, ResizeMode, Value};
use zoo_formats::{Error, Result};

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) since: u32,
    pub(crate) fill: fn(&mut Graph) -> Result<()>,
}

pub(crate) fn all() -> Vec<Case> {
    let case = |name, since, fill| Case { name, since, fill };
    vec![
        case("unary", 13, unary),
        case("binary", 13, binary),
        case("conv", 13, conv),
        case("conv_transpose", 13, conv_transpose),
        case("pool", 13, pool),
        case("recurrent", 13, recurrent),
        case("linear", 13, linear),
        case("norm", 14, norm),
        case("layer_norm", 13, layer_norm),
        case("reduce", 13, reduce),
        case("layout", 13, layout),
        case("select", 13, select),
        case("source", 13, source),
        case("resize", 13, resize),
        case("grid_sample", 16, grid_sample),
        case("integers", 13, integers),
        case("computed_shape", 13, computed_shape),
        case("halves", 13, halves),
    ]
}

pub(crate) fn build(case: &Case, opset: u32) -> Result<Artifact> {
    let mut g = Graph::with_opset(case.name, opset)?;
    g.metadata("paper", "10.0000/example");
    g.metadata("licence", "MIT");
    (case.fill)(&mut g)?;
    g.finish()
}

/// An input whose first axis is free.
fn batched(g: &mut Graph, name: &str, rest: &[usize]) -> Result<Value> {
    let shape = std::iter::once(Dim::from("batch")).chain(rest.iter().copied().map(Dim::from));
    g.input(name, DType::F32, shape)
}

/// A weight of fixed, uneven values in about [-1, 1].
fn weight(g: &mut Graph, name: &str, shape: &[usize]) -> Result<Value> {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|i| ((i * 37 + name.len() * 11) % 101) as f32 / 50.0 - 1.0).collect();
    g.initializer(name, &Tensor::from_vec(shape, values)?)
}

fn outputs(g: &mut Graph, list: &[(&str, Value)]) -> Result<()> {
    list.iter().try_for_each(|(name, value)| g.output(name, *value))
}

fn unary(g: &mut Graph) -> Result<()> {
    let x = batched(g, "x", &[3, 4])?;
    let abs = g.abs(x)?;
    let positive = g.add_scalar(abs, 0.5)?;
    let list = [
        ("abs", abs),
        ("neg", g.neg(x)?),
        ("sqrt", g.sqrt(positive)?),
        ("exp", g.exp(x)?),
        ("log", g.log(positive)?),
        ("floor", g.floor(x)?),
        ("ceil", g.ceil(x)?),
        ("round", g.round(x)?),
        ("sign", g.sign(x)?),
        ("reciprocal", g.reciprocal(positive)?),
        ("erf", g.erf(x)?),
        ("relu", g.relu(x)?),
        ("leaky", g.leaky_relu(x, 0.1)?),
        ("elu", g.node("Elu", &[x], [("alpha", 1.5.into())])?),
        ("sigmoid", g.sigmoid(x)?),
        ("tanh", g.tanh(x)?),
        ("softplus", g.softplus(x)?),
        ("sin", g.node("Sin", &[x], [])?),
        ("cos", g.node("Cos", &[x], [])?),
        ("gelu", g.gelu(x)?),
        ("softmax", g.softmax(x, 1)?),
        ("log_softmax", g.log_softmax(x, -1)?),
        ("clip", g.clip(x, Some(-0.5), Some(0.75))?),
        ("clip_low", g.clip(x, Some(0.0), None)?),
        ("clip_high", g.clip(x, None, Some(0.0))?),
    ];
    outputs(g, &list)?;
    // An input and a value that is already an output can be outputs too.
    g.output("same", x)?;
    g.output("again", abs)
}

fn binary(g: &mut Graph) -> Result<()> {
    let a = batched(g, "a", &[3, 4])?;
    let b = weight(g, "row", &[4])?;
    let c = weight(g, "column", &[3, 1])?;
    let far = g.abs(c)?;
    let far = g.add_scalar(far, 1.0)?;
    let greater = g.greater(a, b)?;
    let less = g.less(a, c)?;
    let square = g.scalar(DType::F32, 2.0)?;
    let list = [
        ("add", g.add(a, b)?),
        ("sub", g.sub(c, a)?),
        ("mul", g.mul(b, c)?),
        ("div", g.div(a, far)?),
        ("pow", g.pow(a, square)?),
        ("max", g.maximum(a, b)?),
        ("min", g.node("Min", &[a, b, c], [])?),
        ("greater", greater),
        ("greater_or_equal", g.greater_or_equal(a, a)?),
        ("less", less),
        ("less_or_equal", g.less_or_equal(a, c)?),
        ("equal", g.equal(a, a)?),
        ("and", g.and(greater, less)?),
        ("or", g.or(greater, less)?),
        ("not", g.not(less)?),
        ("select", g.select(less, a, b)?),
    ];
    outputs(g, &list)
}

fn conv(g: &mut Graph) -> Result<()> {
    let x = batched(g, "x", &[4, 9, 8])?;
    let w = weight(g, "w", &[6, 4, 3, 3])?;
    let b = weight(g, "b", &[6])?;
    let grouped = weight(g, "grouped_w", &[6, 2, 3, 2])?;
    let settings = Conv { strides: vec![2, 1], pads: vec![1, 0, 2, 1], dilations: vec![1, 2], groups: 2, ..Conv::default() };
    let depthwise = weight(g, "depthwise_w", &[4, 1, 3, 3])?;
    let line = g.reshape(x, &[0, 4, -1])?;
    let line_w = weight(g, "line_w", &[5, 4, 3])?;
    let list = [
        ("plain", g.conv(x, w, Some(b), &Conv::square(1, 1))?),
        ("valid", g.conv(x, w, None, &Conv::default())?),
        ("odd", g.conv(x, grouped, Some(b), &settings)?),
        ("depthwise", g.conv(x, depthwise, None, &Conv::square(2, 1).groups(4))?),
        ("line", g.conv(line, line_w, None, &Conv { strides: vec![3], ..Conv::default() })?),
        ("same", g.node("Conv", &[x, w], [("auto_pad", "SAME_UPPER".into()), ("strides", [2, 2].into())])?),
    ];
    outputs(g, &list)
}

fn conv_transpose(g: &mut Graph) -> Result<()> {
    let x = batched(g, "x", &[4, 5, 4])?;
    let w = weight(g, "w", &[4, 3, 3, 3])?;
    let b = weight(g, "b", &[3])?;
    let grouped = weight(g, "grouped_w", &[4, 3, 2, 3])?;
    let settings = Conv { strides: vec![2, 2], pads: vec![1, 0, 1, 1], output_padding: vec![1, 1], ..Conv::default() };
    let in_groups = Conv { strides: vec![1, 2], dilations: vec![2, 1], groups: 2, ..Conv::default() };
    let list = [
        ("plain", g.conv_transpose(x, w, Some(b), &Conv::default())?),
        ("padded", g.conv_transpose(x, w, Some(b), &settings)?),
        ("grouped", g.conv_transpose(x, grouped, None, &in_groups)?),
    ];
    outputs(g, &list)
}

fn pool(g: &mut Graph) -> Result<()> {
    let x = batched(g, "x", &[3, 9, 8])?;
    let padded = Pool { pads: vec![1, 1, 0, 1], ..Pool::square(3, 2) };
    let list = [
        ("max", g.max_pool(x, &padded)?),
        ("max_ceil", g.max_pool(x, &Pool { ceil: true, ..Pool::square(2, 2) })?),
        ("average", g.average_pool(x, &padded)?),
        ("average_counted", g.average_pool(x, &Pool { count_include_pad: true, ..padded.clone() })?),
        ("global", g.global_average_pool(x)?),
        ("global_max", g.insert(Node::new("GlobalMaxPool").input(x))?[0]),
    ];
    outputs(g, &list)
}

fn recurrent(g: &mut Graph) -> Result<()> {
    let x = batched(g, "x", &[3, 5])?;
    let (w, r, b) = (weight(g, "w", &[2, 16, 5])?, weight(g, "r", &[2, 16, 4])?, weight(g, "b", &[2, 32])?);
    let steps = g.transpose(x, &[1, 0, 2])?;
    let lstm = Node::new("LSTM").input(steps).input(w).input(r).input(b).attr("hidden_size", 4i64).attr("direction", "bidirectional");
    let found = g.insert(lstm.outputs(3))?;
    outputs(g, &[("all", found[0]), ("hidden", found[1]), ("cell", found[2])])
}

fn linear(g: &mut Graph) -> Result<()> {
    let x = batched(g, "x", &[5])?;
    let sequence = batched(g, "sequence", &[3, 5])?;
    let w = weight(g, "w", &[2, 5])?;
    let b = weight(g, "b", &[2])?;
    let v = weight(g, "v", &[5])?;
    let turned = g.transpose(sequence, &[0, 2, 1])?;
    let list = [
        ("linear", g.linear(x, w, Some(b))?),
        ("no_bias", g.linear(x, w, None)?),
        ("deep", g.linear(sequence, w, Some(b))?),
        ("matmul", g.matmul(sequence, turned)?),
        ("vector", g.matmul(sequence, v)?),
        ("einsum", g.einsum("btc, oc -> bot", &[sequence, w])?),
        ("gemm", g.node("Gemm", &[x, w, b], [("transB", 1.into()), ("alpha", 0.5.into()), ("beta", 2.0.into())])?),
    ];
    outputs(g, &list)
}

fn norm(g: &mut Graph) -> Result<()> {
    let x = batched(g, "x", &[3, 4, 5])?;
    let (scale, bias) = (weight(g, "scale", &[3])?, weight(g, "bias", &[3])?);
    let mean = weight(g, "mean", &[3])?;
    let variance = g.initializer("variance", &Tensor::from_vec([3], vec![0.5f32, 1.0, 2.0])?)?;
    let list = [("batch", g.batch_norm(x, scale, bias, mean, variance, 1e-3)?), ("instance", g.instance_norm(x, scale, bias, 1e-3)?)];
    outputs(g, &list)
}

fn layer_norm(g: &mut Graph) -> Result<()> {
    let x = batched(g, "x", &[3, 6])?;
    let (scale, bias) = (weight(g, "scale", &[6])?, weight(g, "bias", &[6])?);
    let y = g.layer_norm(x, scale, bias, 1e-3)?;
    g.output("layer", y)
}

fn reduce(g: &mut Graph) -> Result<()> {
    let x = batched(g, "x", &[3, 4])?;
    let (values, indices) = g.top_k(x, 2, -1)?;
    let list = [
        ("mean", g.reduce_mean(x, &[1], true)?),
        ("mean_all", g.reduce_mean(x, &[], false)?),
        ("sum", g.reduce_sum(x, &[-1, 1], false)?),
        ("max", g.reduce_max(x, &[2], false)?),
        ("min", g.reduce_min(x, &[0, 2], true)?),
        ("arg_max", g.arg_max(x, 1, false)?),
        ("arg_max_kept", g.arg_max(x, -1, true)?),
        ("top", values),
        ("top_indices", indices),
        ("cum_sum", g.cum_sum(x, 1)?),
    ];
    outputs(g, &list)
}

fn layout(g: &mut Graph) -> Result<()> {
    let x = batched(g, "x", &[3, 1, 4])?;
    let squeezed = g.squeeze(x, &[2])?;
    let list = [
        ("flatten", g.flatten(x, 1)?),
        ("flatten_back", g.flatten(x, -1)?),
        ("reshape", g.reshape(x, &[0, -1, 2])?),
        ("reshape_batch", g.reshape(x, &[-1, 6])?),
        ("transpose", g.transpose(x, &[3, 0, 2, 1])?),
        ("reversed", g.node("Transpose", &[x], [])?),
        ("squeeze", squeezed),
        ("unsqueeze", g.unsqueeze(x, &[0, -1])?),
        ("expand", g.expand(x, &[3, 5, 4])?),
        ("tile", g.tile(x, &[1, 2, 3, 1])?),
    ];
    outputs(g, &list)
}

fn select(g: &mut Graph) -> Result<()> {
    let x = batched(g, "x", &[6, 5])?;
    let other = batched(g, "other", &[2, 5])?;
    let parts = g.split(x, &[1, 3, 2], 1)?;
    let node = Node::new("Split").input(x).attr("axis", 1).outputs(3);
    let node = if g.opset() >= 18 { node.attr("num_outputs", 3) } else { node };
    let equal = g.insert(node)?;
    let (picks, scalar) = (g.ints(&[4, 0, -1])?, g.scalar(DType::I64, 2.0)?);
    let (starts, ends, axes, steps) = (g.ints(&[-1, 1])?, g.ints(&[i64::MIN + 1, 4])?, g.ints(&[1, 2])?, g.ints(&[-2, 1])?);
    let pads = g.ints(&[0, 1, 2, 0, 2, 1])?;
    let list = [
        ("concat", g.concat(&[x, other], 1)?),
        ("part_0", parts[0]),
        ("part_1", parts[1]),
        ("part_2", parts[2]),
        ("equal_1", equal[1]),
        ("slice", g.slice(x, 1, 1, -1)?),
        ("slice_end", g.slice(x, 2, -2, i64::MAX)?),
        ("slice_back", g.node("Slice", &[x, starts, ends, axes, steps], [])?),
        ("gather", g.gather(x, picks, 1)?),
        ("gather_one", g.gather(x, scalar, 2)?),
        ("pad", g.pad(x, &[0, 1, 0, 0, 0, 2], 0.5)?),
        ("pad_reflect", g.node("Pad", &[x, pads], [("mode", "reflect".into())])?),
    ];
    outputs(g, &list)
}

fn source(g: &mut Graph) -> Result<()> {
    let x = batched(g, "x", &[3])?;
    let (start, limit, delta) = (g.scalar(DType::I64, 1.0)?, g.scalar(DType::I64, 8.0)?, g.scalar(DType::I64, 3.0)?);
    let shape = g.ints(&[2, 3])?;
    let constant = g.insert_one(Node::new("Constant").attr("value", Tensor::from_vec([2], vec![1.5f32, -2.0])?))?;
    let list = [
        ("shape", g.shape_of(x)?),
        ("range", g.node("Range", &[start, limit, delta], [])?),
        ("filled", g.node("ConstantOfShape", &[shape], [("value", Tensor::from_vec([1], vec![7i64])?.into())])?),
        ("constant", constant),
        ("state", g.full_like(x, DType::F32, &["batch".into(), 5.into()], 0.25)?),
    ];
    outputs(g, &list)
}

fn resize(g: &mut Graph) -> Result<()> {
    let x = batched(g, "x", &[2, 3, 4])?;
    let list = [
        ("nearest", g.resize(x, &[1.0, 1.0, 2.0, 3.0], ResizeMode::Nearest)?),
        ("linear", g.resize(x, &[1.0, 1.0, 2.0, 2.0], ResizeMode::Linear)?),
        ("corners", g.resize(x, &[1.0, 1.0, 3.0, 2.0], ResizeMode::LinearAlignCorners)?),
    ];
    outputs(g, &list)
}

fn grid_sample(g: &mut Graph) -> Result<()> {
    let x = batched(g, "x", &[2, 4, 5])?;
    let grid = batched(g, "grid", &[3, 2, 2])?;
    let list = [("centres", g.grid_sample(x, grid, false)?), ("corners", g.grid_sample(x, grid, true)?)];
    outputs(g, &list)
}

fn integers(g: &mut Graph) -> Result<()> {
    let x = batched(g, "x", &[3])?;
    let scaled = g.mul_scalar(x, 10.0)?;
    let whole = g.cast(scaled, DType::I64)?;
    let doubled = g.mul_scalar(whole, 2.0)?;
    let flags = g.greater(x, x)?;
    let list = [
        ("whole", whole),
        ("doubled", doubled),
        ("narrow", g.cast(doubled, DType::I32)?),
        ("back", g.cast(whole, DType::F32)?),
        ("numbers", g.cast(flags, DType::F32)?),
        ("wide", g.cast(x, DType::F64)?),
    ];
    outputs(g, &list)
}

/// Shapes that are computed in the graph, over free axes other than the batch.
fn computed_shape(g: &mut Graph) -> Result<()> {
    let x = g.input("x", DType::F32, ["batch".into(), Dim::Fixed(4), "height".into(), "width".into()])?;
    let w = weight(g, "w", &[4, 4, 3, 3])?;
    let same = g.conv(x, w, None, &Conv::square(1, 1))?;
    let y = g.add(same, x)?;
    if g.value_type(y)?.shape != g.value_type(x)?.shape {
        return Err(Error::Graph { graph: "computed_shape".into(), place: "y".into(), why: "the free axes were lost".into() });
    }
    let strided = g.conv(x, w, None, &Conv::square(2, 1))?;
    let shape = g.shape_of(x)?;
    let picks = g.ints(&[0, 1])?;
    let kept = g.gather(shape, picks, 0)?;
    let rest = g.ints(&[-1])?;
    let target = g.concat(&[kept, rest], 0)?;
    let flat = g.node("Reshape", &[x, target], [])?;
    let pooled = g.global_average_pool(strided)?;
    let features = g.flatten(pooled, 1)?;
    outputs(g, &[("y", y), ("strided", strided), ("flat", flat), ("features", features)])
}

fn halves(g: &mut Graph) -> Result<()> {
    let x = batched(g, "x", &[3])?;
    let half = g.cast(x, DType::F16)?;
    let shifted = g.add_scalar(half, 0.5)?;
    g.output("half", shifted)
}
