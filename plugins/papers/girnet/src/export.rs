//! ONNX graphs of the three networks (specification section 9), for images of two or three axes.

use crate::config::{NetworkConfig, Widths};
use crate::network::{INP, LEAK, REG, REG_HEADS, REG_LAYERS, RegLayer, SEG};
use std::collections::{BTreeMap, HashMap};
use zoo_core::{Artifact, DType, Dim, Error, Result, Tensor, Weights};
use zoo_formats::onnx::{Conv, Graph, Pool, ResizeMode, Value};

/// Velocities, and the mask where there is a generator: what is evaluated.
pub const DEFAULT: &str = "girnet";
/// The mask generator.
pub const MASK: &str = "girnet_seg";
/// The inpainter.
pub const INPAINT: &str = "girnet_inp";
/// The registration network: convolutions alone, free sides.
pub const VELOCITY: &str = "girnet_reg_velocity";
/// The same with integration and warping inside, of fixed sides.
pub const FULL: &str = "girnet_reg_full";

/// Opset of the full graph: `GridSample` came with 16, for volumes with 20.
fn opset_of_full(axes: usize) -> u32 {
    if axes == 2 { 17 } else { 20 }
}

struct Build<'a> {
    graph: Graph,
    /// Places of the pixels, once the graph has them.
    identity: Option<Value>,
    network: &'a NetworkConfig,
    weights: &'a Weights,
}

/// Builds a graph.
///
/// # Shapes
/// All images are f32 `[batch, 1, (depth,) height, width]`, sides in multiples of 16. `girnet_seg`: `moving` to `mask`.
/// `girnet_inp`: `masked`, `mask`, `reference` to `inpainted`. `girnet_reg_velocity`: `moving` and `fixed` to `v_xy` and `v_yx`
/// `[batch, axes, ...]`, from -1 to 1, x first. `girnet`: the same with `mask` before, where the arm has a generator.
/// `girnet_reg_full`: `moving` and `fixed` to `warped_xy`, `warped_yx`, and to `flow_xy` and `flow_yx` in pixels.
///
/// # Errors
/// [`Error::NotOffered`] for another name, or a network that the weights lack; what building finds.
pub fn export(
    name: &str,
    opset: Option<u32>,
    network: &NetworkConfig,
    weights: &Weights,
    metadata: &BTreeMap<String, String>,
) -> Result<Artifact> {
    let least = if name == FULL { opset_of_full(network.axes()) } else { zoo_formats::onnx::DEFAULT_OPSET };
    let graph = Graph::with_opset(name, opset.unwrap_or(least))?;
    let mut b = Build { graph: graph.variant(name), identity: None, network, weights };
    match name {
        DEFAULT | VELOCITY => {
            let (moving, fixed) = (b.image("moving", false)?, b.image("fixed", false)?);
            if name == DEFAULT && b.has(SEG) {
                let mask = b.seg(moving)?;
                b.named("mask", mask, 1)?;
            }
            let velocities = b.reg(moving, fixed)?;
            for (name, value) in ["v_xy", "v_yx"].into_iter().zip(velocities) {
                b.named(name, value, network.axes())?;
            }
        }
        MASK => {
            b.require(SEG)?;
            let moving = b.image("moving", false)?;
            let mask = b.seg(moving)?;
            b.named("mask", mask, 1)?;
        }
        INPAINT => {
            b.require(INP)?;
            let inputs = [b.image("masked", false)?, b.image("mask", false)?, b.image("reference", false)?];
            let filled = b.inp(inputs)?;
            b.named("inpainted", filled, 1)?;
        }
        FULL => b.full()?,
        _ => {
            let hint = format!("its graphs are {DEFAULT}, {MASK}, {INPAINT}, {VELOCITY} and {FULL}");
            return Err(Error::NotOffered { who: "girnet".into(), what: format!("graph `{name}`"), hint });
        }
    }
    for (key, value) in metadata {
        b.graph.metadata(key, value);
    }
    Ok(b.graph.finish()?)
}

impl Build<'_> {
    fn axes(&self) -> usize {
        self.network.axes()
    }

    fn has(&self, prefix: &str) -> bool {
        self.weights.tensors.contains_key(&format!("{prefix}.final.0.weight"))
    }

    fn require(&self, prefix: &str) -> Result<()> {
        if self.has(prefix) {
            return Ok(());
        }
        let hint = "this arm was trained without it; `girnet/girnet` has all three networks".into();
        Err(Error::NotOffered { who: "girnet".into(), what: format!("a graph of `{prefix}`"), hint })
    }

    /// Names of the free sides, slowest first, or the configured ones.
    fn sides(&self, fixed: bool) -> Vec<Dim> {
        let names = ["depth", "height", "width"];
        let free = names[3 - self.axes()..].iter().map(|n| Dim::from(*n));
        if fixed { self.network.grid.iter().map(|&n| Dim::Fixed(n)).collect() } else { free.collect() }
    }

    fn shape(&self, channels: usize, fixed: bool) -> Vec<Dim> {
        [vec![Dim::from("batch"), Dim::Fixed(channels)], self.sides(fixed)].concat()
    }

    fn image(&mut self, name: &str, fixed: bool) -> Result<Value> {
        let shape = self.shape(1, fixed);
        Ok(self.graph.input(name, DType::F32, shape)?)
    }

    /// An output whose sides are the input's, which pooling and its undoing hide from inference.
    fn named(&mut self, name: &str, value: Value, channels: usize) -> Result<()> {
        let shape = self.shape(channels, false);
        if self.graph.value_type(value)?.shape != shape {
            self.graph.refine(value, shape)?;
        }
        Ok(self.graph.output(name, value)?)
    }

    fn tensor(&mut self, name: &str) -> Result<Value> {
        Ok(self.graph.initializer(name, self.weights.get(name)?)?)
    }

    fn settings(&self, stride: i64, padding: i64) -> Conv {
        Conv { strides: vec![stride; self.axes()], pads: vec![padding; 2 * self.axes()], ..Conv::square(1, 0) }
    }

    fn conv(&mut self, name: &str, x: Value, stride: i64, padding: i64, bias: bool) -> Result<Value> {
        let weight = self.tensor(&format!("{name}.weight"))?;
        let bias = if bias { Some(self.tensor(&format!("{name}.bias"))?) } else { None };
        let settings = self.settings(stride, padding);
        Ok(self.graph.conv(x, weight, bias, &settings)?)
    }

    fn block(&mut self, name: &str, x: Value) -> Result<Value> {
        let y = self.conv(&format!("{name}.conv.0"), x, 1, 1, true)?;
        Ok(self.graph.leaky_relu(y, LEAK)?)
    }

    fn encode(&mut self, prefix: &str, widths: &Widths, x: Value) -> Result<(Value, Vec<Value>)> {
        let axes = self.axes();
        let pool = Pool { kernel: vec![2; axes], strides: vec![2; axes], pads: vec![0; 2 * axes], ..Pool::square(2, 2) };
        let (mut value, mut skips) = (x, Vec::new());
        for level in 0..widths.encoder.len() {
            value = self.block(&format!("{prefix}.encoder.{level}.0"), value)?;
            skips.push(value);
            value = self.graph.max_pool(value, &pool)?;
        }
        Ok((value, skips))
    }

    fn decode(&mut self, prefix: &str, widths: &Widths, bottom: Value, skips: &[Vec<Value>]) -> Result<Value> {
        let scales = [vec![1.0f32; 2], vec![2.0; self.axes()]].concat();
        let mut value = bottom;
        for (level, skip) in skips.iter().rev().enumerate() {
            value = self.block(&format!("{prefix}.decoder.decoder.{level}.0"), value)?;
            let up = self.graph.resize(value, &scales, ResizeMode::Nearest)?;
            value = self.graph.concat(&[&[up], skip.as_slice()].concat(), 1)?;
        }
        for i in 0..widths.tail.len() {
            value = self.block(&format!("{prefix}.decoder.remaining.{i}"), value)?;
        }
        self.conv(&format!("{prefix}.final.0"), value, 1, 1, true)
    }

    fn seg(&mut self, x: Value) -> Result<Value> {
        let network = self.network;
        let (bottom, skips) = self.encode(&format!("{SEG}.encoder"), &network.seg, x)?;
        let skips: Vec<Vec<Value>> = skips.into_iter().map(|s| vec![s]).collect();
        let mask = self.decode(SEG, &network.seg, bottom, &skips)?;
        Ok(self.graph.sigmoid(mask)?)
    }

    fn inp(&mut self, [masked, mask, reference]: [Value; 3]) -> Result<Value> {
        let network = self.network;
        let own = self.graph.concat(&[masked, mask], 1)?;
        let (own, own_skips) = self.encode(&format!("{INP}.encoder1"), &network.inp, own)?;
        let (other, other_skips) = self.encode(&format!("{INP}.encoder2"), &network.inp, reference)?;
        let skips: Vec<Vec<Value>> = own_skips.into_iter().zip(other_skips).map(|(a, b)| vec![a, b]).collect();
        let bottom = self.graph.concat(&[own, other], 1)?;
        self.decode(INP, &network.inp, bottom, &skips)
    }

    fn reg(&mut self, x: Value, y: Value) -> Result<[Value; 2]> {
        let mut value = self.graph.concat(&[x, y], 1)?;
        let mut known = HashMap::new();
        for layer in REG_LAYERS {
            match layer {
                RegLayer::Conv(name, _, stride) => {
                    let y = self.conv(&format!("{REG}.{name}.0"), value, stride as i64, 1, true)?;
                    value = self.graph.relu(y)?;
                    known.insert(name, value);
                }
                RegLayer::Up(name, _, skip) => {
                    let weight = self.tensor(&format!("{REG}.{name}.0.weight"))?;
                    let bias = self.tensor(&format!("{REG}.{name}.0.bias"))?;
                    let settings = self.settings(2, 0);
                    let up = self.graph.conv_transpose(value, weight, Some(bias), &settings)?;
                    let up = self.graph.relu(up)?;
                    let skip = known.get(skip).copied().ok_or_else(|| Error::argument("skip", "a layer before", skip))?;
                    value = self.graph.concat(&[up, skip], 1)?;
                }
            }
        }
        let mut head = |name: &str| -> Result<Value> {
            let v = self.conv(&format!("{REG}.{name}.0"), value, 1, 2, false)?;
            // Softsign, in parts that every opset and runtime has.
            let size = self.graph.node("Abs", &[v], [])?;
            let over = self.graph.add_scalar(size, 1.0)?;
            Ok(self.graph.div(v, over)?)
        };
        Ok([head(REG_HEADS[0])?, head(REG_HEADS[1])?])
    }

    /// `image(p + field(p))`; the grid of places is a constant.
    fn warp(&mut self, image: Value, field: Value) -> Result<Value> {
        let (axes, sides) = (self.axes(), self.network.grid.clone());
        let plane: usize = sides.iter().product();
        // From 0 to side - 1 becomes -1 to 1; x first.
        let scale: Vec<f32> = sides.iter().rev().map(|n| 2.0 / (*n as f32 - 1.0)).collect();
        let mut places = Vec::with_capacity(plane * axes);
        for p in 0..plane {
            let mut rest = p;
            for (axis, n) in sides.iter().rev().enumerate() {
                places.push((rest % n) as f32 * scale[axis] - 1.0);
                rest /= n;
            }
        }
        let places = Tensor::from_vec([vec![1], sides, vec![axes]].concat(), places)?;
        // Large constants are not shared by value, so this one is shared by name.
        let identity = match self.identity {
            Some(value) => value,
            None => self.graph.initializer("identity", &places)?,
        };
        self.identity = Some(identity);
        let scale = self.graph.constant(&Tensor::from_vec([axes], scale)?)?;
        let order: Vec<i64> = std::iter::once(0).chain(2..axes as i64 + 2).chain(std::iter::once(1)).collect();
        let moved = self.graph.transpose(field, &order)?;
        let moved = self.graph.mul(moved, scale)?;
        let grid = self.graph.add(moved, identity)?;
        Ok(self.graph.grid_sample(image, grid, true)?)
    }

    fn compose(&mut self, first: Value, second: Value) -> Result<Value> {
        let there = self.warp(second, first)?;
        Ok(self.graph.add(there, first)?)
    }

    fn exponential(&mut self, velocity: Value, sign: f64) -> Result<Value> {
        let scale = sign * self.network.range / f64::from(2u32.pow(self.network.squarings));
        let mut field = self.graph.mul_scalar(velocity, scale)?;
        for _ in 0..self.network.squarings {
            field = self.compose(field, field)?;
        }
        Ok(field)
    }

    fn full(&mut self) -> Result<()> {
        let (moving, fixed) = (self.image("moving", true)?, self.image("fixed", true)?);
        let [vxy, vyx] = self.reg(moving, fixed)?;
        let shape = self.shape(self.axes(), true);
        for v in [vxy, vyx] {
            if self.graph.value_type(v)?.shape != shape {
                self.graph.refine(v, shape.clone())?;
            }
        }
        let (half_xy, half_yx) = (self.exponential(vxy, 1.0)?, self.exponential(vyx, 1.0)?);
        let (back_xy, back_yx) = (self.exponential(vxy, -1.0)?, self.exponential(vyx, -1.0)?);
        let (xy, yx) = (self.compose(back_yx, half_xy)?, self.compose(back_xy, half_yx)?);
        let (warped_xy, warped_yx) = (self.warp(moving, xy)?, self.warp(fixed, yx)?);
        for (name, value) in [("warped_xy", warped_xy), ("warped_yx", warped_yx), ("flow_xy", xy), ("flow_yx", yx)] {
            self.graph.output(name, value)?;
        }
        Ok(())
    }
}
