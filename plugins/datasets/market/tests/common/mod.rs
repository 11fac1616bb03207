//! Small data sets, written to a temporary folder.

use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use std::path::{Path, PathBuf};
use zoo_core::{Config, DataFiles, Dataset, DatasetFactory, Result};
use zoo_data_market::{Day, MarketFactory};

/// A folder and the files a data set is made of.
pub struct World {
    pub folder: tempfile::TempDir,
    pub files: DataFiles,
}

pub const HEADER: &str = "Date,Open,High,Low,Close,Adj Close,Volume";

/// A price row whose numbers follow from the day alone.
pub fn bar(day: i32) -> String {
    let close = 100.0 + f64::from(day.rem_euclid(7)) - 2.0 * f64::from(day.rem_euclid(3));
    format!(
        "{},{:.2},{:.2},{:.2},{close:.2},{:.2},{}",
        Day(day),
        close - 0.5,
        close + 1.0,
        close - 1.5,
        0.9 * close,
        1000 + day.rem_euclid(11)
    )
}

/// A post of a day at an hour (UTC).
pub fn post(day: i32, hour: i64, user: u32, text: &str) -> String {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = Day(day).to_string();
    let month: usize = date[5..7].parse().unwrap();
    let week = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][day.rem_euclid(7) as usize];
    let at = format!("{week} {} {} {hour:02}:15:00 +0000 {}", months[month - 1], &date[8..], &date[..4]);
    serde_json::json!({"day": date, "at": at, "user": user, "text": text, "rep": [10 + user, 20, 30, 0, 1, 0, "2010", 0]}).to_string()
}

/// Days that are no weekend.
pub fn weekdays(from: &str, count: usize) -> Vec<i32> {
    let first = Day::parse(from).unwrap().0;
    (first..).filter(|d| !matches!(d.rem_euclid(7), 2 | 3)).take(count).collect()
}

pub fn gz(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = GzEncoder::new(std::fs::File::create(path).unwrap(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap();
}

impl World {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), files: DataFiles::default() }
    }

    pub fn add(&mut self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        self.files.0.insert(name.into(), path.clone());
        path
    }

    pub fn prices(&mut self, ticker: &str, rows: &[String]) {
        let path = self.add(&format!("price/{ticker}.csv"));
        std::fs::write(path, format!("{HEADER}\n{}\n", rows.join("\n"))).unwrap();
    }

    pub fn posts(&mut self, ticker: &str, lines: &[String]) {
        let path = self.add(&format!("tweets/{ticker}.jsonl.gz"));
        gz(&path, lines.iter().map(|l| format!("{l}\n")).collect::<String>().as_bytes());
    }

    pub fn open(&self, split: &str, config: serde_json::Value) -> Result<Box<dyn Dataset>> {
        MarketFactory.open("stocknet", split, &self.files, &Config::new(config))
    }

    /// The message of opening a split that must fail.
    pub fn fails(&self) -> String {
        match self.open("days", serde_json::json!({})) {
            Ok(_) => panic!("expected an error"),
            Err(error) => error.to_string(),
        }
    }
}
