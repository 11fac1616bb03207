//! What an operator takes and gives in each opset: a table made from the operator schemas of the `onnx` package.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use zoo_core::DType;

/// Whether and how often an input or output appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arity {
    One,
    Optional,
    Variadic,
}

/// Element type of an input or output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypeRef {
    Fixed(DType),
    /// A type variable; everything that carries it has one type.
    Variable(&'static str),
}

/// An input or output.
#[derive(Clone, Debug)]
pub(super) struct Formal {
    pub(super) name: &'static str,
    pub(super) arity: Arity,
    pub(super) ty: TypeRef,
}

/// An attribute.
#[derive(Clone, Debug)]
pub(super) struct AttributeRule {
    pub(super) name: &'static str,
    /// `int`, `float`, `string`, `ints` ...
    pub(super) kind: &'static str,
    pub(super) required: bool,
}

/// One version of an operator.
#[derive(Clone, Debug)]
pub(super) struct Signature {
    /// The opset that brought this version.
    pub(super) since: u32,
    pub(super) inputs: Vec<Formal>,
    pub(super) outputs: Vec<Formal>,
    pub(super) types: BTreeMap<&'static str, Vec<DType>>,
    pub(super) attributes: Vec<AttributeRule>,
}

impl Signature {
    /// The formal parameter of a position, the last one repeating if it is variadic.
    pub(super) fn formal(formals: &[Formal], position: usize) -> Option<&Formal> {
        formals.get(position).or_else(|| formals.last().filter(|last| last.arity == Arity::Variadic))
    }
}

/// Why an operator has no signature.
pub(super) enum Missing {
    /// The operator is not known at all.
    Unknown,
    /// A later opset brings it.
    Since(u32),
}

const TABLE: &str = include_str!("signatures.txt");

static SIGNATURES: LazyLock<BTreeMap<&'static str, Vec<Signature>>> = LazyLock::new(|| {
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for (op, signature) in TABLE.lines().filter_map(parse) {
        all.entry(op).or_default().push(signature);
    }
    all
});

/// The signature of an operator that is in force in an opset.
pub(super) fn lookup(op: &str, opset: u32) -> Result<&'static Signature, Missing> {
    let versions = SIGNATURES.get(op).ok_or(Missing::Unknown)?;
    let first = versions.first().ok_or(Missing::Unknown)?;
    versions.iter().rev().find(|s| s.since <= opset).ok_or(Missing::Since(first.since))
}

/// Names of all operators in the table.
pub(super) fn operators() -> impl Iterator<Item = &'static str> {
    SIGNATURES.keys().copied()
}

fn parse(line: &'static str) -> Option<(&'static str, Signature)> {
    let mut fields = line.split('|').map(str::trim);
    let (op, since) = fields.next()?.split_once(' ')?;
    let formals = |field: &'static str| field.split_whitespace().map(formal).collect::<Option<Vec<_>>>();
    let inputs = formals(fields.next()?)?;
    let outputs = formals(fields.next()?)?;
    let types = fields.next()?.split_whitespace().map(variable).collect::<Option<_>>()?;
    let attributes = fields.next()?.split_whitespace().map(attribute).collect::<Option<_>>()?;
    Some((op, Signature { since: since.parse().ok()?, inputs, outputs, types, attributes }))
}

fn formal(text: &'static str) -> Option<Formal> {
    let (name, ty) = text.split_once(':')?;
    let ty = dtype(ty).map_or(TypeRef::Variable(ty), TypeRef::Fixed);
    let (name, arity) = match name.strip_suffix(['?', '*']) {
        Some(stem) if name.ends_with('?') => (stem, Arity::Optional),
        Some(stem) => (stem, Arity::Variadic),
        None => (name, Arity::One),
    };
    Some(Formal { name, arity, ty })
}

fn variable(text: &'static str) -> Option<(&'static str, Vec<DType>)> {
    let (name, list) = text.split_once('=')?;
    Some((name, list.split(',').map(dtype).collect::<Option<_>>()?))
}

fn attribute(text: &'static str) -> Option<AttributeRule> {
    let (name, kind) = text.split_once(':')?;
    let required = kind.ends_with('!');
    Some(AttributeRule { name, kind: kind.trim_end_matches('!'), required })
}

fn dtype(name: &str) -> Option<DType> {
    DType::ALL.into_iter().find(|d| d.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_parses() {
        for line in TABLE.lines() {
            assert!(parse(line).is_some(), "{line}");
        }
    }

    #[test]
    fn the_version_in_force_is_found() {
        // From the operator changelog of ONNX: ReduceMean took axes as an input from 18 on, Gelu came with 20.
        assert_eq!(lookup("ReduceMean", 17).ok().map(|s| s.inputs.len()), Some(1));
        assert_eq!(lookup("ReduceMean", 18).ok().map(|s| s.inputs.len()), Some(2));
        assert!(matches!(lookup("Gelu", 19), Err(Missing::Since(20))));
        assert!(matches!(lookup("Convolve", 17), Err(Missing::Unknown)));
    }
}
