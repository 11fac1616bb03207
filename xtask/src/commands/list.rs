//! `list`.

use crate::cli::Listed;
use crate::stdout::{say, write};
use anyhow::Result;
use serde_json::{Value, json};
use zoo_core::Availability;
use zoo_host::zoo::{Door, Zoo};

pub(super) fn list(zoo: &Zoo, what: Listed, as_json: bool) -> Result<()> {
    let rows = match what {
        Listed::Models => models(zoo),
        Listed::Datasets => datasets(zoo),
        Listed::Backends => backends(zoo),
        Listed::Plugins => plugins(zoo),
    };
    if as_json {
        say!("{}", serde_json::to_string(&rows)?);
    } else {
        write(format_args!("{}", columns(&rows)))?;
    }
    Ok(())
}

fn models(zoo: &Zoo) -> Vec<Value> {
    let kinds = |plugin: &str, family: Option<&str>| -> Vec<String> {
        let loaded = zoo.plugins().iter().find(|p| p.plugin.info.name == plugin);
        let models = loaded.into_iter().flat_map(|p| &p.plugin.models);
        let model = models.into_iter().find(|m| family.is_none_or(|f| m.card().name == f));
        model.map(|m| m.artifact_kinds().iter().map(ToString::to_string).collect()).unwrap_or_default()
    };
    let row = |m: &zoo_host::registry::ModelEntry| {
        let mut row =
            json!({"name": m.name, "plugin": m.plugin, "backends": m.backends, "artifact_kinds": kinds(&m.plugin, m.family.as_deref())});
        if let Some(dataset) = &m.dataset {
            row["dataset"] = dataset.as_str().into();
        }
        row
    };
    zoo.registry().models().iter().map(row).collect()
}

fn datasets(zoo: &Zoo) -> Vec<Value> {
    let row = |d: &zoo_host::registry::DatasetEntry| {
        let sources: Vec<_> = d.sources.iter().map(ToString::to_string).collect();
        json!({"name": d.name, "plugin": d.plugin, "licence": d.licence, "sources": sources})
    };
    zoo.registry().datasets().iter().map(row).collect()
}

fn backends(zoo: &Zoo) -> Vec<Value> {
    let row = |b: &&dyn zoo_core::Backend| {
        let accepts: Vec<_> = b.accepts().iter().map(ToString::to_string).collect();
        let state = match b.probe() {
            Availability::Ready { version, devices } => format!("ready: {version} on {}", devices.join(", ")),
            Availability::Unavailable { why, mend } => format!("unavailable: {why}; {mend}"),
        };
        json!({"name": b.name(), "accepts": accepts, "state": state, "description": b.description()})
    };
    zoo.backends().iter().map(row).collect()
}

fn plugins(zoo: &Zoo) -> Vec<Value> {
    let row = |p: &zoo_host::zoo::Loaded| {
        let (models, datasets) = (&p.plugin.models, &p.plugin.datasets);
        let mut row = json!({
            "name": p.plugin.info.name,
            "version": p.plugin.info.version,
            "door": "static",
            "models": models.iter().map(|m| m.card().name.clone()).collect::<Vec<_>>(),
            "datasets": datasets.iter().flat_map(|d| d.infos()).map(|i| i.name).collect::<Vec<_>>(),
            "backends": p.plugin.backends.iter().map(|b| b.name()).collect::<Vec<_>>(),
        });
        if let Door::Dynamic { path, sha256, isolated } = &p.door {
            row["door"] = "dynamic".into();
            row["path"] = path.display().to_string().into();
            row["sha256"] = sha256.clone().into();
            row["isolated"] = (*isolated).into();
        }
        row
    };
    zoo.plugins().iter().map(row).collect()
}

/// JSON objects as aligned columns, with a header of their keys.
pub(super) fn columns(rows: &[Value]) -> String {
    let Some(first) = rows.first().and_then(Value::as_object) else {
        return "(none)\n".into();
    };
    let keys: Vec<_> = first.keys().cloned().collect();
    let cell = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            items.iter().map(|i| i.as_str().map_or_else(|| i.to_string(), String::from)).collect::<Vec<_>>().join(",")
        }
        Some(Value::Null) | None => "-".into(),
        Some(other) => other.to_string(),
    };
    let mut lines: Vec<Vec<String>> = vec![keys.clone()];
    lines.extend(rows.iter().map(|row| keys.iter().map(|key| cell(row.get(key))).collect()));
    let widths: Vec<_> = (0..keys.len()).map(|c| lines.iter().map(|l| l[c].chars().count()).max().unwrap_or(0)).collect();
    let draw = |line: &Vec<String>| {
        let padded: Vec<_> = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    lines.iter().map(draw).collect()
}
