//! Names and shapes of the tensors of the three networks, as the authors' code names them (specification sections 2 and 9).

use crate::config::{Arm, NetworkConfig, Widths};
use zoo_core::{Result, Weights};

/// Slope of the leaky rectifier below 0, of mask generator and inpainter.
pub const LEAK: f32 = 0.2;
/// Prefix of the mask generator.
pub const SEG: &str = "mask_generator";
/// Prefix of the inpainter.
pub const INP: &str = "inpainter";
/// Prefix of the registration network.
pub const REG: &str = "symnet.unet";

/// A named tensor.
pub type Named = (String, Vec<usize>);

/// A convolution of `kernel` pixels a side, with bias.
fn conv(all: &mut Vec<Named>, name: &str, [inputs, outputs]: [usize; 2], kernel: usize, axes: usize) {
    all.push((format!("{name}.weight"), [vec![outputs, inputs], vec![kernel; axes]].concat()));
    all.push((format!("{name}.bias"), vec![outputs]));
}

fn encoder(all: &mut Vec<Named>, prefix: &str, mut inputs: usize, widths: &Widths, axes: usize) {
    for (level, &outputs) in widths.encoder.iter().enumerate() {
        conv(all, &format!("{prefix}.encoder.{level}.0.conv.0"), [inputs, outputs], 3, axes);
        inputs = outputs;
    }
}

/// Decoder, tail and head; `encoders` of them hand over their skips.
fn decoder(all: &mut Vec<Named>, prefix: &str, widths: &Widths, encoders: usize, axes: usize) {
    let levels = widths.encoder.len();
    let mut inputs = encoders * widths.encoder[levels - 1];
    for (level, &outputs) in widths.decoder.iter().enumerate() {
        conv(all, &format!("{prefix}.decoder.decoder.{level}.0.conv.0"), [inputs, outputs], 3, axes);
        inputs = outputs + encoders * widths.encoder[levels - 1 - level];
    }
    for (i, &outputs) in widths.tail.iter().enumerate() {
        conv(all, &format!("{prefix}.decoder.remaining.{i}.conv.0"), [inputs, outputs], 3, axes);
        inputs = outputs;
    }
    conv(all, &format!("{prefix}.final.0"), [inputs, 1], 3, axes);
}

/// Tensors of the mask generator.
pub fn seg(network: &NetworkConfig) -> Vec<Named> {
    let mut all = Vec::new();
    encoder(&mut all, &format!("{SEG}.encoder"), 1, &network.seg, network.axes());
    decoder(&mut all, SEG, &network.seg, 1, network.axes());
    all
}

/// Tensors of the inpainter.
pub fn inp(network: &NetworkConfig) -> Vec<Named> {
    let mut all = Vec::new();
    encoder(&mut all, &format!("{INP}.encoder1"), 2, &network.inp, network.axes());
    encoder(&mut all, &format!("{INP}.encoder2"), 1, &network.inp, network.axes());
    decoder(&mut all, INP, &network.inp, 2, network.axes());
    all
}

/// One layer of the registration network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegLayer {
    /// Convolution of 3 a side, with this stride.
    Conv(&'static str, [usize; 2], usize),
    /// Transposed convolution of 2 a side and stride 2, then the features of the named layer behind its own.
    Up(&'static str, [usize; 2], &'static str),
}

/// Layers of the registration network in order, widths as multiples of the first; a rectifier follows each.
pub const REG_LAYERS: [RegLayer; 22] = {
    use RegLayer::{Conv, Up};
    [
        // The first has the two images as its inputs, whatever the width.
        Conv("eninput", [0, 1], 1),
        Conv("ec1", [1, 1], 1),
        Conv("ec2", [1, 2], 2),
        Conv("ec3", [2, 2], 1),
        Conv("ec4", [2, 4], 2),
        Conv("ec5", [4, 4], 1),
        Conv("ec6", [4, 8], 2),
        Conv("ec7", [8, 8], 1),
        Conv("ec8", [8, 16], 2),
        Conv("ec9", [16, 8], 1),
        Up("up1", [8, 8], "ec7"),
        Conv("dc1", [16, 8], 1),
        Conv("dc2", [8, 4], 1),
        Up("up2", [4, 4], "ec5"),
        Conv("dc3", [8, 4], 1),
        Conv("dc4", [4, 2], 1),
        Up("up3", [2, 2], "ec3"),
        Conv("dc5", [4, 4], 1),
        Conv("dc6", [4, 2], 1),
        Up("up4", [2, 2], "ec1"),
        Conv("dc7", [3, 2], 1),
        Conv("dc8", [2, 2], 1),
    ]
};
/// The two heads, velocities from moving to fixed and back: 5 a side, no bias, softsign.
pub const REG_HEADS: [&str; 2] = ["dc9", "dc10"];

/// Tensors of the registration network.
pub fn reg(network: &NetworkConfig) -> Vec<Named> {
    let (c, axes) = (network.reg_width, network.axes());
    let mut all = Vec::new();
    for layer in REG_LAYERS {
        match layer {
            RegLayer::Conv(name, [inputs, outputs], _) => {
                let inputs = if inputs == 0 { 2 } else { inputs * c };
                conv(&mut all, &format!("{REG}.{name}.0"), [inputs, outputs * c], 3, axes);
            }
            RegLayer::Up(name, [inputs, outputs], _) => {
                all.push((format!("{REG}.{name}.0.weight"), [vec![inputs * c, outputs * c], vec![2; axes]].concat()));
                all.push((format!("{REG}.{name}.0.bias"), vec![outputs * c]));
            }
        }
    }
    all.extend(REG_HEADS.map(|name| (format!("{REG}.{name}.0.weight"), [vec![axes, 2 * c], vec![5; axes]].concat())));
    all
}

/// Tensors that an arm keeps.
pub fn tensors(network: &NetworkConfig, arm: Arm) -> Vec<Named> {
    let mut all = reg(network);
    if arm.inpaints() {
        all.extend(inp(network));
    }
    if arm.generates() {
        all.extend(seg(network));
    }
    all
}

/// Checks that `weights` has exactly these tensors, all f32.
///
/// # Errors
/// [`zoo_core::Error::Keys`], [`zoo_core::Error::Shape`], [`zoo_core::Error::DType`].
pub fn check(weights: &Weights, tensors: &[Named]) -> Result<()> {
    weights.expect_keys("girnet weights", tensors.iter().map(|(name, _)| name.as_str()))?;
    tensors.iter().try_for_each(|(name, shape)| weights.f32(name, shape).map(|_| ()))
}
