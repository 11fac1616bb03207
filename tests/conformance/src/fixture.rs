//! Artifacts with inputs and the outputs they must give.

use crate::tolerance::Op;
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::Path;
use zoo_core::{Artifact, ArtifactFile, ArtifactKind, DType, Error, Result, Session, Tensor, TensorSpec};

/// Inputs and the outputs they must give, by tensor name.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// Name, unique in its fixture.
    pub name: String,
    /// Inputs.
    pub inputs: BTreeMap<String, Tensor>,
    /// Expected outputs.
    pub outputs: BTreeMap<String, Tensor>,
}

impl Case {
    /// The inputs in the order a session takes them.
    ///
    /// # Errors
    /// [`Error::Unknown`] if the session asks for a tensor that the case has not.
    pub fn feed(&self, session: &dyn Session) -> Result<Vec<Tensor>> {
        ordered(&self.inputs, session.inputs())
    }

    /// The expected outputs in the order a session gives them.
    ///
    /// # Errors
    /// [`Error::Unknown`] if the session gives a tensor that the case has not.
    pub fn want(&self, session: &dyn Session) -> Result<Vec<Tensor>> {
        ordered(&self.outputs, session.outputs())
    }
}

fn ordered(tensors: &BTreeMap<String, Tensor>, specs: &[TensorSpec]) -> Result<Vec<Tensor>> {
    specs
        .iter()
        .map(|spec| {
            tensors.get(&spec.name).cloned().ok_or_else(|| Error::Unknown {
                kind: "tensor",
                name: spec.name.clone(),
                hint: format!("the case has {}", tensors.keys().cloned().collect::<Vec<_>>().join(", ")),
            })
        })
        .collect()
}

/// An artifact and its cases.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// Name, unique in its suite.
    pub name: String,
    /// What is compiled.
    pub artifact: Artifact,
    /// At least one case.
    pub cases: Vec<Case>,
    /// What it computes, for the tolerance.
    pub op: Op,
    /// Whether the first axis of every tensor is a free batch of items that do not touch each other.
    pub batched: bool,
}

/// An artifact with an operator that no backend has.
#[derive(Clone, Debug)]
pub struct Unsupported {
    /// What must not compile.
    pub artifact: Artifact,
    /// Name of the node.
    pub node: String,
    /// Part of the operator's name.
    pub op: String,
}

/// Fixtures of one artifact kind.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The kind.
    pub kind: ArtifactKind,
    /// Artifacts with cases.
    pub fixtures: Vec<Fixture>,
    /// An artifact with an unknown operator, where the kind has operators.
    pub unsupported: Option<Unsupported>,
}

/// The ONNX suite kept beside this crate.
///
/// # Errors
/// [`Error::Io`] or [`Error::Data`] if its files are not what `golden/make.py` wrote.
pub fn onnx_suite() -> Result<Suite> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let path = folder.join("cases.safetensors");
    let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
    let cases = read_cases(&path, &bytes)?;
    let fixture = |name: &str, op, batched| {
        let cases = cases.get(name).map(|cases| cases.values().cloned().collect()).unwrap_or_default();
        Ok(Fixture { name: name.into(), artifact: artifact(&folder, name)?, cases, op, batched })
    };
    let fixtures = vec![
        fixture("cnn", Op::Sum, true)?,
        fixture("step", Op::Sum, true)?,
        fixture("integers", Op::Exact, true)?,
        fixture("types", Op::Elementwise, false)?,
        fixture("external", Op::Sum, true)?,
    ];
    let unsupported = Unsupported { artifact: artifact(&folder, "unsupported")?, node: "odd-one".into(), op: "Frobnicate".into() };
    Ok(Suite { kind: ArtifactKind::Onnx, fixtures, unsupported: Some(unsupported) })
}

fn artifact(folder: &Path, name: &str) -> Result<Artifact> {
    let path = folder.join(format!("{name}.onnx"));
    let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
    let mut artifact = Artifact::single(ArtifactKind::Onnx, name, format!("{name}.onnx"), bytes);
    let data = folder.join(format!("{name}.bin"));
    if data.is_file() {
        let bytes = std::fs::read(&data).map_err(Error::io(&data))?;
        artifact.files.push(ArtifactFile { name: format!("{name}.bin"), bytes: bytes.into() });
    }
    Ok(artifact)
}

/// Cases by fixture and name, from tensors called `FIXTURE/CASE/in/TENSOR` and `FIXTURE/CASE/out/TENSOR`.
fn read_cases(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, BTreeMap<String, Case>>> {
    let bad = |at: &str, found: String| Error::Data {
        path: path.into(),
        at: at.into(),
        expected: "tensors as golden/make.py writes them".into(),
        found,
        mend: "run golden/make.py again".into(),
    };
    let file = SafeTensors::deserialize(bytes).map_err(|e| bad("header", e.to_string()))?;
    let mut cases: BTreeMap<String, BTreeMap<String, Case>> = BTreeMap::new();
    for (key, view) in file.tensors() {
        let mut parts = key.splitn(4, '/');
        let (Some(fixture), Some(name), Some(side), Some(tensor)) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(bad(&key, "another name".into()));
        };
        let dtype = dtype(view.dtype()).ok_or_else(|| bad(&key, format!("{:?}", view.dtype())))?;
        let value = Tensor::from_bytes(dtype, view.shape(), view.data())?;
        let case = cases.entry(fixture.into()).or_default().entry(name.into()).or_default();
        case.name = name.into();
        match side {
            "in" => case.inputs.insert(tensor.into(), value),
            "out" => case.outputs.insert(tensor.into(), value),
            other => return Err(bad(&key, format!("side `{other}`"))),
        };
    }
    Ok(cases)
}

fn dtype(dtype: safetensors::Dtype) -> Option<DType> {
    use safetensors::Dtype as S;
    Some(match dtype {
        S::BOOL => DType::Bool,
        S::I8 => DType::I8,
        S::U8 => DType::U8,
        S::I16 => DType::I16,
        S::U16 => DType::U16,
        S::I32 => DType::I32,
        S::U32 => DType::U32,
        S::I64 => DType::I64,
        S::U64 => DType::U64,
        S::F16 => DType::F16,
        S::BF16 => DType::BF16,
        S::F32 => DType::F32,
        S::F64 => DType::F64,
        _ => return None,
    })
}
