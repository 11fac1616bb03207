//! Data sets that need registration. They are never fetched: the user obtains them and gives the folder as `root` in
//! the data set's `config` in `registry.toml`.
//!
//! | name | layout under `root` | item |
//! | --- | --- | --- |
//! | `dsbcc` | `SPLIT/PATIENT/study/{sax,2ch,4ch}_N/*.dcm` | first frame of a short-axis cine: `image` f32 `[rows, columns]`, `plane`, `plane_2c`, `plane_4c` f64 `[12]`, `extent` f64 `[2]` |
//! | `acdc` | `SPLIT/patientNNN/patientNNN_frameNN{,_gt}.nii.gz` | `image` f32, `label` u8 `[k, j, i]`, `affine` f64 `[4, 4]` |
//! | `brats` | `CASE/CASE_t1.nii.gz` (or `CASE-t1n.nii.gz`) and `CASE_seg.nii.gz` (`-seg`) | as `acdc` |
//! | `oasis` | `CASE/aligned_norm.nii.gz` and `CASE/aligned_seg35.nii.gz` | as `acdc` |
//! | `cti` | `images.csv` (patient, modality, phase, path, label), `concepts.csv` (patient, modality, time, phrase) | split `images`: `image` u8 `[3, rows, columns]`, `patient`, `modality`, `phase`, `label` i64; split `phrases`: `patient`, `modality` i64, `phrase` u8 `[bytes]` |
//!
//! The layouts are those of the owners' releases as their users describe them; no copy was at hand to test against, so
//! the tests build small folders of the same shape.

mod cti;
mod heart;
mod volumes;

use std::path::{Path, PathBuf};
use zoo_core::{Config, DType, Dataset, DatasetInfo, Dim, Error, Result, SplitInfo, TensorSpec};

/// Name, splits, how to obtain it, what it is.
type Gate = (&'static str, &'static [&'static str], &'static str, &'static str);

const GATES: [Gate; 5] = [
    (
        "dsbcc",
        &["train", "validate", "test"],
        "register with Kaggle, accept the rules of the Second Annual Data Science Bowl and download train.zip, validate.zip and test.zip",
        "Cardiac cine MR of the Second Annual Data Science Bowl (Cardiac): short-axis stacks with 2- and 4-chamber views.",
    ),
    (
        "acdc",
        &["training", "testing"],
        "register at the ACDC challenge's page of CREATIS and download the data base",
        "Automated Cardiac Diagnosis Challenge: short-axis cine MR with labels of both ventricles and the myocardium.",
    ),
    (
        "brats",
        &["all"],
        "register at the BraTS challenge's page (CBICA or Synapse) and download the training data",
        "Brain Tumor Segmentation challenge: T1 volumes with tumour labels.",
    ),
    (
        "oasis",
        &["all"],
        "accept the data use agreement of OASIS and download the neurite-oasis version of OASIS-1",
        "OASIS-1 brain MR, skull-stripped and affinely aligned, with 35 labels (neurite-oasis).",
    ),
    (
        "cti",
        &["images", "phrases"],
        "ask the owners of the Choroid Tri-modal Imaging data, who give it for academic use only and forbid passing it on",
        "Choroid Tri-modal Imaging: fluorescein and indocyanine green angiography and ultrasound with report phrases.",
    ),
];

/// What the gated data sets are.
pub(crate) fn infos() -> Vec<DatasetInfo> {
    GATES.iter().map(info).collect()
}

fn info(&(name, splits, obtain, description): &Gate) -> DatasetInfo {
    let free = |names: &[&str]| names.iter().map(|n| Dim::from(*n)).collect::<Vec<_>>();
    let plane = |name: &str, meaning: &str| TensorSpec::new(name, DType::F64, [12usize]).meaning(meaning);
    let number = |name: &str, meaning: &str| TensorSpec::new(name, DType::I64, Vec::<Dim>::new()).meaning(meaning);
    let features = match name {
        "dsbcc" => vec![
            TensorSpec::new("image", DType::F32, free(&["rows", "columns"])).meaning("first frame of a short-axis cine"),
            plane("plane", "where the slice lies"),
            plane("plane_2c", "where the patient's 2-chamber view lies"),
            plane("plane_4c", "where the patient's 4-chamber view lies"),
            TensorSpec::new("extent", DType::F64, [2usize]).meaning("least and greatest normal . position of the stack, mm"),
        ],
        "cti" => vec![
            TensorSpec::new("image", DType::U8, [Dim::Fixed(3), "rows".into(), "columns".into()]).meaning("red, green and blue planes"),
            number("patient", "number of the patient, in order of first appearance"),
            number("modality", "0 fluorescein, 1 indocyanine green, 2 ultrasound"),
            number("phase", "phase of the angiogram, as the table numbers it"),
            number("label", "diagnosis"),
        ],
        _ => vec![
            TensorSpec::new("image", DType::F32, free(&["k", "j", "i"])).meaning("intensity"),
            TensorSpec::new("label", DType::U8, free(&["k", "j", "i"])).meaning("label of each voxel"),
            TensorSpec::new("affine", DType::F64, [4usize, 4]).meaning("from (i, j, k, 1) to mm"),
        ],
    };
    DatasetInfo {
        name: name.into(),
        description: description.into(),
        // How many items there are is known once the folder is there.
        splits: splits.iter().map(|s| SplitInfo { name: (*s).into(), len: 0 }).collect(),
        features,
        classes: Vec::new(),
        licence: "its owners' terms; never redistributed here".into(),
        provenance: format!("obtained by the user: {obtain}"),
    }
}

/// Opens a gated data set.
pub(crate) fn open(info: DatasetInfo, split: &str, config: &Config) -> Result<Box<dyn Dataset>> {
    let obtain = GATES.iter().find(|g| g.0 == info.name).map_or("", |g| g.2);
    let Some(root) = config.find("root") else {
        return Err(Error::Unavailable {
            what: format!("data set {}", info.name),
            why: "its owners' terms do not let it be fetched".into(),
            mend: format!("{obtain}; then set `config = {{ root = \"FOLDER\" }}` in its table of registry.toml"),
        });
    };
    let root = PathBuf::from(root.as_str().unwrap_or_default());
    if !root.is_dir() {
        return Err(Error::Unavailable {
            what: format!("data set {}", info.name),
            why: format!("`root` is {}, which is no folder", root.display()),
            mend: format!("{obtain}; then set `root` to its folder"),
        });
    }
    match info.name.as_str() {
        "dsbcc" => Ok(Box::new(heart::Dsbcc::open(info, split, &root)?)),
        "cti" if split == "phrases" => Ok(Box::new(cti::Phrases::open(info, &root)?)),
        "cti" => Ok(Box::new(cti::Images::open(info, &root)?)),
        _ => Ok(Box::new(volumes::Volumes::open(info, split, &root)?)),
    }
}

/// Entries of a folder by name, sorted; digits compare as numbers, so that `sax_9` precedes `sax_10`.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let mut paths = list.map(|e| e.map(|e| e.path()).map_err(Error::io(folder))).collect::<Result<Vec<_>>>()?;
    let key = |p: &PathBuf| {
        let name = p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let digits: String = name.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).take(12).collect();
        (name.chars().take_while(|c| !c.is_ascii_digit()).collect::<String>(), digits.parse::<u64>().unwrap_or(0), name)
    };
    paths.sort_by_key(key);
    Ok(paths)
}

/// Says that a folder holds nothing of the layout.
fn empty(root: &Path, layout: &str) -> Error {
    crate::problem::bad(root, "its entries", layout, "none", "check that `root` is the folder that holds the unpacked release")
}
