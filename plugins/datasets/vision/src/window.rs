//! Part of a split, by configuration.

use serde::Deserialize;
use std::ops::Range;
use zoo_core::{Config, Error, Result};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowConfig {
    limit: Option<usize>,
    #[serde(default)]
    offset: usize,
}

/// Items `offset .. offset + limit` of a split of `len` items; a limit past the end stops there.
///
/// # Errors
/// [`Error::Config`] for an offset past the end, a limit of 0 or a key that is not known.
pub(crate) fn window(config: &Config, len: usize) -> Result<Range<usize>> {
    let WindowConfig { limit, offset } = config.parse()?;
    let fail = |key: &str, expected: String, found: usize| Err(Error::Config { key: key.into(), expected, found: found.to_string() });
    if limit == Some(0) {
        return fail("limit", "at least 1".into(), 0);
    }
    if offset > 0 && offset >= len {
        return fail("offset", format!("less than the {len} items of the split"), offset);
    }
    Ok(offset..limit.map_or(len, |n| offset.saturating_add(n).min(len)))
}

/// Checks that `range` lies within `window` and shifts it to positions in the split.
pub(crate) fn locate(window: &Range<usize>, range: &Range<usize>) -> Result<Range<usize>> {
    if range.start > range.end || range.end > window.len() {
        return Err(Error::argument("items of a data set", format!("a range within 0..{}", window.len()), format!("{range:?}")));
    }
    Ok(window.start + range.start..window.start + range.end)
}

/// As [`locate`], for one item.
pub(crate) fn locate_one(window: &Range<usize>, index: usize) -> Result<usize> {
    if index >= window.len() {
        return Err(Error::argument("index of an item", format!("less than {}", window.len()), index));
    }
    Ok(window.start + index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn windows_are_checked() {
        let at = |value, len| window(&Config::new(value), len);
        assert_eq!(at(json!({}), 7).unwrap(), 0..7);
        assert_eq!(at(json!(null), 7).unwrap(), 0..7);
        assert_eq!(at(json!({"limit": 3, "offset": 2}), 7).unwrap(), 2..5);
        assert_eq!(at(json!({"limit": 30, "offset": 2}), 7).unwrap(), 2..7);
        assert_eq!(at(json!({}), 0).unwrap(), 0..0);
        for wrong in [json!({"limit": 0}), json!({"offset": 7}), json!({"limit": -1}), json!({"limits": 3}), json!({"limit": 1.5})] {
            assert!(matches!(at(wrong.clone(), 7), Err(Error::Config { .. })), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_window_stays_inside(len in 0usize..50, limit in 1usize..1 << 40, offset in 0usize..60, a in 0usize..60, b in 0usize..60) {
            let config = Config::new(json!({"limit": limit, "offset": offset}));
            if let Ok(w) = window(&config, len) {
                prop_assert!(w.end <= len && w.start <= w.end);
                match locate(&w, &(a..b)) {
                    Ok(r) => prop_assert!(r.len() == b - a && r.end <= w.end && r.start >= w.start),
                    Err(e) => prop_assert!(a > b || b > w.len(), "{e}"),
                }
            }
        }
    }
}
