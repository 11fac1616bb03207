//! `cmr-case`: the images of one cardiac MR study, series by series, stacks in the order of their slices.

use crate::dicom::{DicomSlice, order_stack, read_slice};
use crate::problem::within;
use zoo_core::{DataFiles, Dataset, DatasetInfo, Error, Result, Tensor};

/// Names of the views, which begin the names of the study's files.
pub(crate) const VIEWS: [&str; 4] = ["2c", "4c", "sax", "lvot"];

/// All images of the study.
pub(crate) struct Study {
    info: DatasetInfo,
    items: Vec<(DicomSlice, u8)>,
}

impl Study {
    pub(crate) fn open(info: DatasetInfo, files: &DataFiles) -> Result<Self> {
        let mut items = Vec::with_capacity(files.0.len());
        for (name, path) in &files.0 {
            let view = VIEWS.iter().position(|v| name.split('-').next() == Some(v)).ok_or_else(|| Error::Unknown {
                kind: "view of a file of cmr-case",
                name: name.clone(),
                hint: format!("names begin with one of {}", VIEWS.map(|v| format!("`{v}-`")).join(", ")),
            })?;
            items.push((read_slice(path)?, view as u8));
        }
        items.sort_by_key(|(slice, _)| (slice.series, slice.instance));
        let mut sorted = Vec::with_capacity(items.len());
        for series in items.chunk_by(|(a, _), (b, _)| a.series == b.series) {
            let planes: Vec<_> = series.iter().map(|(slice, _)| slice.plane).collect();
            sorted.extend(order_stack(&planes)?.into_iter().map(|i| series[i].clone()));
        }
        Ok(Self { info, items: sorted })
    }
}

impl Dataset for Study {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn split(&self) -> &str {
        "study"
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        let (slice, view) = &self.items[within(index, self.items.len())?];
        Ok(vec![
            Tensor::from_vec(slice.shape, slice.pixels.clone())?,
            Tensor::from_vec([12], slice.plane.to_array().to_vec())?,
            Tensor::scalar(slice.series),
            Tensor::scalar(*view),
        ])
    }
}
