//! Malformed attributes that tract takes at their word, looping or allocating until the process dies, where a panic or an
//! error could have been caught.

use crate::signature::node_name;
use zoo_core::{Error, Result};
use zoo_formats::onnx::proto::NodeProto;

/// Greatest window, stride, dilation or padding.
const WIDEST: i64 = 1 << 16;

/// Refuses a node that would do harm.
pub(crate) fn check(file: &str, node: &NodeProto) -> Result<()> {
    let fail = |attribute: &str, expected: &str, found: &[i64]| {
        let place = format!("node `{}` ({}), attribute `{attribute}`", node_name(node), node.op_type());
        Err(Error::artifact(file, place, format!("expected {expected}, found {found:?}")))
    };
    for attribute in &node.attribute {
        let ints = &attribute.ints[..];
        match attribute.name() {
            "perm" if !is_permutation(ints) => return fail("perm", "each axis once", ints),
            name @ ("kernel_shape" | "strides" | "dilations") if !ints.iter().all(|n| (1..=WIDEST).contains(n)) => {
                return fail(name, "lengths from 1 to 65536", ints);
            }
            name @ ("pads" | "output_padding") if !ints.iter().all(|n| (-WIDEST..=WIDEST).contains(n)) => {
                return fail(name, "lengths up to 65536", ints);
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_permutation(axes: &[i64]) -> bool {
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    sorted.iter().enumerate().all(|(i, &axis)| usize::try_from(axis) == Ok(i))
}
