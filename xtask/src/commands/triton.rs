//! `export --format triton-repository`: a model folder as Triton, and servers that read its layout, expect it.

use crate::stdout::say;
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::path::Path;
use zoo_core::{Artifact, DType, Dim, TensorSpec};

/// Name of the format.
pub(super) const FORMAT: &str = "triton-repository";
/// Largest batch that the server may form.
const BATCH: usize = 64;
/// How long a request may wait for others to share its batch, in microseconds.
const WAIT: usize = 500;

/// Writes `OUT/NAME/config.pbtxt` and `OUT/NAME/1/model.onnx`, for each graph one such folder.
pub(super) fn write(artifact: &Artifact, name: &str, out: &Path) -> Result<()> {
    let model = zoo_formats::onnx::read_artifact(artifact)?;
    let text = config(name, &model.inputs()?, &model.outputs()?)?;
    let folder = out.join(name);
    std::fs::create_dir_all(folder.join("1")).with_context(|| format!("making folder {}", folder.display()))?;
    let main = artifact.main()?.name.clone();
    for file in artifact.files.iter().rev() {
        // Weights outside the graph keep the names that the graph knows them by.
        let path = folder.join("1").join(if file.name == main { "model.onnx" } else { &file.name });
        zoo_host::files::write_atomically(&path, &file.bytes)?;
        say!("{} ({} bytes)", path.display(), file.bytes.len());
    }
    let path = folder.join("config.pbtxt");
    zoo_host::files::write_atomically(&path, text.as_bytes())?;
    say!("{} ({} bytes)", path.display(), text.len());
    Ok(())
}

/// A name that a folder and the protocol both take: the model's, then the graph's.
pub(super) fn model_name(model: &str, graph: &str) -> String {
    format!("{model}-{graph}").replace(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_', "-")
}

/// The description of a model. The server may form batches where every tensor's first axis is free.
fn config(name: &str, inputs: &[TensorSpec], outputs: &[TensorSpec]) -> Result<String> {
    let free = |spec: &TensorSpec| spec.shape.first().is_some_and(|dim| dim.fixed().is_none());
    let batched = !inputs.is_empty() && inputs.iter().chain(outputs).all(free);
    let mut text = format!("name: \"{name}\"\nplatform: \"onnxruntime_onnx\"\nmax_batch_size: {}\n", if batched { BATCH } else { 0 });
    for (kind, specs) in [("input", inputs), ("output", outputs)] {
        for spec in specs {
            let dims: Vec<String> = spec.shape.iter().skip(usize::from(batched)).map(dim).collect();
            let data = datatype(spec.dtype).with_context(|| format!("{kind} `{}`: {} has no name there", spec.name, spec.dtype))?;
            let (name, dims) = (quoted(&spec.name), dims.join(", "));
            writeln!(text, "{kind} {{\n  name: {name}\n  data_type: {data}\n  dims: [ {dims} ]\n}}")?;
        }
    }
    if batched {
        writeln!(text, "dynamic_batching {{\n  max_queue_delay_microseconds: {WAIT}\n}}")?;
    }
    Ok(text)
}

fn dim(dim: &Dim) -> String {
    dim.fixed().map_or_else(|| "-1".into(), |n| n.to_string())
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn datatype(dtype: DType) -> Option<&'static str> {
    Some(match dtype {
        DType::F16 => "TYPE_FP16",
        DType::BF16 => "TYPE_BF16",
        DType::F32 => "TYPE_FP32",
        DType::F64 => "TYPE_FP64",
        DType::I8 => "TYPE_INT8",
        DType::I16 => "TYPE_INT16",
        DType::I32 => "TYPE_INT32",
        DType::I64 => "TYPE_INT64",
        DType::U8 => "TYPE_UINT8",
        DType::U16 => "TYPE_UINT16",
        DType::U32 => "TYPE_UINT32",
        DType::U64 => "TYPE_UINT64",
        DType::Bool => "TYPE_BOOL",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{config, model_name};
    use zoo_core::{DType, Dim, TensorSpec};

    #[test]
    fn batches_are_formed_where_every_tensor_has_the_axis() {
        let free = |name: &str| TensorSpec::new(name, DType::F32, [Dim::from("batch"), Dim::Fixed(3), "side".into()]);
        let text = config("m", &[free("x")], &[free("y\"")]).unwrap();
        assert!(text.contains("max_batch_size: 64\n") && text.contains("dims: [ 3, -1 ]") && text.contains("dynamic_batching"), "{text}");
        assert!(text.contains("name: \"y\\\"\"") && text.contains("data_type: TYPE_FP32"));
        let fixed = TensorSpec::new("z", DType::I64, [Dim::Fixed(1), Dim::Fixed(7)]);
        let text = config("m", &[free("x")], &[fixed]).unwrap();
        assert!(text.contains("max_batch_size: 0\n") && text.contains("dims: [ -1, 3, -1 ]") && text.contains("dims: [ 1, 7 ]"), "{text}");
        assert!(!text.contains("dynamic_batching"));
        assert_eq!(model_name("paper/net", "form b"), "paper-net-form-b");
    }
}
