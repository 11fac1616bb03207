//! The authors' posts: an xlsx file an instrument, named after it.
//!
//! Facts about the form come from the files of
//! `Shwai-He/Multi-modal-Attention-Network-for-Stock-Movements-Prediction`; they hold no prices. Column names may not mean
//! what they say (`followers` may be what `fans` should be), so they are handed on as they are.

use crate::calendar::Day;
use crate::error::{MEND_ROW, bad, excerpt};
use crate::history::History;
use crate::posts::Post;
use crate::prices::read_price_table;
use calamine::{Data, Range, Reader, Xlsx};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use zoo_core::{Error, Result};

/// Columns of a file, in any order.
const COLUMNS: [&str; 12] = ["name", "time", "text", "like", "reply", "retweet", "rate", "ratio", "fans", "followers", "stocks", "posts"];
/// Largest file; the authors' largest has a few megabytes.
const LARGEST: u64 = 64 << 20;
/// Most bytes that a file may unpack to.
const LARGEST_UNPACKED: u64 = 512 << 20;
/// Last second of a day: a post of day resolution may have been written then.
const LAST_SECOND: i64 = 86_399;
const SAVE_AGAIN: &str = "save it again as xlsx with one sheet of these columns";

/// What the lists of column `ratio` hold in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ratio {
    Numbers,
    Names,
}

/// Reads every xlsx file of a folder, by instrument; other files are left alone.
///
/// # Errors
/// [`Error::Io`] if the folder can't be read, else as [`read_workbook`].
pub fn read_folder(folder: &Path) -> Result<BTreeMap<String, Vec<Post>>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        // Excel leaves lock files beside open workbooks.
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let Some(stem) = name.strip_suffix(".xlsx").filter(|s| !s.starts_with("~$")) else { continue };
        all.insert(stem.to_owned(), read_workbook(&path)?);
    }
    if all.is_empty() {
        return Err(bad(folder, "its files", "one xlsx file an instrument", "none", "set `folder` to the authors' data folder"));
    }
    Ok(all)
}

/// Reads the first sheet of one file. The profile of a post holds `followers`, `fans`, `posts`, `like`, `stocks`, 0, 0,
/// and whether `retweet` is above 0; its moment is the last second of its day.
///
/// # Errors
/// [`Error::Data`] naming column and row: columns that are missing or not known, a cell of another kind, a `ratio` that is
/// a list of numbers in one row and of names in another, or bytes that are no xlsx file.
pub fn read_workbook(path: &Path) -> Result<Vec<Post>> {
    let bytes = load(path)?;
    // The parser is not ours: whatever it does on hostile bytes must not take the process down.
    let parsed = catch_unwind(AssertUnwindSafe(|| -> std::result::Result<Range<Data>, calamine::XlsxError> {
        let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes))?;
        match book.worksheet_range_at(0) {
            Some(range) => range,
            None => Ok(Range::empty()),
        }
    }));
    let sheet = match parsed {
        Ok(Ok(sheet)) => sheet,
        Ok(Err(error)) => return Err(bad(path, "its sheets", "an xlsx workbook", error.to_string(), SAVE_AGAIN)),
        Err(_) => return Err(bad(path, "its sheets", "an xlsx workbook", "parts that break the parser", SAVE_AGAIN)),
    };
    let places = columns(path, &sheet)?;
    let mut ratio = None;
    let mut posts = Vec::new();
    for (index, cells) in sheet.rows().enumerate().skip(1) {
        if cells.iter().all(|c| matches!(c, Data::Empty)) {
            continue;
        }
        let row = Row { path, number: index + 1, cells, places: &places };
        let kind = row.ratio()?;
        if let (Some((was, first)), Some(is)) = (ratio, kind)
            && was != is
        {
            let (expected, found) = (format!("{was:?} as in row {first}").to_lowercase(), format!("{is:?}").to_lowercase());
            return Err(bad(
                path,
                format!("row {}, column `ratio`", index + 1),
                expected,
                found,
                "take the file out of the folder, or mend the row",
            ));
        }
        ratio = ratio.or(kind.map(|kind| (kind, index + 1)));
        row.list("rate", true)?;
        posts.push(row.post()?);
    }
    Ok(posts)
}

/// The bytes of a file whose parts unpack to a bounded size.
fn load(path: &Path) -> Result<Vec<u8>> {
    let size = std::fs::metadata(path).map_err(Error::io(path))?.len();
    if size > LARGEST {
        return Err(bad(path, "its size", format!("at most {LARGEST} bytes"), size.to_string(), SAVE_AGAIN));
    }
    let mut bytes = Vec::new();
    BufReader::new(File::open(path).map_err(Error::io(path))?).take(LARGEST).read_to_end(&mut bytes).map_err(Error::io(path))?;
    let broken = |e: String| bad(path, "its zip archive", "an xlsx workbook", e, SAVE_AGAIN);
    let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).map_err(|e| broken(e.to_string()))?;
    let mut left = LARGEST_UNPACKED;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|e| broken(e.to_string()))?;
        let read = std::io::copy(&mut part.take(left + 1), &mut std::io::sink()).map_err(|e| broken(e.to_string()))?;
        left = left.checked_sub(read).ok_or_else(|| broken(format!("parts of more than {LARGEST_UNPACKED} bytes")))?;
    }
    Ok(bytes)
}

/// Position of every column.
fn columns(path: &Path, sheet: &Range<Data>) -> Result<BTreeMap<&'static str, usize>> {
    let header: Vec<String> = sheet.rows().next().into_iter().flatten().map(|c| c.to_string().trim().to_owned()).collect();
    let mut places = BTreeMap::new();
    let mut strange = Vec::new();
    for (at, name) in header.iter().enumerate() {
        match COLUMNS.iter().find(|c| *c == name) {
            Some(&column) if !places.contains_key(column) => {
                places.insert(column, at);
            }
            // pandas writes its index under an empty name.
            None if name.is_empty() || name.starts_with("Unnamed") => {}
            _ => strange.push(excerpt(name)),
        }
    }
    let missing: Vec<_> = COLUMNS.iter().filter(|c| !places.contains_key(**c)).map(|c| format!("`{c}`")).collect();
    if missing.is_empty() && strange.is_empty() {
        return Ok(places);
    }
    let or_none = |list: &[String]| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    let found = format!("missing {}; unknown or twice {}", or_none(&missing), or_none(&strange));
    Err(bad(path, "row 1", format!("the columns {}", COLUMNS.join(", ")), found, "rename the columns, or take the file out of the folder"))
}

struct Row<'a> {
    path: &'a Path,
    number: usize,
    cells: &'a [Data],
    places: &'a BTreeMap<&'static str, usize>,
}

impl Row<'_> {
    fn cell(&self, column: &str) -> &Data {
        self.places.get(column).and_then(|&at| self.cells.get(at)).unwrap_or(&Data::Empty)
    }

    fn bad(&self, column: &str, expected: &str) -> Error {
        let found = excerpt(&self.cell(column).to_string());
        bad(self.path, format!("row {}, column `{column}`", self.number), expected, found, MEND_ROW)
    }

    /// A number of at least 0; an empty cell is 0.
    fn number(&self, column: &str) -> Result<f64> {
        let value = match self.cell(column) {
            Data::Int(i) => Some(*i as f64),
            Data::Float(x) => Some(*x),
            Data::String(text) => text.trim().parse().ok(),
            Data::Empty => Some(0.0),
            _ => None,
        };
        value.filter(|v: &f64| v.is_finite() && *v >= 0.0).ok_or_else(|| self.bad(column, "a number of at least 0"))
    }

    /// A list as Python prints it; an empty cell is none. `numbers` asks for numbers or percentages.
    fn list(&self, column: &str, numbers: bool) -> Result<Vec<String>> {
        let text = match self.cell(column) {
            Data::Empty => return Ok(Vec::new()),
            cell => cell.to_string(),
        };
        let inner =
            text.trim().strip_prefix('[').and_then(|t| t.strip_suffix(']')).ok_or_else(|| self.bad(column, "a list in brackets"))?;
        let items: Vec<String> =
            inner.split(',').map(|i| i.trim().trim_matches(['\'', '"']).to_owned()).filter(|i| !i.is_empty()).collect();
        if numbers && !items.iter().all(|i| is_number(i)) {
            return Err(self.bad(column, "a list of numbers"));
        }
        Ok(items)
    }

    fn ratio(&self) -> Result<Option<Ratio>> {
        let items = self.list("ratio", false)?;
        let numbers = items.iter().filter(|i| is_number(i)).count();
        match (items.len(), numbers) {
            (0, _) => Ok(None),
            (all, numbers) if all == numbers => Ok(Some(Ratio::Numbers)),
            (_, 0) => Ok(Some(Ratio::Names)),
            _ => Err(self.bad("ratio", "a list of numbers or a list of names, not both")),
        }
    }

    fn day(&self) -> Result<Day> {
        let fail = || self.bad("time", "a day as YYYY-MM-DD");
        match self.cell("time") {
            Data::DateTime(time) => {
                let (year, month, day, ..) = time.to_ymd_hms_milli();
                Day::parse(&format!("{year:04}-{month:02}-{day:02}")).map_err(|_| fail())
            }
            Data::String(text) | Data::DateTimeIso(text) => Day::parse(text.trim().get(..10).unwrap_or_default()).map_err(|_| fail()),
            _ => Err(fail()),
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts and ids, checked to be at least 0")]
    fn post(&self) -> Result<Post> {
        let day = self.day()?;
        let text = match self.cell("text") {
            Data::String(text) => text.clone(),
            Data::Empty => String::new(),
            other => other.to_string(),
        };
        let id = self.number("name")?;
        if id.fract() != 0.0 || id > 2f64.powi(53) {
            return Err(self.bad("name", "the number of a user"));
        }
        let mut profile = [0.0; 8];
        for (place, column) in profile.iter_mut().zip(["followers", "fans", "posts", "like", "stocks"]) {
            *place = self.number(column)? as f32;
        }
        profile[7] = f32::from(u8::from(self.number("retweet")? > 0.0));
        self.number("reply")?;
        Ok(Post { day, at: i64::from(day.0) * (LAST_SECOND + 1) + LAST_SECOND, user: id as u64, text, profile })
    }
}

fn is_number(text: &str) -> bool {
    text.trim_end_matches('%').parse::<f64>().is_ok_and(f64::is_finite)
}

/// Joins posts with prices; instruments without posts or without prices are left out, but not all of them.
pub(crate) fn join(mut posts: BTreeMap<String, Vec<Post>>, prices: &Path) -> Result<Vec<(String, History)>> {
    let table = read_price_table(prices)?;
    let known = table.keys().take(5).cloned().collect::<Vec<_>>().join(", ");
    let joined: Vec<_> =
        table.into_iter().filter_map(|(stock, bars)| Some((stock.clone(), History::new(bars, posts.remove(&stock)?)))).collect();
    if joined.is_empty() {
        let expected = "prices of at least one instrument that has an xlsx file, under the file's name";
        return Err(bad(
            prices,
            "column `Stock`",
            expected,
            format!("prices of {known}"),
            "name stocks as the files are named, such as 00700",
        ));
    }
    Ok(joined)
}
