//! The handwritten digits that scikit-learn carries: `digits.csv`, a line an image, 64 grey levels of 0 to 16 and the class.
//!
//! The file comes without splits, and its lines come writer by writer. Ours are parts of one fixed order, which takes
//! every [`STRIDE`]th line around the file, so that every split has lines from all over it.

use crate::source::bad;
use crate::window::{locate, locate_one, window};
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use zoo_core::{Config, DType, DataFiles, Dataset, DatasetInfo, Dim, Error, Result, SplitInfo, Tensor, TensorSpec};

/// Name of the data set.
pub(crate) const NAME: &str = "digits";
/// Name and length of each split, in the order in which they share the fixed order.
pub(crate) const SPLITS: [(&str, usize); 3] = [("train", 1200), ("val", 200), ("test", 397)];

const SIDE: usize = 8;
const PIXELS: usize = SIDE * SIDE;
const WHITE: u8 = 16;
const CLASSES: u8 = 10;
const ITEMS: usize = 1797;
/// Shares no factor with the number of items, 3 x 599; near the golden section of it.
const STRIDE: usize = 1109;
/// No file of so many lines of 65 numbers below 100 is longer.
const MAX_BYTES: u64 = (ITEMS * (PIXELS + 1) * 3) as u64;

pub(crate) fn info() -> DatasetInfo {
    DatasetInfo {
        name: NAME.into(),
        description: "Handwritten digits, 8 x 8 grey levels of 0 to 16, ink light on dark.".into(),
        splits: SPLITS.map(|(name, len)| SplitInfo { name: name.into(), len }).into(),
        features: vec![
            TensorSpec::new("image", DType::U8, [1, SIDE, SIDE]).range(0.0, 16.0).meaning("ink of a cell, row by row from the top"),
            TensorSpec::new("label", DType::U8, Vec::<Dim>::new()).range(0.0, 9.0).meaning("the digit"),
        ],
        classes: (0..CLASSES).map(|digit| digit.to_string()).collect(),
        licence: "BSD-3-Clause (the package); the digits are of the UCI repository, CC BY 4.0".into(),
        provenance: "E. Alpaydin and C. Kaynak, 1998: the test set of the UCI digits, as scikit-learn carries it; splits are ours".into(),
    }
}

/// One split, in memory: 1,797 images are 115 kB.
pub(crate) struct Digits {
    info: DatasetInfo,
    split: &'static str,
    pixels: Vec<u8>,
    labels: Vec<u8>,
    window: Range<usize>,
}

impl Digits {
    pub(crate) fn open(split: &str, files: &DataFiles, config: &Config) -> Result<Self> {
        let mut start = 0;
        let mut found = None;
        for (name, len) in SPLITS {
            if name == split {
                found = Some((name, start..start + len));
            }
            start += len;
        }
        let Some((split, places)) = found else {
            let hint = format!("{NAME} has {}", SPLITS.map(|(name, _)| name).join(", "));
            return Err(Error::Unknown { kind: "split", name: split.into(), hint });
        };
        let path = files.get("digits.csv")?;
        let mut text = String::new();
        let file = File::open(path).map_err(Error::io(path))?;
        file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(Error::io(path))?;
        let rows = parse(path, &text)?;
        let mut digits = Self { info: info(), split, pixels: Vec::new(), labels: Vec::new(), window: window(config, places.len())? };
        for place in places {
            let (pixels, label) = &rows[place * STRIDE % ITEMS];
            digits.pixels.extend(pixels);
            digits.labels.push(*label);
        }
        Ok(digits)
    }
}

/// All lines, each checked.
fn parse(path: &Path, text: &str) -> Result<Vec<(Vec<u8>, u8)>> {
    let mut rows = Vec::with_capacity(ITEMS);
    for (number, line) in text.lines().enumerate() {
        let fail = |expected: String, found: String| bad(path, format!("line {}", number + 1), expected, found);
        if number == ITEMS {
            return Err(fail(format!("{ITEMS} lines"), "more".into()));
        }
        let mut values = Vec::with_capacity(PIXELS + 1);
        for (column, cell) in line.split(',').enumerate() {
            let most = if column < PIXELS { WHITE } else { CLASSES - 1 };
            match cell.trim().parse::<u8>() {
                Ok(value) if value <= most => values.push(value),
                _ => return Err(fail(format!("a whole number of at most {most} in column {}", column + 1), format!("`{cell:.20}`"))),
            }
            if column > PIXELS {
                return Err(fail(format!("{} columns", PIXELS + 1), "more".into()));
            }
        }
        match values.pop() {
            Some(label) if values.len() == PIXELS => rows.push((values, label)),
            _ => return Err(fail(format!("{} columns", PIXELS + 1), "fewer".into())),
        }
    }
    if rows.len() < ITEMS {
        return Err(bad(path, "its end", format!("{ITEMS} lines"), format!("{}", rows.len())));
    }
    Ok(rows)
}

impl Dataset for Digits {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn split(&self) -> &str {
        self.split
    }

    fn len(&self) -> usize {
        self.window.len()
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        let item = locate_one(&self.window, index)?;
        let pixels = self.pixels[item * PIXELS..][..PIXELS].to_vec();
        Ok(vec![Tensor::from_vec([1, SIDE, SIDE], pixels)?, Tensor::scalar(self.labels[item])])
    }

    fn batch(&self, range: Range<usize>) -> Result<Vec<Tensor>> {
        let items = locate(&self.window, &range)?;
        let pixels = self.pixels[items.start * PIXELS..items.end * PIXELS].to_vec();
        let images = Tensor::from_vec([items.len(), 1, SIDE, SIDE], pixels)?;
        Ok(vec![images, Tensor::from_vec([items.len()], self.labels[items].to_vec())?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn file(lines: &[String]) -> (tempfile::TempDir, DataFiles) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("digits.csv"), lines.join("\n")).unwrap();
        let files = DataFiles([("digits.csv".to_string(), folder.path().join("digits.csv"))].into());
        (folder, files)
    }

    /// Line `i` has `i` in its first three cells, in base 13, and the class `i % 10`.
    fn lines() -> Vec<String> {
        (0..ITEMS)
            .map(|i| {
                let mut cells = vec![0; PIXELS + 1];
                (cells[0], cells[1], cells[2], cells[PIXELS]) = (i / 169, i / 13 % 13, i % 13, i % 10);
                cells.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
            })
            .collect()
    }

    #[test]
    fn the_splits_share_all_lines_and_none_is_in_two() {
        let (_folder, files) = file(&lines());
        let mut seen = BTreeSet::new();
        for (name, len) in SPLITS {
            let split = Digits::open(name, &files, &Config::default()).unwrap();
            assert_eq!((split.len(), split.split()), (len, name));
            for index in 0..len {
                let item = split.get(index).unwrap();
                let pixels = item[0].as_slice::<u8>().unwrap();
                let line = usize::from(pixels[0]) * 169 + usize::from(pixels[1]) * 13 + usize::from(pixels[2]);
                assert_eq!(usize::from(item[1].as_slice::<u8>().unwrap()[0]), line % 10);
                assert!(seen.insert(line));
            }
            let all = split.batch(0..len).unwrap();
            assert_eq!(all[0].shape(), [len, 1, SIDE, SIDE]);
        }
        assert_eq!(seen.len(), ITEMS);
    }

    #[test]
    fn what_is_not_the_file_is_refused_by_line() {
        let good = lines();
        let with = |at: usize, line: &str| {
            let mut lines = good.clone();
            lines[at] = line.into();
            lines
        };
        let long = [good.clone(), vec![good[0].clone()]].concat();
        let seventeen = good[4].replacen("0", "17", 1);
        let cases = [
            (with(4, &seventeen), "line 5"),
            (with(4, "1,2,x"), "line 5"),
            (with(6, &format!("{},3", good[6])), "line 7"),
            (with(6, "1,2"), "line 7"),
            (good[..9].to_vec(), "its end"),
            (long, "line 1798"),
        ];
        for (lines, at) in cases {
            let (_folder, files) = file(&lines);
            let error = Digits::open("test", &files, &Config::default()).err().expect("refused").to_string();
            assert!(error.contains(at), "{error}");
        }
        let (_folder, files) = file(&good);
        assert!(matches!(Digits::open("tests", &files, &Config::default()), Err(Error::Unknown { .. })));
    }
}
