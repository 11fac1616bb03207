//! A registry is judged by what it says of mistakes.

use super::*;
use proptest::prelude::*;
use zoo_core::Silent;

const GOOD: &str = r#"schema = 1

[[plugin]]
name = "outside"
path = "libs/liboutside.so"
sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

[[dataset]]
name = "digits"
plugin = "vision"
licence = "MIT"
files = [{ name = "x.bin", bytes = 4, unpack = "gz", sha256 = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" }]
sources = [
  { hub = "datasets/own/digits", revision = "0123456789abcdef0123456789abcdef01234567", path = "data" },
  { npm = "@own/digits", version = "1.2.3" },
  { dir = "digits" },
]

[[model]]
name = "tet/small"
plugin = "tet"
config = { steps = 4, rate = 0.5, deep = { on = true }, list = [1, "two"] }
weights = { path = "weights/small.safetensors", sha256 = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", seed = 1 }
dataset = "digits"
backends = ["events", "tract"]
aliases = ["tet/tiny"]

[[model.seed]]
seed = 2
weights = { hub = "own/weights", revision = "0123456789abcdef0123456789abcdef01234567", file = "s2.safetensors", bytes = 9, sha256 = "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd" }

[[model.claim]]
id = "bar-1"
text = "better than nothing"
published = { value = 64.52, unit = "%", source = "Table 1" }
bar = "at least 60 %"
metric = { name = "accuracy", at_least = 0.6 }
"#;

fn parse(text: &str) -> Result<Registry, RegistryError> {
    Registry::parse(text, Path::new("registry.toml"))
}

fn good() -> Registry {
    parse(GOOD).unwrap()
}

/// Replaces `from` by `to` and returns what the registry says.
#[track_caller]
fn says(from: &str, to: &str) -> RegistryError {
    assert_eq!(GOOD.matches(from).count(), 1, "`{from}` must stand there once");
    parse(&GOOD.replace(from, to)).unwrap_err()
}

/// One mistake, at `line:column`, with `message`.
#[track_caller]
fn check(from: &str, to: &str, line: usize, column: usize, message: &str) {
    let error = says(from, to);
    let first = &error.problems()[0];
    assert_eq!((first.at, first.message.as_str()), (Location { line, column }, message), "\n{error}");
    assert_eq!(error.problems().len(), 1, "\n{error}");
}

#[test]
fn a_good_registry_is_read_whole() {
    let registry = good();
    let model = registry.model("tet/small", &Silent).unwrap();
    let config = registry.config(model).unwrap();
    assert_eq!(config.get::<u32>("steps").unwrap(), 4);
    assert_eq!(config.get::<f64>("rate").unwrap(), 0.5);
    assert!(config.get::<bool>("deep.on").unwrap());
    assert_eq!(model.seeds(), [1, 2]);
    assert_eq!(model.weights_for(None).unwrap().seed, Some(1));
    assert!(matches!(&model.weights_for(Some(2)).unwrap().source, WeightsSource::Hub { bytes: 9, .. }));
    assert!(model.weights_for(Some(3)).is_none());
    assert_eq!((model.split.as_str(), model.claims[0].gating, model.at.line), ("test", true, 19));
    assert_eq!(model.claims[0].published.as_ref().unwrap().value, 64.52);
    assert!(model.claims[0].metric.as_ref().unwrap().holds(0.6));
    let data = registry.dataset("digits").unwrap();
    assert_eq!(data.files[0].path_in(Some("data/")), "data/x.bin.gz");
    assert_eq!(data.sources.len(), 3);
    assert_eq!(registry.plugin("outside").unwrap().path, Path::new("libs/liboutside.so"));
    assert_eq!(registry.root(), Path::new("."));
}

#[test]
fn weights_may_lie_in_a_package() {
    let from = r#"path = "weights/small.safetensors""#;
    let pip = r#"pip = "some-model", version = "0.1.0", file = "some_model/model.safetensors", bytes = 5"#;
    let registry = parse(&GOOD.replace(from, pip)).unwrap();
    let source = &registry.model("tet/small", &Silent).unwrap().weights[0].source;
    let (name, version, file) = ("some-model".into(), "0.1.0".into(), "some_model/model.safetensors".into());
    assert_eq!(*source, WeightsSource::Package { client: Client::Pip, name, version, file, bytes: 5 });
    let error = says(from, &pip.replace("0.1.0", "latest")).to_string();
    assert!(error.contains("expected an exact version"), "{error}");
    assert!(says(from, &pip.replace("some_model/model", "../model")).to_string().contains("without `..`"));
}

#[test]
fn keys_and_types() {
    check("licence = \"MIT\"", "licence = \"MIT\"\nlicense = \"MIT\"", 12, 1, "dataset `digits`: unknown key `license`");
    check("bytes = 4", "bytes = \"4\"", 12, 36, "file `x.bin`: `bytes`: expected the size in bytes, found the string \"4\"");
    check("bytes = 4", "bytes = -4", 12, 36, "file `x.bin`: `bytes`: expected the size in bytes, found the integer -4");
    check(
        "plugin = \"tet\"\n",
        "",
        19,
        1,
        "model `tet/small`: missing key `plugin`: expected the name of a plugin, or a key `onnx` with an ONNX file, found nothing",
    );
    check("\"gz\"", "\"xz\"", 12, 48, "file `x.bin`: `unpack`: expected \"gz\", found \"xz\"");
    check("value = 64.52", "value = nan", 35, 23, "claim `bar-1`, published: `value`: expected a finite number, found the float nan");
    check("rate = 0.5", "rate = inf", 22, 30, "expected a finite number of at most 64 bits, found the float inf");
    check(
        "name = \"outside\"",
        "name = \"Out side\"",
        4,
        8,
        &format!("plugin `Out side`: `name`: expected {}, found \"Out side\"", decode::NAME),
    );
    check(
        "licence = \"MIT\"",
        "licence = \" \"",
        11,
        11,
        "dataset `digits`: `licence`: expected an SPDX expression or a sentence, found an empty string",
    );
    check(
        "[\"events\", \"tract\"]",
        "\"events\"",
        25,
        12,
        "model `tet/small`: `backends`: expected a list of strings, found the string \"events\"",
    );
    check("schema = 1", "schema = 2", 1, 10, "registry: `schema`: expected 1, found 2");
}

#[test]
fn sums_and_revisions() {
    check(
        "aaaaaaaaaaaaaaaa\"",
        "aaaaaaaaaaaaaaag\"",
        6,
        10,
        "plugin `outside`: `sha256`: expected 64 hexadecimal digits, found `g` at character 64",
    );
    check("bbbbbbbbbbbbbbbb\"", "bbbbbb\"", 12, 63, "file `x.bin`: `sha256`: expected 64 hexadecimal digits, found 54 characters");
    let bare = says(", sha256 = \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"", "");
    assert!(
        bare.to_string().contains("file `x.bin` has no `sha256`, which only data sets with nothing but `dir` sources may lack"),
        "{bare}"
    );
    let branch = says("revision = \"0123456789abcdef0123456789abcdef01234567\", path", "revision = \"main\", path");
    assert!(branch.to_string().contains("expected a full commit hash (40 hexadecimal digits), found \"main\""), "{branch}");
    assert!(branch.to_string().contains("help: a branch or tag can move; name the commit"), "{branch}");
}

#[test]
fn nothing_leaves_the_workspace_or_becomes_an_option() {
    check(
        "dir = \"digits\"",
        "dir = \"../digits\"",
        16,
        11,
        "source `dir`: `dir`: expected a relative path without `..`, found \"../digits\"",
    );
    check(
        "\"libs/liboutside.so\"",
        "\"/lib/x.so\"",
        5,
        8,
        "plugin `outside`: `path`: expected a relative path without `..`, found \"/lib/x.so\"",
    );
    check("\"1.2.3\"", "\"latest\"", 15, 36, "source `npm`: `version`: expected an exact version such as \"1.2.6\", found \"latest\"");
    check("\"@own/digits\"", "\"--registry=x\"", 15, 11, "source `npm`: `npm`: expected a package name, found \"--registry=x\"");
    check(
        "{ dir = \"digits\" }",
        "{ folder = \"digits\" }",
        16,
        3,
        "dataset `digits`, source: expected one of hub, npm, pip, apt, dir, found none",
    );
    check(
        "dir = \"digits\"",
        "dir = \"digits\", pip = \"x\"",
        16,
        3,
        "dataset `digits`, source: expected one of hub, npm, pip, apt, dir, found pip and dir",
    );
    assert!(says("\"weights/small.safetensors\"", "\"a/../../b\"").to_string().contains("found \"a/../../b\""));
}

#[test]
fn names_are_unique_and_refer_to_something() {
    let unknown = says("dataset = \"digits\"", "dataset = \"digit\"");
    assert_eq!(
        unknown.problems()[0].message,
        "model `tet/small`: `dataset`: expected a [[dataset]] of this registry, found unknown `digit`"
    );
    assert_eq!(unknown.problems()[0].help.as_deref(), Some("did you mean `digits`?"));
    let alias = says("[\"tet/tiny\"]", "[\"tet/tiny\", \"tet/small\"]");
    assert_eq!(alias.problems()[0].message, "duplicate model name `tet/small`: expected a new name, found the one of line 20");
    let second = parse(&format!("{GOOD}\n[[plugin]]\nname = \"outside\"\npath = \"x.so\"\nsha256 = \"{}\"\n", "a".repeat(64))).unwrap_err();
    assert_eq!(second.problems()[0].at, Location { line: 40, column: 8 });
    let seed = says("seed = 2", "seed = 1");
    assert!(seed.to_string().contains("two trained runs with the same seed"), "{seed}");
}

#[test]
fn all_mistakes_come_at_once_in_the_order_of_the_file() {
    let text = GOOD.replace("licence =", "licens =").replace("weights = { path", "weights = { pth").replace("\"bar-1\"", "7");
    let error = parse(&text).unwrap_err();
    let lines: Vec<_> = error.problems().iter().map(|p| p.at.line).collect();
    assert_eq!(lines, [8, 11, 23, 23, 33], "{error}");
}

#[test]
fn a_message_shows_the_line_and_a_caret() {
    assert_eq!(
        says("unpack =", "unpak =").to_string(),
        "registry.toml:12:39: file `x.bin`: unknown key `unpak`\n   |\n12 | files = [{ name = \"x.bin\", bytes = 4, unpak = \"gz\", sha256 = \
         \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\" }]\n   |                                       ^^^^^\n   \
         = help: did you mean `unpack`?"
    );
    let syntax = parse("schema = 1\n[[model]\nname = 3\n").unwrap_err();
    assert_eq!(syntax.problems()[0].at.line, 2, "{syntax}");
    assert!(syntax.to_string().contains("not valid TOML"));
}

#[test]
fn columns_count_characters() {
    let error = parse("schema = 1\n[[plugin]]\nname = \"ok\"\npath = \"π\"\nsha256 = \"é\" # é\nwrong = 1\n").unwrap_err();
    assert_eq!(error.problems().iter().map(|p| (p.at.line, p.at.column)).collect::<Vec<_>>(), [(5, 10), (6, 1)], "{error}");
}

#[test]
fn unknown_names_get_the_nearest_one_and_old_names_a_warning() {
    struct Heard(std::sync::Mutex<Vec<String>>);
    impl Reporter for Heard {
        fn log(&self, _: Level, _: &str, message: &str) {
            self.0.lock().unwrap().push(message.into());
        }
        fn progress(&self, _: &str, _: u64, _: Option<u64>, _: &str) {}
        fn cancelled(&self) -> bool {
            false
        }
    }
    let registry = good();
    let error = registry.model("tet/smal", &Silent).unwrap_err().to_string();
    assert_eq!(error, "model `tet/smal` is not known; did you mean `tet/small`?");
    assert_eq!(registry.dataset("zzz").unwrap_err().to_string(), "dataset `zzz` is not known; there are `digits`");
    let heard = Heard(Default::default());
    assert_eq!(registry.model("tet/tiny", &heard).unwrap().name, "tet/small");
    assert_eq!(*heard.0.lock().unwrap(), ["model `tet/tiny` is now called `tet/small`; use the new name"]);
}

#[test]
fn loading_looks_for_the_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("weights")).unwrap();
    let path = folder.path().join("registry.toml");
    std::fs::write(&path, GOOD).unwrap();
    std::fs::write(folder.path().join("weights/smal.safetensors"), "").unwrap();
    let error = Registry::load(&path).unwrap_err().to_string();
    assert!(error.contains("registry.toml:23:20: model `tet/small`, weights: `path`: expected a file, found none at"), "{error}");
    assert!(error.contains("help: did you mean `smal.safetensors` in that folder?"), "{error}");
    std::fs::write(folder.path().join("weights/small.safetensors"), "").unwrap();
    assert_eq!(Registry::load(&path).unwrap().root(), folder.path());
    let none = Registry::load(&folder.path().join("none.toml")).unwrap_err();
    assert!(matches!(none, Error::Io { .. }) && none.to_string().contains("none.toml"));
}

#[test]
fn the_workspace_registry_is_sound() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../registry.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let registry = parse(&text).unwrap_or_else(|e| panic!("{e}"));
    for name in ["mnist", "fashion-mnist", "cifar10", "cifar10-jpeg"] {
        assert_eq!(registry.dataset(name).unwrap().is_unverified(), name == "cifar10");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        if let Err(error) = parse(&text) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn no_damage_to_a_good_registry_makes_it_panic(at in 0..GOOD.len(), len in 0..40usize, junk in "[\"\\[\\]{}=,.#\\n a-z0-9é-]{0,6}") {
        let text = format!("{}{junk}{}", &GOOD[..at], &GOOD[(at + len).min(GOOD.len())..]);
        if let Err(error) = parse(&text) {
            for problem in error.problems() {
                prop_assert!(problem.at.line >= 1 && problem.at.line <= text.lines().count() + 1, "{error}");
                prop_assert!(problem.at.column >= 1);
            }
        }
    }
}
