//! `cti`: images by a table, and report phrases by another.

use crate::inflate::MAX_INFLATED;
use crate::problem::{bad, within};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use zoo_core::{DType, Dataset, DatasetInfo, Dim, Error, Result, Tensor, TensorSpec};

const MEND: &str = "correct the table";
const MODALITIES: [&str; 3] = ["FA", "ICGA", "US"];

#[derive(Clone, Debug, Deserialize)]
struct ImageRow {
    patient: String,
    modality: String,
    phase: i64,
    path: PathBuf,
    label: i64,
}

#[derive(Clone, Debug, Deserialize)]
struct PhraseRow {
    patient: String,
    modality: String,
    phrase: String,
}

/// Reads a table; an error names the row but never quotes it, since rows are about patients.
fn read<T: DeserializeOwned>(path: &Path, columns: &str) -> Result<Vec<T>> {
    let mut reader = csv::Reader::from_path(path).map_err(|_| bad(path, "its start", "a readable CSV file", "none", MEND))?;
    let row = |(i, row): (usize, csv::Result<T>)| {
        row.map_err(|_| bad(path, format!("row {}", i + 1), format!("columns {columns}"), "a row that does not fit", MEND))
    };
    reader.deserialize().enumerate().map(row).collect()
}

/// Numbers patients in the order in which they appear.
fn number(rows: impl Iterator<Item = String>) -> Vec<i64> {
    let mut seen = HashMap::new();
    rows.map(|patient| {
        let next = seen.len() as i64;
        *seen.entry(patient).or_insert(next)
    })
    .collect()
}

fn modality(path: &Path, row: usize, name: &str) -> Result<i64> {
    let place = MODALITIES.iter().position(|m| m.eq_ignore_ascii_case(name));
    place.map(|p| p as i64).ok_or_else(|| {
        bad(path, format!("row {}, column `modality`", row + 1), format!("one of {}", MODALITIES.join(", ")), "another name", MEND)
    })
}

/// Split `images`.
pub(super) struct Images {
    info: DatasetInfo,
    root: PathBuf,
    /// Path, then patient, modality, phase and label.
    items: Vec<(PathBuf, [i64; 4])>,
}

impl Images {
    pub(super) fn open(info: DatasetInfo, root: &Path) -> Result<Self> {
        let table = root.join("images.csv");
        let rows: Vec<ImageRow> = read(&table, "patient, modality, phase, path, label")?;
        let patients = number(rows.iter().map(|r| r.patient.clone()));
        let mut items = Vec::with_capacity(rows.len());
        for (i, (row, patient)) in rows.into_iter().zip(patients).enumerate() {
            if !row.path.components().all(|c| matches!(c, Component::Normal(_))) {
                return Err(bad(&table, format!("row {}, column `path`", i + 1), "a relative path without `..`", "another", MEND));
            }
            items.push((row.path, [patient, modality(&table, i, &row.modality)?, row.phase, row.label]));
        }
        Ok(Self { info, root: root.into(), items })
    }
}

impl Dataset for Images {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn split(&self) -> &str {
        "images"
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        let (path, numbers) = &self.items[within(index, self.items.len())?];
        let path = self.root.join(path);
        let fail = |e: image::ImageError| bad(&path, "its pixels", "a PNG or JPEG image", e.to_string(), "obtain the image again");
        let mut reader = image::ImageReader::open(&path).map_err(Error::io(&path))?.with_guessed_format().map_err(Error::io(&path))?;
        let mut limits = image::Limits::default();
        limits.max_alloc = Some(MAX_INFLATED);
        reader.limits(limits);
        let image = reader.decode().map_err(fail)?.into_rgb8();
        let (columns, rows) = (image.width() as usize, image.height() as usize);
        let pixels = image.into_raw();
        let planes = (0..3).flat_map(|c| pixels.iter().skip(c).step_by(3).copied()).collect();
        let mut item = vec![Tensor::from_vec([3, rows, columns], planes)?];
        item.extend(numbers.map(Tensor::scalar));
        Ok(item)
    }
}

/// Split `phrases`.
pub(super) struct Phrases {
    info: DatasetInfo,
    items: Vec<([i64; 2], String)>,
}

impl Phrases {
    pub(super) fn open(mut info: DatasetInfo, root: &Path) -> Result<Self> {
        let table = root.join("concepts.csv");
        let rows: Vec<PhraseRow> = read(&table, "patient, modality, time, phrase")?;
        // Patients keep the numbers they have among the images.
        let images: Vec<ImageRow> = read(&root.join("images.csv"), "patient, modality, phase, path, label")?;
        let names = images.into_iter().map(|r| r.patient).chain(rows.iter().map(|r| r.patient.clone()));
        let patients = number(names);
        let patients = &patients[patients.len() - rows.len()..];
        let items = rows.iter().zip(patients).enumerate();
        let items = items.map(|(i, (row, &patient))| Ok(([patient, modality(&table, i, &row.modality)?], row.phrase.clone())));
        let items = items.collect::<Result<_>>()?;
        info.features = vec![
            TensorSpec::new("patient", DType::I64, Vec::<Dim>::new()).meaning("number of the patient, as among the images"),
            TensorSpec::new("modality", DType::I64, Vec::<Dim>::new()).meaning("as among the images"),
            TensorSpec::new("phrase", DType::U8, [Dim::from("bytes")]).meaning("a phrase of the report, UTF-8"),
        ];
        Ok(Self { info, items })
    }
}

impl Dataset for Phrases {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn split(&self) -> &str {
        "phrases"
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        let ([patient, modality], phrase) = &self.items[within(index, self.items.len())?];
        let bytes = phrase.as_bytes().to_vec();
        Ok(vec![Tensor::scalar(*patient), Tensor::scalar(*modality), Tensor::from_vec([bytes.len()], bytes)?])
    }
}
