//! Operators that make a tensor: constants, ranges, shapes.

use crate::error::Result;
use crate::onnx::attribute::Attribute;
use crate::onnx::dims::Element;
use crate::onnx::infer::{Context, Inferred, Rule, known_elements};
use zoo_core::{DType, Dim, Tensor};

pub(super) const RULES: &[(&str, Rule)] =
    &[("Constant", constant), ("ConstantOfShape", constant_of_shape), ("Range", range), ("Shape", shape)];

fn of(tensor: &Tensor) -> Inferred {
    let shape: Vec<_> = tensor.shape().iter().map(|&d| Dim::Fixed(d)).collect();
    Inferred { dtype: Some(tensor.dtype()), known: known_elements(tensor), ..shape.into() }
}

fn constant(context: &mut Context<'_>) -> Result<Inferred> {
    const FORMS: [&str; 5] = ["value", "value_float", "value_floats", "value_int", "value_ints"];
    let mut given = FORMS.iter().filter_map(|form| context.attr(form));
    let (Some(value), None) = (given.next(), given.next()) else {
        return Err(context.error(format!("expected exactly one of the attributes {}", FORMS.join(", "))));
    };
    Ok(match value {
        Attribute::Tensor(tensor) => of(tensor),
        Attribute::Float(value) => of(&Tensor::scalar(*value)),
        Attribute::Int(value) => of(&Tensor::scalar(*value)),
        Attribute::Floats(values) => of(&Tensor::from_vec([values.len()], values.clone())?),
        Attribute::Ints(values) => of(&Tensor::from_vec([values.len()], values.clone())?),
        other @ (Attribute::Text(_) | Attribute::Texts(_) | Attribute::Graph(_)) => {
            return Err(context.error(format!("expected a tensor of numbers, found {}", other.kind())));
        }
    })
}

fn constant_of_shape(context: &mut Context<'_>) -> Result<Inferred> {
    let dtype = match context.attr("value") {
        Some(Attribute::Tensor(value)) if value.len() == 1 => value.dtype(),
        Some(_) => return Err(context.error("attribute `value`: expected a tensor of one element")),
        None => DType::F32,
    };
    let shape = shape_input(context, 0)?;
    Ok(Inferred { dtype: Some(dtype), ..shape.into() })
}

/// The shape that an integer input of one axis describes, as far as it is known.
pub(super) fn shape_input(context: &mut Context<'_>, input: usize) -> Result<Vec<Dim>> {
    let axes = context.shape_of_rank(input, 1)?;
    if let Some(known) = context.known(input) {
        let dims: Option<Vec<_>> = known.iter().map(Element::dim).collect();
        return dims.ok_or_else(|| context.error(format!("input {input}: expected lengths of at least 0")));
    }
    const MOST_AXES: usize = 64;
    match axes[0].fixed() {
        Some(rank) if rank <= MOST_AXES => Ok((0..rank).map(|_| context.fresh()).collect()),
        _ => Err(context.error(format!("input {input}: expected a known number of axes, at most {MOST_AXES}"))),
    }
}

fn range(context: &mut Context<'_>) -> Result<Inferred> {
    for input in 0..3 {
        context.shape_of_rank(input, 0)?;
    }
    let numbers: Option<Vec<f64>> = (0..3).map(|i| context.tensor(i).and_then(number)).collect();
    let Some(&[start, limit, delta]) = numbers.as_deref() else {
        return Ok(vec![context.fresh()].into());
    };
    if delta == 0.0 {
        return Err(context.error("expected a delta other than 0"));
    }
    let count = ((limit - start) / delta).ceil().max(0.0);
    if count >= i64::MAX as f64 {
        return Err(context.error(format!("expected a length that fits memory, found {count}")));
    }
    Ok(vec![Dim::Fixed(count as usize)].into())
}

fn number(tensor: &Tensor) -> Option<f64> {
    match tensor.dtype() {
        DType::I16 => tensor.as_slice::<i16>().ok()?.first().map(|&v| v.into()),
        DType::I32 => tensor.as_slice::<i32>().ok()?.first().map(|&v| v.into()),
        DType::I64 => tensor.as_slice::<i64>().ok()?.first().map(|&v| v as f64),
        DType::F32 => tensor.as_slice::<f32>().ok()?.first().map(|&v| v.into()),
        DType::F64 => tensor.as_slice::<f64>().ok()?.first().copied(),
        _ => None,
    }
}

fn shape(context: &mut Context<'_>) -> Result<Inferred> {
    let dims = context.shape(0)?;
    let rank = dims.len() as i64;
    let bound = |at: i64| (if at < 0 { at.saturating_add(rank) } else { at }).clamp(0, rank) as usize;
    let (start, end) = (bound(context.int("start", 0)), bound(context.int("end", rank)));
    let known: Vec<_> = dims[start..end.max(start)].iter().map(Element::of).collect();
    Ok(Inferred { shapes: vec![vec![Dim::Fixed(known.len())]], known: Some(known), ..Inferred::default() })
}
