//! Shapes along the edges.

use super::{EventGraph, Node, Op, at, limits};
use zoo_core::{Error, Result, Tensor};

impl EventGraph {
    /// Shape of each node's output for one step of one sample: `[C, H, W]`, `[C, L]` or `[N]`.
    ///
    /// # Errors
    /// [`Error::Shape`] naming the node whose input or weight does not fit, [`Error::Artifact`] for a broken topology
    /// or an output beyond [`limits`].
    pub fn shapes(&self) -> Result<Vec<Vec<usize>>> {
        let edges = self.edges()?;
        let order = self.order()?;
        let mut shapes: Vec<Option<Vec<usize>>> = vec![None; self.nodes.len()];
        // A delay may read a node whose shape is not known yet: such nodes wait for another round. An addition takes
        // its shape from whichever input is known, so that a loop may close on it.
        let mut pending = order.clone();
        while !pending.is_empty() {
            let before = pending.len();
            let mut later = Vec::new();
            for i in pending {
                let node = &self.nodes[i];
                let known: Vec<&[usize]> = edges[i].iter().filter_map(|&f| shapes[f].as_deref()).collect();
                match known.first() {
                    Some(&shape) if matches!(node.op, Op::Add {}) => shapes[i] = Some(shape.to_vec()),
                    _ if known.len() == edges[i].len() => shapes[i] = Some(self.shape_of(node, &known)?),
                    _ => later.push(i),
                }
            }
            if later.len() == before {
                return Err(at(
                    &self.nodes[later[0]].name,
                    "its shape follows only from itself; let a node outside the loop feed it first",
                ));
            }
            pending = later;
        }
        for &i in &order {
            let from: Vec<&[usize]> = edges[i].iter().filter_map(|&f| shapes[f].as_deref()).collect();
            self.shape_of(&self.nodes[i], &from)?;
        }
        let shapes: Vec<_> = shapes.into_iter().flatten().collect();
        let total = shapes.iter().fold(0usize, |sum, s| sum.saturating_add(s.iter().product()));
        if total > limits::TOTAL_ELEMENTS {
            return Err(at("", format!("expected at most {} values a step over all nodes, found {total}", limits::TOTAL_ELEMENTS)));
        }
        Ok(shapes)
    }

    fn shape_of(&self, node: &Node, from: &[&[usize]]) -> Result<Vec<usize>> {
        let (least, most) = match node.op {
            Op::Input { .. } => (0, 0),
            Op::Add {} | Op::Concat {} => (2, usize::MAX),
            _ => (1, 1),
        };
        if from.len() < least || from.len() > most {
            let expected = if least == most { least.to_string() } else { format!("at least {least}") };
            return Err(at(&node.name, format!("{} takes {expected} inputs, found {}", node.op.name(), from.len())));
        }
        let shape = match &node.op {
            Op::Input { shape, .. } => shape.clone(),
            Op::Conv1d { weight, stride, padding, dilation, groups, .. } => {
                let &[c, l] = from[0] else { return Err(rank(node, "[C, L]", from[0])) };
                let w = self.weight(node, weight)?.shape();
                let &[out, per_group, k] = w else { return Err(rank(node, "weight [C_out, C / groups, K]", w)) };
                channels(node, c, out, per_group, *groups)?;
                vec![out, window(node, l, k, stride[0], padding[0], dilation[0])?]
            }
            Op::Conv2d { weight, stride, padding, dilation, groups, .. } => {
                let &[c, h, w] = from[0] else { return Err(rank(node, "[C, H, W]", from[0])) };
                let shape = self.weight(node, weight)?.shape();
                let &[out, per_group, ky, kx] = shape else { return Err(rank(node, "weight [C_out, C / groups, K_y, K_x]", shape)) };
                channels(node, c, out, per_group, *groups)?;
                let y = window(node, h, ky, stride[0], padding[0], dilation[0])?;
                vec![out, y, window(node, w, kx, stride[1], padding[1], dilation[1])?]
            }
            Op::Linear { weight, .. } => {
                let &[n] = from[0] else { return Err(rank(node, "[N] (insert a flatten)", from[0])) };
                let w = self.weight(node, weight)?.shape();
                match w {
                    &[out, input] if input == n => vec![out],
                    _ => return Err(rank(node, &format!("weight [N_out, {n}]"), w)),
                }
            }
            Op::SumPool2d { kernel, stride, padding } | Op::AvgPool2d { kernel, stride, padding } => {
                let &[c, h, w] = from[0] else { return Err(rank(node, "[C, H, W]", from[0])) };
                if padding.iter().zip(kernel).any(|(&p, &k)| p >= k) {
                    return Err(at(&node.name, format!("expected padding below the window {kernel:?}, found {padding:?}")));
                }
                let y = window(node, h, kernel[0], stride[0], padding[0], 1)?;
                vec![c, y, window(node, w, kernel[1], stride[1], padding[1], 1)?]
            }
            Op::Add {} => match from.iter().find(|s| **s != from[0]) {
                Some(other) => return Err(rank(node, &format!("{:?} on every input", from[0]), other)),
                None => from[0].to_vec(),
            },
            Op::Concat {} => match from.iter().find(|s| s[1..] != from[0][1..] || s.is_empty()) {
                Some(other) => return Err(rank(node, &format!("[C, {:?}] on every input", &from[0][1..]), other)),
                None => {
                    let mut shape = from[0].to_vec();
                    shape[0] = from.iter().map(|s| s[0]).sum();
                    shape
                }
            },
            Op::Flatten {} => vec![from[0].iter().product()],
            Op::Scale { .. } | Op::Delay { .. } | Op::Neuron(_) | Op::Li { .. } => from[0].to_vec(),
        };
        let elements = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).unwrap_or(usize::MAX);
        if shape.is_empty() || shape.len() > 3 || elements == 0 || elements > limits::NODE_ELEMENTS {
            let expected = format!("one to three axes and 1 to {} values", limits::NODE_ELEMENTS);
            return Err(at(&node.name, format!("expected an output of {expected}, found shape {shape:?}")));
        }
        Ok(shape)
    }

    /// A node's tensor by name.
    pub(super) fn weight(&self, node: &Node, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).ok_or_else(|| at(&node.name, format!("tensor `{name}` is not in {}", super::WEIGHTS_FILE)))
    }
}

fn rank(node: &Node, expected: &str, found: &[usize]) -> Error {
    Error::Shape { what: format!("event graph, node `{}`", node.name), expected: expected.into(), found: format!("{found:?}") }
}

fn channels(node: &Node, input: usize, out: usize, per_group: usize, groups: usize) -> Result<()> {
    if groups == 0 || !input.is_multiple_of(groups) || !out.is_multiple_of(groups) || per_group != input / groups {
        let why = format!(
            "expected {input} input channels as groups x weight axis 1 and groups to divide both sides, found {groups} groups, weight axis 1 of {per_group}, {out} output channels"
        );
        return Err(at(&node.name, why));
    }
    Ok(())
}

/// Number of window positions along one axis.
fn window(node: &Node, size: usize, kernel: usize, stride: usize, padding: usize, dilation: usize) -> Result<usize> {
    if kernel == 0 || stride == 0 || dilation == 0 {
        return Err(at(&node.name, format!("expected kernel, stride and dilation of at least 1, found {kernel}, {stride}, {dilation}")));
    }
    let padded = padding.checked_mul(2).and_then(|p| p.checked_add(size));
    let extent = (kernel - 1).checked_mul(dilation).and_then(|e| e.checked_add(1));
    match (padded, extent) {
        (Some(padded), Some(extent)) if extent <= padded && padding <= limits::NODE_ELEMENTS => Ok((padded - extent) / stride + 1),
        _ => Err(at(&node.name, format!("a window of {kernel} (dilation {dilation}) does not fit {size} values with padding {padding}"))),
    }
}
