//! The ICBM152 2009a symmetric template: an average of 152 scans, with maps of grey and white matter.

use crate::nifti_file::{NiftiVolume, read_nifti};
use crate::problem::{FETCH_AGAIN, bad, within};
use zoo_core::{DataFiles, Dataset, DatasetInfo, Result, Tensor};

/// Field names and the files that hold them.
pub(crate) const MAPS: [(&str, &str); 3] = [
    ("t1", "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"),
    ("gm", "mni_icbm152_gm_tal_nlin_sym_09a_converted.nii.gz"),
    ("wm", "mni_icbm152_wm_tal_nlin_sym_09a_converted.nii.gz"),
];
/// Voxels along k, j and i.
pub(crate) const SHAPE: [usize; 3] = [189, 233, 197];

/// The one item.
pub(crate) struct Template {
    info: DatasetInfo,
    item: Vec<Tensor>,
}

impl Template {
    pub(crate) fn open(info: DatasetInfo, files: &DataFiles) -> Result<Self> {
        let mut item = Vec::new();
        let mut affine = None;
        for (_, name) in MAPS {
            let path = files.get(name)?;
            let NiftiVolume { dims: [i, j, k], frames, values, is_u8, affine: own, .. } = read_nifti(path)?;
            if [k, j, i] != SHAPE || frames != 1 || !is_u8 {
                let found = format!("{:?}, {frames} frame(s)", [i, j, k]);
                return Err(bad(path, "dim and datatype", "197 x 233 x 189 voxels of unscaled u8", found, FETCH_AGAIN));
            }
            if affine.is_some_and(|first| first != own) {
                return Err(bad(path, "affine", "the same as that of the T1 volume", "another", FETCH_AGAIN));
            }
            affine = Some(own);
            // `is_u8`: the values are whole and at most 255.
            item.push(Tensor::from_vec(SHAPE, values.into_iter().map(|v| v as u8).collect())?);
        }
        item.push(Tensor::from_vec([4, 4], affine.unwrap_or_default().concat())?);
        Ok(Self { info, item })
    }
}

impl Dataset for Template {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn split(&self) -> &str {
        "template"
    }

    fn len(&self) -> usize {
        1
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        within(index, 1)?;
        Ok(self.item.clone())
    }
}
