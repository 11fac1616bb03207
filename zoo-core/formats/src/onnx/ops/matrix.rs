//! Matrix products.

use crate::error::Result;
use crate::onnx::dims::{broadcast, may_equal, unify};
use crate::onnx::infer::{Context, Inferred, Rule};
use std::collections::BTreeMap;
use zoo_core::Dim;

pub(super) const RULES: &[(&str, Rule)] = &[("Einsum", einsum), ("Gemm", gemm), ("MatMul", matmul)];

/// `alpha * A * B + beta * C` over matrices.
fn gemm(context: &mut Context<'_>) -> Result<Inferred> {
    let (a, b) = (context.shape_of_rank(0, 2)?, context.shape_of_rank(1, 2)?);
    let (rows, inner) = if context.int("transA", 0) == 0 { (&a[0], &a[1]) } else { (&a[1], &a[0]) };
    let (inner_b, columns) = if context.int("transB", 0) == 0 { (&b[0], &b[1]) } else { (&b[1], &b[0]) };
    if !may_equal(inner, inner_b) {
        return Err(context.error(format!("expected equal inner axes, found {inner} and {inner_b}")));
    }
    let shape = vec![rows.clone(), columns.clone()];
    if context.has(2) {
        let bias = context.shape(2)?;
        let fits = bias.len() <= 2
            && bias.iter().rev().zip(shape.iter().rev()).all(|(have, want)| have.fixed() == Some(1) || may_equal(have, want));
        if !fits {
            return Err(context.error(format!("input `C`: expected a shape that broadcasts to {shape:?}, found {bias:?}")));
        }
    }
    Ok(shape.into())
}

/// Like numpy's `matmul`: vectors are promoted, leading axes broadcast.
fn matmul(context: &mut Context<'_>) -> Result<Inferred> {
    let (a, b) = (context.shape(0)?, context.shape(1)?);
    if a.is_empty() || b.is_empty() {
        return Err(context.error("expected at least one axis, found a scalar"));
    }
    let (batch_a, rows, inner) = match a {
        [inner] => (&a[..0], None, inner),
        [batch @ .., rows, inner] => (batch, Some(rows), inner),
        [] => (a, None, &a[0]),
    };
    let (batch_b, inner_b, columns) = match b {
        [inner] => (&b[..0], inner, None),
        [batch @ .., inner, columns] => (batch, inner, Some(columns)),
        [] => (b, &b[0], None),
    };
    if !may_equal(inner, inner_b) {
        return Err(context.error(format!("expected equal inner axes, found {inner} and {inner_b}")));
    }
    let mut shape = broadcast(context, batch_a, batch_b)?;
    shape.extend(rows.cloned());
    shape.extend(columns.cloned());
    Ok(shape.into())
}

/// Letters for axes, `->` before the output's letters. Ellipses are not supported.
fn einsum(context: &mut Context<'_>) -> Result<Inferred> {
    let equation: String = context.text("equation", "").chars().filter(|c| !c.is_whitespace()).collect();
    if equation.contains("...") {
        return Err(context.error("attribute `equation`: expected letters, found an ellipsis, which is not supported"));
    }
    let (left, right) = equation.split_once("->").map_or((equation.as_str(), None), |(left, right)| (left, Some(right)));
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != context.input_count() {
        return Err(context.error(format!("attribute `equation`: expected {} terms, found {}", context.input_count(), terms.len())));
    }
    let mut lengths = BTreeMap::<char, (Dim, usize)>::new();
    for (input, term) in terms.iter().enumerate() {
        let shape = context.shape_of_rank(input, term.chars().count())?;
        for (letter, dim) in term.chars().zip(shape) {
            if !letter.is_ascii_alphabetic() {
                return Err(context.error(format!("attribute `equation`: expected letters, found {letter}")));
            }
            let (length, count) = lengths.entry(letter).or_insert_with(|| (dim.clone(), 0));
            let joint = unify(length, dim);
            *count += 1;
            *length = joint.ok_or_else(|| context.error(format!("axis `{letter}`: expected one length, found {length} and {dim}")))?;
        }
    }
    let output: String = match right {
        Some(right) => right.into(),
        // Without an arrow the output has the letters that appear once, in alphabetical order.
        None => lengths.iter().filter(|(_, (_, count))| *count == 1).map(|(letter, _)| *letter).collect(),
    };
    let shape: Option<Vec<_>> = output.chars().map(|letter| lengths.get(&letter).map(|(dim, _)| dim.clone())).collect();
    let shape = shape.ok_or_else(|| context.error(format!("attribute `equation`: expected letters of the inputs, found {output}")))?;
    Ok(shape.into())
}
