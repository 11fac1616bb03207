//! Shape rules, one file a family of operators.

mod conv;
mod elementwise;
mod join;
mod layout;
mod matrix;
mod normalize;
mod pool;
mod recurrent;
mod reduce;
mod resize;
mod select;
mod source;
mod window;

use super::infer::Rule;

/// Operators and their rules.
type Family = &'static [(&'static str, Rule)];

const FAMILIES: &[Family] = &[
    conv::RULES,
    elementwise::RULES,
    join::RULES,
    layout::RULES,
    matrix::RULES,
    normalize::RULES,
    pool::RULES,
    recurrent::RULES,
    reduce::RULES,
    resize::RULES,
    select::RULES,
    source::RULES,
];

/// The rule of an operator.
pub(super) fn rule(op: &str) -> Option<Rule> {
    FAMILIES.iter().flat_map(|family| family.iter()).find(|(name, _)| *name == op).map(|(_, rule)| *rule)
}

#[cfg(test)]
mod tests {
    use super::super::signature;
    use super::FAMILIES;

    #[test]
    fn every_operator_has_a_signature_and_one_rule() {
        let mut ruled: Vec<_> = FAMILIES.iter().flat_map(|family| family.iter()).map(|(name, _)| *name).collect();
        ruled.sort_unstable();
        assert_eq!(ruled, signature::operators().collect::<Vec<_>>());
    }
}
