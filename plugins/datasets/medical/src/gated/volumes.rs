//! `acdc`, `brats`, `oasis`: a volume and its labels.

use super::{empty, entries};
use crate::nifti_file::{NiftiVolume, read_nifti};
use crate::problem::{bad, within};
use std::path::{Path, PathBuf};
use zoo_core::{Dataset, DatasetInfo, Result, Tensor};

/// Pairs of volume and labels, read when asked for.
pub(super) struct Volumes {
    info: DatasetInfo,
    split: String,
    items: Vec<(PathBuf, PathBuf)>,
}

impl Volumes {
    pub(super) fn open(info: DatasetInfo, split: &str, root: &Path) -> Result<Self> {
        let (folder, layout) = match info.name.as_str() {
            "acdc" => (root.join(split), "`patientNNN/patientNNN_frameNN.nii.gz` with `_gt.nii.gz` beside it"),
            "brats" => (root.to_path_buf(), "`CASE/CASE_t1.nii.gz` with `CASE_seg.nii.gz` beside it"),
            _ => (root.to_path_buf(), "`CASE/aligned_norm.nii.gz` with `aligned_seg35.nii.gz` beside it"),
        };
        let mut items = Vec::new();
        for case in entries(&folder)?.into_iter().filter(|p| p.is_dir()) {
            for image in entries(&case)? {
                let name = image.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                if let Some(label) = label_of(&info.name, &name).map(|l| case.join(l)).filter(|l| l.is_file()) {
                    items.push((image, label));
                }
            }
        }
        if items.is_empty() {
            return Err(empty(&folder, layout));
        }
        Ok(Self { info, split: split.into(), items })
    }
}

/// The name of the labels of an image, if it is one.
fn label_of(dataset: &str, image: &str) -> Option<String> {
    let end = if image.ends_with(".nii.gz") { ".nii.gz" } else { ".nii" };
    let stem = image.strip_suffix(end)?;
    match dataset {
        "acdc" => (stem.contains("_frame") && !stem.ends_with("_gt")).then(|| format!("{stem}_gt{end}")),
        "brats" => {
            let old = stem.strip_suffix("_t1").map(|case| format!("{case}_seg{end}"));
            old.or_else(|| stem.strip_suffix("-t1n").map(|case| format!("{case}-seg{end}")))
        }
        _ => (stem == "aligned_norm").then(|| format!("aligned_seg35{end}")),
    }
}

impl Dataset for Volumes {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn split(&self) -> &str {
        &self.split
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        let (image_path, label_path) = &self.items[within(index, self.items.len())?];
        let NiftiVolume { dims: [i, j, k], frames, values, affine, .. } = read_nifti(image_path)?;
        let label = read_nifti(label_path)?;
        let mend = "check that both files are of the same case";
        if frames != 1 || label.frames != 1 || label.dims != [i, j, k] {
            let found = format!("{:?} x {}", label.dims, label.frames);
            return Err(bad(label_path, "dim", format!("{:?} x 1, as the image", [i, j, k]), found, mend));
        }
        if let Some(at) = label.values.iter().position(|v| v.fract() != 0.0 || !(0.0..256.0).contains(v)) {
            return Err(bad(label_path, format!("voxel {at}"), "a whole number below 256", label.values[at].to_string(), mend));
        }
        Ok(vec![
            Tensor::from_vec([k, j, i], values)?,
            // Checked above: whole and below 256.
            Tensor::from_vec([k, j, i], label.values.iter().map(|v| *v as u8).collect())?,
            Tensor::from_vec([4, 4], affine.concat())?,
        ])
    }
}
