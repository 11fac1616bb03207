//! "Did you mean": the nearest known name.

/// The known name nearest to `name`, if one is near enough to be a likely slip of the pen.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LIKELY: f64 = 0.75;
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= LIKELY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// What to say after an unknown name: the nearest one, or all there are.
pub fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let known: Vec<_> = known.into_iter().collect();
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    if known.is_empty() {
        return "there are none".into();
    }
    let more = known.len().saturating_sub(SHOWN);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("there are {}{tail}", known.iter().take(SHOWN).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_mended_and_strangers_get_the_list() {
        let known = ["tet/vgg-small", "mtt/resnet", "hebbff/recognition"];
        assert_eq!(nearest("tet/vgg-smal", known), Some("tet/vgg-small"));
        assert_eq!(nearest("TET/VGG-small", known), Some("tet/vgg-small"));
        assert_eq!(nearest("zzz", known), None);
        assert_eq!(hint("zzz", ["a", "b"]), "there are `a`, `b`");
        assert_eq!(hint("zzz", []), "there are none");
    }
}
