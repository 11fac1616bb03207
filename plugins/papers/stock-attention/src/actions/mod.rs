//! Commands of the plugin's own: `cargo xtask run MODEL COMMAND`.

mod compare;
mod dry_run;
mod examples;

pub use dry_run::dry_run;

use serde_json::Value;
use zoo_core::model::ActionSpec;
use zoo_core::{Config, Error, Result, Workbench};

fn spec(name: &str, help: &str) -> ActionSpec {
    ActionSpec { name: name.into(), help: help.into() }
}

/// Commands of family `encoder`.
pub fn encoder_specs() -> Vec<ActionSpec> {
    vec![
        spec("encode", "encodes all posts of a data set into the cache: DATASET"),
        spec("sample", "writes texts of evenly spread posts for the Python peer: DATASET COUNT FILE.json"),
        spec("cosine", "compares with a peer's embeddings and speed: FILE.json of {\"texts\", \"embeddings\", \"seconds\", \"tokens\"}"),
    ]
}

/// Commands of family `head`.
pub fn head_specs() -> Vec<ActionSpec> {
    vec![
        spec("examples", "days with their posts by attention and credibility, and credibility against followers and track record: [COUNT]"),
        spec("audit", "bar A1: features with and without the future, and the date of every post that is used"),
        spec("dry-run", "builds, exports and runs a full-scale configuration with random weights: NAME"),
    ]
}

fn unknown(model: &str, action: &str, known: &[ActionSpec]) -> Error {
    let names = known.iter().map(|a| a.name.as_str()).collect::<Vec<_>>().join(", ");
    Error::NotOffered { who: model.into(), what: format!("command `{action}`"), hint: format!("its commands are {names}") }
}

/// Exactly so many arguments.
fn arguments<'a, const N: usize>(args: &'a [String], what: &str) -> Result<[&'a str; N]> {
    let texts: Vec<&str> = args.iter().map(String::as_str).collect();
    texts.try_into().map_err(|found: Vec<&str>| Error::argument("arguments", what, found.join(" ")))
}

/// Runs a command of family `encoder`.
///
/// # Errors
/// [`Error::NotOffered`] for an unknown command, [`Error::Argument`] for arguments that do not fit, and whatever the
/// command finds.
pub fn act_encoder(action: &str, args: &[String], model: &str, _: &Config, bench: &mut dyn Workbench) -> Result<Value> {
    match action {
        "encode" => {
            let [dataset] = arguments(args, "DATASET")?;
            compare::encode_all(dataset, model, bench)
        }
        "sample" => {
            let [dataset, count, file] = arguments(args, "DATASET COUNT FILE.json")?;
            compare::sample(dataset, count, file, bench)
        }
        "cosine" => {
            let [file] = arguments(args, "FILE.json")?;
            compare::cosine(file, model, bench)
        }
        other => Err(unknown(model, other, &encoder_specs())),
    }
}

/// Runs a command of family `head`.
///
/// # Errors
/// As [`act_encoder`].
pub fn act_head(action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
    match action {
        "examples" => {
            let count = args.first().map_or("5", String::as_str);
            examples::examples(count, model, config, bench)
        }
        "audit" => {
            let paper = crate::config::PaperConfig::read(config)?;
            let cut = paper.claims.ok_or_else(|| Error::NotOffered {
                who: model.into(),
                what: "command `audit`".into(),
                hint: "its configuration has no [claims]".into(),
            })?;
            Ok(serde_json::json!(crate::claims::audit(&cut.cut, bench)?))
        }
        "dry-run" => {
            let [name] = arguments(args, "NAME")?;
            dry_run(name, bench)
        }
        other => Err(unknown(model, other, &head_specs())),
    }
}
