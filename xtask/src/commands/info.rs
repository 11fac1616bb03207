//! `info`.

use crate::stdout::{say, write};
use anyhow::Result;
use serde_json::{Value, json};
use zoo_core::Reporter;
use zoo_host::zoo::{FoundModel, Zoo};

pub(super) fn info(zoo: &Zoo, name: &str, as_json: bool, reporter: &dyn Reporter) -> Result<()> {
    let model = zoo.model(name, reporter)?;
    if as_json {
        say!("{}", serde_json::to_string(&facts(&model))?);
        return Ok(());
    }
    write(format_args!("{}", text(&model)))?;
    Ok(())
}

fn facts(model: &FoundModel<'_>) -> Value {
    let entry = model.entry;
    let graphs: serde_json::Map<String, Value> =
        model.model.artifact_kinds().iter().map(|&kind| (kind.to_string(), model.model.variants(kind).into())).collect();
    let claim = |c: &zoo_host::registry::ClaimEntry| {
        let mut row = json!({"id": c.id, "text": c.text, "bar": c.bar, "gating": c.gating});
        if let Some(p) = &c.published {
            row["published"] = json!({"value": p.value, "unit": p.unit, "source": p.source});
        }
        row
    };
    json!({
        "name": entry.name,
        "plugin": entry.plugin,
        "card": model.model.card(),
        "config": model.config.value(),
        "dataset": entry.dataset,
        "split": entry.split,
        "backends": entry.backends,
        "graphs": graphs,
        "seeds": entry.seeds(),
        "actions": model.model.actions(),
        "claims": entry.claims.iter().map(claim).collect::<Vec<_>>(),
    })
}

fn text(model: &FoundModel<'_>) -> String {
    use std::fmt::Write;
    let (entry, card) = (model.entry, model.model.card());
    let mut out = format!("{}: {}\n\n{}\n\n", entry.name, card.title, card.description);
    let mut line = |key: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(out, "{key:14} {value}");
        }
    };
    line("paper", card.paper.clone());
    line("upstream", card.upstream.clone());
    line("plugin", format!("{} {}", entry.plugin, model.loaded.plugin.info.version));
    line("licences", format!("code {}; weights {}", card.code_licence, card.weights_licence));
    line("data", format!("{} ({})", entry.dataset.as_deref().unwrap_or("-"), entry.split));
    line("backends", entry.backends.join(", "));
    for &kind in model.model.artifact_kinds() {
        line("graphs", format!("{kind}: {}", model.model.variants(kind).join(", ")));
    }
    for spec in &card.inputs {
        line("input", format!("{} {} {} {}", spec.name, spec.dtype, spec.shape_text(), spec.meaning));
    }
    for spec in &card.outputs {
        line("output", format!("{} {} {} {}", spec.name, spec.dtype, spec.shape_text(), spec.meaning));
    }
    line("preprocessing", card.preprocessing.clone());
    for limitation in &card.limitations {
        line("limitation", limitation.clone());
    }
    for action in model.model.actions() {
        line("command", format!("{}: {}", action.name, action.help));
    }
    for claim in &entry.claims {
        let published = claim.published.as_ref().map_or(String::new(), |p| format!("; published {} {} ({})", p.value, p.unit, p.source));
        line("claim", format!("{}: {} | bar: {}{published}", claim.id, claim.text, claim.bar));
    }
    out
}
