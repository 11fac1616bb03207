//! `dsbcc`: short-axis slices with the planes of the long-axis views.

use super::{empty, entries};
use crate::dicom::{DicomSlice, read_slice};
use crate::problem::{bad, within};
use std::path::{Path, PathBuf};
use zoo_core::{Dataset, DatasetInfo, Result, Tensor};

/// Folders of one patient's series.
struct Patient {
    sax: Vec<PathBuf>,
    long_axis: [PathBuf; 2],
}

/// Short-axis slices of the patients of a split that have all three views.
pub(super) struct Dsbcc {
    info: DatasetInfo,
    split: String,
    patients: Vec<Patient>,
    items: Vec<(usize, usize)>,
}

impl Dsbcc {
    pub(super) fn open(info: DatasetInfo, split: &str, root: &Path) -> Result<Self> {
        let mut patients = Vec::new();
        for patient in entries(&root.join(split))? {
            let study = patient.join("study");
            if !study.is_dir() {
                continue;
            }
            let series = entries(&study)?;
            let named = |prefix: &str| -> Vec<PathBuf> {
                let own = |p: &&PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(prefix));
                series.iter().filter(own).cloned().collect()
            };
            let (sax, two, four) = (named("sax_"), named("2ch_"), named("4ch_"));
            if let (false, Some(two), Some(four)) = (sax.is_empty(), two.first(), four.first()) {
                patients.push(Patient { sax, long_axis: [two.clone(), four.clone()] });
            }
        }
        let items: Vec<_> = patients.iter().enumerate().flat_map(|(p, patient)| (0..patient.sax.len()).map(move |s| (p, s))).collect();
        if items.is_empty() {
            return Err(empty(root, &format!("`{split}/PATIENT/study/{{sax,2ch,4ch}}_N` folders")));
        }
        Ok(Self { info, split: split.into(), patients, items })
    }
}

/// The first frame of a cine.
fn first_frame(series: &Path) -> Result<DicomSlice> {
    let first = entries(series)?.into_iter().find(|p| p.extension().is_some_and(|e| e == "dcm"));
    read_slice(&first.ok_or_else(|| bad(series, "its entries", "a .dcm file", "none", "unpack the release again"))?)
}

impl Dataset for Dsbcc {
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
        let (patient, slice) = self.items[within(index, self.items.len())?];
        let patient = &self.patients[patient];
        let own = first_frame(&patient.sax[slice])?;
        let normal = own.plane.normal();
        let mut extent = [f64::INFINITY, f64::NEG_INFINITY];
        for series in &patient.sax {
            let position = first_frame(series)?.plane.position;
            let place: f64 = normal.iter().zip(position).map(|(n, p)| n * p).sum();
            extent = [extent[0].min(place), extent[1].max(place)];
        }
        let plane = |slice: &DicomSlice| Tensor::from_vec([12], slice.plane.to_array().to_vec());
        let [two, four] = [first_frame(&patient.long_axis[0])?, first_frame(&patient.long_axis[1])?];
        Ok(vec![
            Tensor::from_vec(own.shape, own.pixels.clone())?,
            plane(&own)?,
            plane(&two)?,
            plane(&four)?,
            Tensor::from_vec([2], extent.to_vec())?,
        ])
    }
}
