//! Daily prices from a CSV file: `Date, Open, High, Low, Close, Adj Close, Volume`.

use crate::calendar::Day;
use crate::error::{FETCH_AGAIN, MEND_ROW, bad, excerpt};
use std::collections::BTreeMap;
use std::path::Path;
use zoo_core::{Error, Result};

/// Files beyond this are refused; a century of daily rows stays below it.
const LARGEST: u64 = 16 << 20;
/// The same for a file of many stocks.
const LARGEST_TABLE: u64 = 1 << 30;
/// Least price that is taken for one.
const LEAST_PRICE: f64 = 1e-6;
const COLUMNS: [&str; 7] = ["Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"];

/// One trading day of one stock, in the currency of the exchange.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// The day.
    pub day: Day,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Last price, adjusted for splits and dividends.
    pub adjusted: f64,
    /// Shares traded.
    pub volume: f64,
}

/// Reads a price file; days come in rising order, each once.
///
/// # Errors
/// [`Error::Data`] naming the line for a missing column, a cell that is no price (an empty one or `null` is a day without
/// a price), a duplicated day, a day out of order, or text that is not UTF-8; [`Error::Io`] if it can't be read.
pub fn read_prices(path: &Path) -> Result<Vec<Bar>> {
    Ok(read(path, false)?.into_values().next().unwrap_or_default())
}

/// Reads the prices of several stocks from one file with a first column `Stock`; rows of a stock are in rising order.
///
/// # Errors
/// As [`read_prices`].
pub(crate) fn read_price_table(path: &Path) -> Result<BTreeMap<String, Vec<Bar>>> {
    read(path, true)
}

fn read(path: &Path, with_stock: bool) -> Result<BTreeMap<String, Vec<Bar>>> {
    let size = std::fs::metadata(path).map_err(Error::io(path))?.len();
    let largest = if with_stock { LARGEST_TABLE } else { LARGEST };
    if size > largest {
        return Err(bad(path, "its size", format!("at most {largest} bytes"), size.to_string(), FETCH_AGAIN));
    }
    let columns: Vec<&str> = if with_stock { vec!["Stock"] } else { Vec::new() }.into_iter().chain(COLUMNS).collect();
    let mut reader = csv::ReaderBuilder::new().from_path(path).map_err(|e| fault(path, &e))?;
    let header = reader.headers().map_err(|e| fault(path, &e))?.clone();
    if header.iter().ne(columns.iter().copied()) {
        let found = excerpt(&header.iter().collect::<Vec<_>>().join(","));
        return Err(bad(path, "line 1", format!("the columns {}", columns.join(",")), found, "rename or reorder its columns"));
    }
    let mut all: BTreeMap<String, Vec<Bar>> = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(|e| fault(path, &e))?;
        let line = format!("line {}", record.position().map_or(0, csv::Position::line));
        let bar = row(path, &line, &record, columns.len() - COLUMNS.len())?;
        let stock = if with_stock { record.get(0).unwrap_or_default() } else { "" };
        let bars = all.entry(stock.to_owned()).or_default();
        if let Some(last) = bars.last() {
            if last.day == bar.day {
                return Err(bad(path, line, "each date once", format!("{} a second time", bar.day), MEND_ROW));
            }
            if last.day > bar.day {
                return Err(bad(path, line, format!("a date after {}", last.day), bar.day.to_string(), "sort the rows by date"));
            }
        }
        bars.push(bar);
    }
    Ok(all)
}

/// One row, whose date stands in column `first`.
fn row(path: &Path, line: &str, record: &csv::StringRecord, first: usize) -> Result<Bar> {
    let cell = |column: usize| record.get(first + column).unwrap_or_default();
    let day = Day::parse(cell(0)).map_err(|_| bad(path, line, "a date as YYYY-MM-DD", excerpt(cell(0)), MEND_ROW))?;
    let number = |column: usize, least: f64| {
        let text = cell(column);
        let value = text.parse::<f64>().ok().filter(|v| v.is_finite() && *v >= least);
        value.ok_or_else(|| {
            let what = if text.is_empty() || text == "null" { "a day without a price".into() } else { excerpt(text) };
            bad(path, format!("{line}, column `{}`", COLUMNS[column]), format!("a number of at least {least} for {day}"), what, MEND_ROW)
        })
    };
    // A price of zero can't be divided by.
    let price = |column: usize| number(column, LEAST_PRICE);
    Ok(Bar { day, open: price(1)?, high: price(2)?, low: price(3)?, close: price(4)?, adjusted: price(5)?, volume: number(6, 0.0)? })
}

fn fault(path: &Path, error: &csv::Error) -> Error {
    if let csv::ErrorKind::Io(source) = error.kind() {
        return Error::Io { path: path.into(), source: std::io::Error::new(source.kind(), source.to_string()) };
    }
    let line = error.position().map_or_else(|| "its lines".into(), |p| format!("line {}", p.line()));
    let (expected, found) = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => ("UTF-8 text".into(), "bytes that are not UTF-8".into()),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => (format!("{expected_len} cells"), format!("{len}")),
        _ => ("CSV".into(), error.to_string()),
    };
    bad(path, line, expected, found, FETCH_AGAIN)
}
