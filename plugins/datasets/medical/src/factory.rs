//! What this plugin offers, and which reader opens which files.

use crate::cmr::Study;
use crate::gated;
use crate::medmnist::MedMnist;
use crate::mni::{self, Template};
use crate::wdbc::{self, Wdbc};
use zoo_core::{Config, DType, DataFiles, Dataset, DatasetFactory, DatasetInfo, Dim, Error, Result, SplitInfo, TensorSpec};

/// Opens `mni152`, `cmr-case`, the two MedMNIST sets, `wdbc`, and the gated sets.
#[derive(Clone, Copy, Debug, Default)]
pub struct MedicalFactory;

fn splits(list: &[(&str, usize)]) -> Vec<SplitInfo> {
    list.iter().map(|&(name, len)| SplitInfo { name: name.into(), len }).collect()
}

fn mni152() -> DatasetInfo {
    let map = |(name, _): &(&str, &str)| {
        let meaning = match *name {
            "t1" => "T1-weighted intensity",
            "gm" => "share of grey matter, 255 for all",
            _ => "share of white matter, 255 for all",
        };
        TensorSpec::new(*name, DType::U8, mni::SHAPE).range(0.0, 255.0).meaning(format!("{meaning}; axes k, j, i"))
    };
    let mut features: Vec<_> = mni::MAPS.iter().map(map).collect();
    features
        .push(TensorSpec::new("affine", DType::F64, [4usize, 4]).meaning("from (i, j, k, 1) to mm; x to the right, y to the front, z up"));
    DatasetInfo {
        name: "mni152".into(),
        description: "ICBM152 2009a non-linear symmetric template, 1 mm: T1, grey-matter and white-matter maps. An average of 152 adult \
                      scans, not one subject."
            .into(),
        splits: splits(&[("template", 1)]),
        features,
        classes: Vec::new(),
        licence: "package nilearn: BSD-3-Clause; the template is (c) 1993-2009 Louis Collins, McConnell Brain Imaging Centre, McGill \
                  University, whose notice allows use, copying, modification and distribution with the notice kept"
            .into(),
        provenance: "files of the Python package nilearn 0.14.1, unmodified".into(),
    }
}

fn cmr_case() -> DatasetInfo {
    DatasetInfo {
        name: "cmr-case".into(),
        description: "One cardiac MR study: 2- and 4-chamber localizers, a short-axis stack of 8, first frames of four cines. For tests \
                      of geometry; one patient, no labels."
            .into(),
        splits: splits(&[("study", 14)]),
        features: vec![
            TensorSpec::new("image", DType::F32, [Dim::from("rows"), "columns".into()]).meaning("intensity, scanner's unit"),
            TensorSpec::new("plane", DType::F64, [12usize]).meaning(
                "position of the first pixel (3, mm), directions of increasing column and row index (3 + 3), distance of rows, \
                 distance of columns, thickness (mm)",
            ),
            TensorSpec::new("series", DType::I64, Vec::<Dim>::new()).meaning("series number; stacks are ordered by place"),
            TensorSpec::new("view", DType::U8, Vec::<Dim>::new()).range(0.0, 3.0).meaning("0 2C, 1 4C, 2 short axis, 3 outflow tract"),
        ],
        classes: ["2C", "4C", "SAX", "LVOT"].map(Into::into).to_vec(),
        licence: "its repository is AGPL-3.0 and states no licence for the data; not redistributed here".into(),
        provenance: "wd111624/CMR_plan, data/origin_sorted/056B, anonymised by its publishers; files renamed".into(),
    }
}

fn medmnist(name: &str, description: &str, counts: [usize; 3], classes: [&str; 2], provenance: &str) -> DatasetInfo {
    DatasetInfo {
        name: name.into(),
        description: description.into(),
        splits: splits(&[("train", counts[0]), ("val", counts[1]), ("test", counts[2])]),
        features: vec![
            TensorSpec::new("image", DType::U8, [1usize, 28, 28]).range(0.0, 255.0).meaning("grey level, row by row from the top"),
            TensorSpec::new("label", DType::U8, Vec::<Dim>::new()).range(0.0, 1.0).meaning("index of the class"),
        ],
        classes: classes.map(Into::into).to_vec(),
        licence: "CC-BY-4.0, according to the package medmnist".into(),
        provenance: provenance.into(),
    }
}

impl DatasetFactory for MedicalFactory {
    fn infos(&self) -> Vec<DatasetInfo> {
        let mut infos = vec![
            mni152(),
            cmr_case(),
            medmnist(
                "breastmnist",
                "Breast ultrasound at 28 x 28 pixels: malignant, or normal and benign.",
                [546, 78, 156],
                ["malignant", "normal, benign"],
                "a repack of MedMNIST's file by a third party: split sizes are the official ones, the sum is not",
            ),
            medmnist(
                "pneumoniamnist",
                "Chest X-rays of children at 28 x 28 pixels: normal or pneumonia. Altered subset: 3,882 training items where the official \
                 file has 4,708.",
                [3882, 524, 624],
                ["normal", "pneumonia"],
                "an altered copy of MedMNIST's file by a third party; report results as of an altered subset",
            ),
            wdbc::info(),
        ];
        infos.extend(gated::infos());
        infos
    }

    fn open(&self, name: &str, split: &str, files: &DataFiles, config: &Config) -> Result<Box<dyn Dataset>> {
        let infos = self.infos();
        let Some(info) = infos.iter().find(|i| i.name == name).cloned() else {
            let names: Vec<_> = infos.iter().map(|i| i.name.as_str()).collect();
            return Err(Error::Unknown { kind: "data set", name: name.into(), hint: format!("this plugin has {}", names.join(", ")) });
        };
        if !info.splits.iter().any(|s| s.name == split) {
            let names: Vec<_> = info.splits.iter().map(|s| s.name.as_str()).collect();
            return Err(Error::Unknown { kind: "split", name: split.into(), hint: format!("{name} has {}", names.join(", ")) });
        }
        match name {
            "mni152" => Ok(Box::new(Template::open(info, files)?)),
            "cmr-case" => Ok(Box::new(Study::open(info, files)?)),
            "breastmnist" | "pneumoniamnist" => Ok(Box::new(MedMnist::open(info, split, files)?)),
            wdbc::NAME => Ok(Box::new(Wdbc::open(info, files)?)),
            _ => gated::open(info, split, config),
        }
    }
}
