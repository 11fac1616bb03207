//! Shapes of layers.

use super::{Layer, Op, Source};
use zoo_core::{Error, Result};

/// Output shape of every layer.
pub(super) fn shapes(layers: &[Layer], input: [usize; 3]) -> Result<Vec<[usize; 3]>> {
    let mut shapes: Vec<[usize; 3]> = Vec::with_capacity(layers.len());
    for layer in layers {
        let from = match layer.input {
            Source::Frame => input,
            Source::Layer(n) => shapes[n],
        };
        let shape = of(layer.op, from).ok_or_else(|| Error::Config {
            key: "network.input".into(),
            expected: format!("frames large enough for layer `{}`", layer.name),
            found: format!("{input:?}, which leaves {from:?}"),
        })?;
        for other in [layer.add, layer.add_after].into_iter().flatten() {
            if shapes[other] != shape {
                return Err(Error::shape(format!("what layer `{}` adds", layer.name), shape, shapes[other]));
            }
        }
        shapes.push(shape);
    }
    Ok(shapes)
}

fn of(op: Op, [c, h, w]: [usize; 3]) -> Option<[usize; 3]> {
    let window = |side: usize, kernel: usize, stride: usize, padding: usize| Some((side + 2 * padding).checked_sub(kernel)? / stride + 1);
    let [c, h, w] = match op {
        Op::Conv { out, kernel, stride, padding, .. } => [out, window(h, kernel, stride, padding)?, window(w, kernel, stride, padding)?],
        Op::Linear { out } => [out, 1, 1],
        Op::AvgPool { kernel } => [c, h / kernel, w / kernel],
        Op::MaxPool => [c, window(h, 3, 2, 1)?, window(w, 3, 2, 1)?],
        Op::GlobalAvgPool => [c, 1, 1],
    };
    (h > 0 && w > 0).then_some([c, h, w])
}
