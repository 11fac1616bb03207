//! The Wisconsin diagnostic breast-cancer table as scikit-learn carries it: `breast_cancer.csv`, a line a patient.

use crate::problem::{FETCH_AGAIN, bad, within};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use zoo_core::{DType, DataFiles, Dataset, DatasetInfo, Dim, Error, Result, SplitInfo, Tensor, TensorSpec};

/// Name of the data set.
pub(crate) const NAME: &str = "wdbc";
const ROWS: usize = 569;
const COLUMNS: usize = 30;
const MAX_BYTES: u64 = 1 << 20;

pub(crate) fn info() -> DatasetInfo {
    DatasetInfo {
        name: NAME.into(),
        description:
            "569 patients: ten measures of cell nuclei in a needle aspirate, each as mean, standard error and worst; benign or malignant."
                .into(),
        splits: vec![SplitInfo { name: "all".into(), len: ROWS }],
        features: vec![
            TensorSpec::new("features", DType::F32, [COLUMNS]).meaning("ten means, ten standard errors, ten worst values"),
            TensorSpec::new("label", DType::U8, Vec::<Dim>::new()).range(0.0, 1.0).meaning("0 malignant, 1 benign"),
        ],
        classes: ["malignant", "benign"].map(Into::into).to_vec(),
        licence: "BSD-3-Clause (the package); the table is of the UCI repository, CC BY 4.0".into(),
        provenance: "W. H. Wolberg, W. N. Street and O. L. Mangasarian, 1995, as scikit-learn carries it".into(),
    }
}

/// The whole table, in memory.
pub(crate) struct Wdbc {
    info: DatasetInfo,
    rows: Vec<(Vec<f32>, u8)>,
}

impl Wdbc {
    pub(crate) fn open(info: DatasetInfo, files: &DataFiles) -> Result<Self> {
        let path = files.get("breast_cancer.csv")?;
        let mut text = String::new();
        File::open(path).map_err(Error::io(path))?.take(MAX_BYTES).read_to_string(&mut text).map_err(Error::io(path))?;
        Ok(Self { rows: parse(path, &text)?, info })
    }
}

/// A first line `569,30,malignant,benign`, then a line of 30 numbers and a class each.
fn parse(path: &Path, text: &str) -> Result<Vec<(Vec<f32>, u8)>> {
    let fail = |line: usize, expected: String, found: &str| {
        let found: String = found.chars().take(40).collect();
        Err(bad(path, format!("line {line}"), expected, format!("`{found}`"), FETCH_AGAIN))
    };
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    if first != format!("{ROWS},{COLUMNS},malignant,benign") {
        return fail(1, format!("`{ROWS},{COLUMNS},malignant,benign`"), first);
    }
    let mut rows = Vec::with_capacity(ROWS);
    for (n, line) in lines.enumerate() {
        let (values, label) = line.rsplit_once(',').unwrap_or((line, ""));
        let values: Option<Vec<f32>> = values.split(',').map(|v| v.parse::<f32>().ok().filter(|v| v.is_finite())).collect();
        match (values, label) {
            (Some(values), "0" | "1") if values.len() == COLUMNS => rows.push((values, u8::from(label == "1"))),
            _ => return fail(n + 2, format!("{COLUMNS} numbers and a class, 0 or 1"), line),
        }
    }
    if rows.len() != ROWS {
        return fail(rows.len() + 1, format!("{ROWS} patients"), &rows.len().to_string());
    }
    Ok(rows)
}

impl Dataset for Wdbc {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn split(&self) -> &'static str {
        "all"
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        let (values, label) = &self.rows[within(index, self.rows.len())?];
        Ok(vec![Tensor::from_vec([COLUMNS], values.clone())?, Tensor::scalar(*label)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_faults_are_named_by_line() {
        let row = |label: &str| format!("{}{label}", "1.5,".repeat(COLUMNS));
        let good: Vec<String> =
            std::iter::once(format!("{ROWS},{COLUMNS},malignant,benign")).chain((0..ROWS).map(|i| row(&(i % 2).to_string()))).collect();
        let rows = parse(Path::new("f"), &good.join("\n")).unwrap();
        assert_eq!((rows.len(), rows[3].0.len(), rows[3].0[7], rows[3].1), (ROWS, COLUMNS, 1.5, 1));
        let with = |at: usize, text: &str| {
            let mut lines = good.clone();
            lines[at] = text.into();
            parse(Path::new("f"), &lines.join("\n")).unwrap_err().to_string()
        };
        assert!(with(0, "569,30,a,b").contains("line 1"));
        assert!(with(5, &row("2")).contains("line 6"));
        assert!(with(5, "1,2,0").contains("line 6"));
        assert!(with(5, &row("1").replacen("1.5", "NaN", 1)).contains("line 6"));
        assert!(parse(Path::new("f"), &good[..9].join("\n")).unwrap_err().to_string().contains("569 patients"));
        assert!(parse(Path::new("f"), "").is_err());
    }
}
