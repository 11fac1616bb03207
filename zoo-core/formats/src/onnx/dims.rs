//! Arithmetic on lengths that may be free.

use super::infer::Context;
use crate::error::Result;
use zoo_core::Dim;

/// An element of a small integer tensor that is followed from node to node, so that computed shapes are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Number(i64),
    /// The length of a free axis.
    Free(String),
}

impl Element {
    pub(super) fn of(dim: &Dim) -> Self {
        match dim {
            Dim::Fixed(n) => i64::try_from(*n).map_or(Self::Free(n.to_string()), Self::Number),
            Dim::Free(name) => Self::Free(name.clone()),
        }
    }

    /// The element as a length; `None` if it is negative.
    pub(super) fn dim(&self) -> Option<Dim> {
        match self {
            Self::Number(n) => usize::try_from(*n).ok().map(Dim::Fixed),
            Self::Free(name) => Some(Dim::Free(name.clone())),
        }
    }
}

/// A product of lengths: the fixed part and the free names, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Product {
    pub(super) fixed: usize,
    free: Vec<String>,
}

impl Product {
    /// The product, or `None` if the fixed part overflows.
    pub(super) fn of(dims: &[Dim]) -> Option<Self> {
        let mut product = Self { fixed: 1, free: Vec::new() };
        for dim in dims {
            match dim {
                Dim::Fixed(n) => product.fixed = product.fixed.checked_mul(*n)?,
                Dim::Free(name) => product.free.push(name.clone()),
            }
        }
        product.free.sort();
        Some(product)
    }

    /// The product as one length, if it is a number or a single name.
    pub(super) fn as_dim(&self) -> Option<Dim> {
        match (self.fixed, self.free.as_slice()) {
            (0, _) => Some(Dim::Fixed(0)),
            (n, []) => Some(Dim::Fixed(n)),
            (1, [name]) => Some(Dim::Free(name.clone())),
            _ => None,
        }
    }

    /// Whether nothing in it is free.
    pub(super) fn is_fixed(&self) -> bool {
        self.free.is_empty() || self.fixed == 0
    }

    /// What is left after dividing by another product; `None` if it does not go.
    pub(super) fn divide(&self, by: &Self) -> Option<Self> {
        let mut free = self.free.clone();
        for name in &by.free {
            let position = free.iter().position(|n| n == name)?;
            free.remove(position);
        }
        if by.fixed == 0 || !self.fixed.is_multiple_of(by.fixed) {
            return None;
        }
        Some(Self { fixed: self.fixed / by.fixed, free })
    }
}

/// The length of several axes laid out as one.
pub(super) fn merged(context: &mut Context<'_>, dims: &[Dim]) -> Result<Dim> {
    let product = Product::of(dims).ok_or_else(|| context.error("expected a size that fits memory"))?;
    Ok(product.as_dim().unwrap_or_else(|| context.fresh()))
}

/// The shape to which two shapes broadcast.
pub(super) fn broadcast(context: &mut Context<'_>, a: &[Dim], b: &[Dim]) -> Result<Vec<Dim>> {
    let rank = a.len().max(b.len());
    let at = |shape: &[Dim], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(Dim::Fixed(1), |i| shape[i].clone());
    (0..rank)
        .map(|axis| match (at(a, axis), at(b, axis)) {
            (x, y) if x == y => Ok(x),
            (Dim::Fixed(1), other) | (other, Dim::Fixed(1)) => Ok(other),
            (Dim::Fixed(_), Dim::Fixed(_)) => Err(context.error(format!("shapes {a:?} and {b:?} do not broadcast at axis {axis}"))),
            // A free length beside a fixed one over 1 must be 1 or equal to it.
            (fixed @ Dim::Fixed(_), Dim::Free(_)) | (Dim::Free(_), fixed @ Dim::Fixed(_)) => Ok(fixed),
            (Dim::Free(_), Dim::Free(_)) => Ok(context.fresh()),
        })
        .collect()
}

/// The shape to which all inputs broadcast.
pub(super) fn broadcast_inputs(context: &mut Context<'_>) -> Result<Vec<Dim>> {
    let mut shape = Vec::new();
    for input in 0..context.input_count() {
        let other = context.shape(input)?;
        shape = broadcast(context, &shape, other)?;
    }
    Ok(shape)
}

/// Whether two lengths may be equal.
pub(super) fn may_equal(a: &Dim, b: &Dim) -> bool {
    match (a, b) {
        (Dim::Fixed(a), Dim::Fixed(b)) => a == b,
        _ => true,
    }
}

/// The more informative of two lengths that must be equal; `None` if they can't be.
pub(super) fn unify(a: &Dim, b: &Dim) -> Option<Dim> {
    match (a, b) {
        (Dim::Fixed(x), Dim::Fixed(y)) => (x == y).then(|| a.clone()),
        (Dim::Fixed(_), Dim::Free(_)) => Some(a.clone()),
        (Dim::Free(_), Dim::Fixed(_)) => Some(b.clone()),
        (Dim::Free(_), Dim::Free(_)) => Some(a.clone()),
    }
}
