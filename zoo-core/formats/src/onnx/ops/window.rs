//! Sliding windows: what convolution and pooling share.

use crate::error::Result;
use crate::onnx::infer::Context;
use zoo_core::Dim;

/// Kernel, stride, dilation and padding of each spatial axis.
pub(super) struct Window {
    pub(super) kernel: Vec<Dim>,
    pub(super) strides: Vec<usize>,
    pub(super) dilations: Vec<usize>,
    /// Padding in front of and behind each axis.
    pub(super) pads: Vec<(i64, i64)>,
    auto_pad: AutoPad,
    ceil: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AutoPad {
    NotSet,
    Valid,
    Same,
}

impl Window {
    /// Reads the window's attributes for `spatial` axes.
    pub(super) fn read(context: &Context<'_>, spatial: usize, kernel: Vec<Dim>) -> Result<Self> {
        let positive = |name: &str| -> Result<Vec<usize>> {
            let Some(values) = context.ints(name) else { return Ok(vec![1; spatial]) };
            let read: Vec<usize> = values.iter().filter_map(|&v| usize::try_from(v).ok().filter(|&v| v > 0)).collect();
            if read.len() == spatial && values.len() == spatial {
                return Ok(read);
            }
            Err(context.error(format!("attribute `{name}`: expected {spatial} numbers of at least 1, found {values:?}")))
        };
        let pads = context.ints("pads").map_or_else(|| vec![0; 2 * spatial], <[i64]>::to_vec);
        if pads.len() != 2 * spatial || pads.iter().any(|&p| p < 0) {
            return Err(context.error(format!("attribute `pads`: expected {} numbers of at least 0, found {pads:?}", 2 * spatial)));
        }
        let auto_pad = match context.text("auto_pad", "NOTSET") {
            "NOTSET" => AutoPad::NotSet,
            "VALID" => AutoPad::Valid,
            "SAME_UPPER" | "SAME_LOWER" => AutoPad::Same,
            other => {
                return Err(context.error(format!("attribute `auto_pad`: expected NOTSET, VALID, SAME_UPPER or SAME_LOWER, found {other}")));
            }
        };
        if auto_pad != AutoPad::NotSet && context.ints("pads").is_some() {
            return Err(context.error("expected either `pads` or `auto_pad`, found both"));
        }
        Ok(Self {
            kernel,
            strides: positive("strides")?,
            dilations: positive("dilations")?,
            pads: (0..spatial).map(|axis| (pads[axis], pads[axis + spatial])).collect(),
            auto_pad,
            ceil: context.int("ceil_mode", 0) != 0,
        })
    }

    /// The `kernel_shape` attribute, if it is there.
    pub(super) fn kernel_attribute(context: &Context<'_>, spatial: usize) -> Result<Option<Vec<Dim>>> {
        let Some(values) = context.ints("kernel_shape") else { return Ok(None) };
        let kernel: Vec<_> = values.iter().filter_map(|&v| usize::try_from(v).ok().filter(|&v| v > 0).map(Dim::Fixed)).collect();
        if kernel.len() == spatial && values.len() == spatial {
            return Ok(Some(kernel));
        }
        Err(context.error(format!("attribute `kernel_shape`: expected {spatial} numbers of at least 1, found {values:?}")))
    }

    /// Whether padding follows from the input's length.
    pub(super) fn is_same(&self) -> bool {
        self.auto_pad == AutoPad::Same
    }

    /// Length of a spatial axis after the window has slid over it.
    pub(super) fn slide(&self, context: &mut Context<'_>, axis: usize, length: &Dim) -> Result<Dim> {
        let stride = self.strides[axis];
        if self.auto_pad == AutoPad::Same {
            return Ok(match length {
                _ if stride == 1 => length.clone(),
                Dim::Fixed(n) => Dim::Fixed(n.div_ceil(stride)),
                Dim::Free(_) => context.fresh(),
            });
        }
        let Some(kernel) = self.kernel[axis].fixed() else { return Ok(context.fresh()) };
        let extent = kernel.checked_sub(1).and_then(|k| k.checked_mul(self.dilations[axis])).and_then(|k| i64::try_from(k).ok());
        let (before, behind) = self.pads[axis];
        let padding = before.checked_add(behind);
        let (Some(extent), Some(padding)) = (extent, padding) else {
            return Err(context.error("expected a kernel and padding that fit memory"));
        };
        let length = match length {
            // Padding that makes up for the kernel keeps the length, known or not.
            Dim::Free(_) if stride == 1 && padding == extent => return Ok(length.clone()),
            Dim::Free(_) => return Ok(context.fresh()),
            Dim::Fixed(n) => i64::try_from(*n).ok(),
        };
        let room = length.and_then(|n| n.checked_add(padding)).and_then(|n| n.checked_sub(extent + 1)).filter(|&room| room >= 0);
        let Some(room) = room else {
            return Err(context.error(format!("spatial axis {axis}: expected at least the kernel's extent of {} with padding", extent + 1)));
        };
        let stride = stride as i64;
        let count = if self.ceil { room.unsigned_abs().div_ceil(stride.unsigned_abs()) as i64 } else { room / stride } + 1;
        // Runtimes leave such a window out, strict shape inference counts it: no file would satisfy both.
        if self.ceil && (count - 1).saturating_mul(stride) >= length.unwrap_or(0).saturating_add(before) {
            return Err(context.error(format!("spatial axis {axis}: expected the last window of `ceil_mode` to start inside the input")));
        }
        Ok(Dim::Fixed(count as usize))
    }
}
