//! The YAML header of a model card, as the Hugging Face hub reads it.

use serde_json::{Map, Value};
use std::path::Path;
use zoo_core::{Error, Result};

/// The line before and after a header.
const FENCE: &str = "---";
/// Greatest card that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A header in block style between its fences. Every string is quoted, so that no text is taken for another type or for
/// syntax, whether a reader speaks YAML 1.1 (as the hub's does) or 1.2.
pub fn write_header(entries: &Map<String, Value>) -> String {
    let mut out = format!("{FENCE}\n");
    for (key, value) in entries {
        entry(&mut out, 0, key, value);
    }
    out.push_str(FENCE);
    out.push('\n');
    out
}

fn entry(out: &mut String, depth: usize, key: &str, value: &Value) {
    indent(out, depth);
    out.push_str(&plain_key(key));
    out.push(':');
    below(out, depth, value);
}

/// The value of a key, or of the dash of a list, whose line has begun.
fn below(out: &mut String, depth: usize, value: &Value) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            map.iter().for_each(|(key, value)| entry(out, depth + 1, key, value));
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            for item in items {
                indent(out, depth + 1);
                out.push('-');
                below(out, depth + 1, item);
            }
        }
        scalar => {
            out.push(' ');
            out.push_str(&scalar_text(scalar));
            out.push('\n');
        }
    }
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn plain_key(key: &str) -> String {
    let word = key.starts_with(|c: char| c.is_ascii_alphabetic()) && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    // Such words are booleans or nothing to a reader of YAML 1.1.
    let taken = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&key.to_ascii_lowercase().as_str());
    if word && !taken { key.into() } else { quoted(key) }
}

fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Number(number) => number_text(&number.to_string()),
        other => other.to_string(),
    }
}

/// A number that YAML 1.1 takes for one as well: there, an exponent needs a sign, and a point before it.
fn number_text(json: &str) -> String {
    let Some((digits, exponent)) = json.split_once('e') else { return json.into() };
    let point = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    format!("{digits}{point}e{sign}{exponent}")
}

/// A double-quoted scalar. JSON's quoting is YAML's but for characters that YAML does not print or takes for line ends.
fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            other => out.push(other),
        }
    }
    out
}

/// The header of a card's text; `None` if it has none. `path` is for messages only.
///
/// # Errors
/// [`Error::Data`] if the header does not end, is not YAML, takes too much to read, or is not a list of keys.
pub fn read_header(text: &str, path: &Path) -> Result<Option<Map<String, Value>>> {
    let fail = |at: String, expected: &str, found: String| Error::Data {
        path: path.into(),
        at,
        expected: expected.into(),
        found,
        mend: "mend the header, or move the file away".into(),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.split_inclusive('\n');
    let is_fence = |line: &str| line.trim_end() == FENCE;
    if !lines.next().is_some_and(is_fence) {
        return Ok(None);
    }
    let mut yaml = String::new();
    let mut ended = false;
    for line in lines {
        if is_fence(line) {
            ended = true;
            break;
        }
        yaml.push_str(line);
    }
    if !ended {
        return Err(fail("its end".into(), "a line `---` after the header", "none".into()));
    }
    let value: Value = serde_saphyr::from_str(&yaml).map_err(|error| {
        let at =
            error.location().map_or_else(|| "the header".into(), |place| format!("line {}, column {}", place.line() + 1, place.column()));
        let told = error.to_string();
        fail(at, "YAML", told.lines().next().unwrap_or_default().into())
    })?;
    match value {
        Value::Object(map) => Ok(Some(map)),
        Value::Null => Ok(Some(Map::new())),
        other => Err(fail("the header".into(), "keys with values", kind(&other).into())),
    }
}

/// The header of the card in a file.
///
/// # Errors
/// [`Error::Io`], and as [`read_header`]; also [`Error::Data`] for a file over 1 MiB or that is no UTF-8.
pub fn read_header_of(path: &Path) -> Result<Option<Map<String, Value>>> {
    let whole = |expected: &str, found: String| Error::Data {
        path: path.into(),
        at: "the whole file".into(),
        expected: expected.into(),
        found,
        mend: "move the file away".into(),
    };
    let bytes = std::fs::metadata(path).map_err(Error::io(path))?.len();
    if bytes > MAX_BYTES {
        return Err(whole(&format!("a card of at most {MAX_BYTES} bytes"), format!("{bytes}")));
    }
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let text = String::from_utf8(bytes).map_err(|error| whole("UTF-8", error.to_string()))?;
    read_header(&text, path)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "a list",
        Value::String(_) => "a text",
        _ => "a single value",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    fn back(entries: &Map<String, Value>) -> Map<String, Value> {
        read_header(&format!("{}\n# Title\n", write_header(entries)), Path::new("README.md")).unwrap().unwrap()
    }

    #[test]
    fn awkward_texts_come_back() {
        let texts = vec![
            "a: b",
            "it's",
            "\"quoted\"",
            "two\nlines",
            "- dash",
            "#hash",
            "yes",
            "No",
            "~",
            "null",
            "1e3",
            "0o17",
            "1:30",
            "---",
            "...",
            "@at",
            "%percent",
            "&anchor",
            "*alias",
            "!tag",
            "{a: b}",
            "[a]",
            "|",
            ">",
            " space ",
            "tab\t",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "\u{7f}",
            "\u{0}",
            "é",
            "😀",
            "\\",
            "",
        ];
        let entries = map(&json!({
            "title": texts[0], "tags": texts, "nested": [{"name": texts[1], "list": [[texts[3], 1.5], []], "none": {}}], "yes": true, "a b": 1,
        }));
        assert_eq!(back(&entries), entries);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(key in ".*", text in ".*", number in proptest::num::f64::NORMAL) {
            let entries = map(&json!({ key: text, "list": [text, {"n": number}] }));
            prop_assert_eq!(back(&entries), entries);
        }

        #[test]
        fn any_header_is_read_or_refused(text in "(?s).{0,200}") {
            let _ = read_header(&format!("---\n{text}\n---\n"), Path::new("README.md"));
        }
    }

    #[test]
    fn a_text_without_a_header_has_none() {
        assert_eq!(read_header("# Title\n---\na: b\n---\n", Path::new("x")).unwrap(), None);
        assert_eq!(read_header("", Path::new("x")).unwrap(), None);
        assert_eq!(read_header("---\n---\n", Path::new("x")).unwrap(), Some(Map::new()));
    }

    #[test]
    fn bad_headers_are_told_with_their_place() {
        let read = |yaml: &str| read_header(yaml, Path::new("README.md")).unwrap_err().to_string();
        assert!(read("---\nlicense: mit\n").contains("a line `---`"));
        assert!(read("---\nlicense: mit\ntags: [a, b\n---\n").contains("expected YAML"));
        let told = read("---\nlicense: mit\ntitle: a: b: c\n---\n");
        assert!(told.contains("line 3"), "{told}");
        assert!(read("---\n- a\n- b\n---\n").contains("a list"));
        assert!(read("---\na: 1\na: 2\n---\n").contains("expected YAML"));
    }

    #[test]
    fn a_header_that_grows_without_end_is_refused() {
        let mut yaml = String::from("---\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let below = vec![format!("*a{}", level - 1); 10].join(", ");
            yaml.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        yaml.push_str("---\n");
        assert!(matches!(read_header(&yaml, Path::new("README.md")), Err(Error::Data { .. })));
        let deep = format!("---\na: {}{}\n---\n", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(read_header(&deep, Path::new("README.md")), Err(Error::Data { .. })));
    }
}
