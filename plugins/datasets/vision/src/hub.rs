//! Image data sets as the hub stores them: Parquet with `image: struct<bytes, path>` (or `img`) and `label: int64`.

use crate::pixels::{Form, decode};
use crate::source::bad;
use crate::window::{locate_one, window};
use parquet::basic::Type as Physical;
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs::File;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use zoo_core::{Config, DataFiles, Dataset, DatasetInfo, Error, Result, Tensor};

/// Greatest size of one row group's images, in bytes; one group is held at a time.
const MAX_GROUP: i64 = 256 << 20;
/// Records asked of the Parquet reader at a time.
const STEP: usize = 4096;
/// Greatest number of rows over all files.
const MAX_ROWS: usize = 10_000_000;

/// Whether the registry gave Parquet files of `split`.
pub(crate) fn is_hub(files: &DataFiles, split: &str) -> bool {
    !shards(files, split).is_empty()
}

/// Parquet files of a split in the order of their names: `.../train-00000-of-00001.parquet`.
fn shards<'a>(files: &'a DataFiles, split: &str) -> Vec<&'a Path> {
    let of_split = |name: &str| {
        let base = name.rsplit('/').next().unwrap_or(name);
        base.ends_with(".parquet") && base.strip_prefix(split).is_some_and(|rest| rest.starts_with(['-', '.']))
    };
    files.0.iter().filter(|(name, _)| of_split(name)).map(|(_, path)| path.as_path()).collect()
}

/// Where a run of items lies.
struct Group {
    shard: usize,
    group: usize,
    first: usize,
    rows: usize,
}

struct Shard {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    image: usize,
    label: usize,
}

/// Compressed images of the row group read last.
type Cache = Option<(usize, Arc<Vec<ByteArray>>)>;

/// One split; labels are held, images are read one row group at a time and decoded when asked for.
pub(crate) struct Hub {
    info: DatasetInfo,
    split: &'static str,
    form: Form,
    shards: Vec<Shard>,
    groups: Vec<Group>,
    labels: Vec<u8>,
    cache: Mutex<Cache>,
    window: Range<usize>,
}

impl Hub {
    pub(crate) fn open(info: DatasetInfo, split: &'static str, form: Form, files: &DataFiles, config: &Config) -> Result<Self> {
        let (mut shards_, mut groups, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for (index, path) in shards(files, split).into_iter().enumerate() {
            let shard = Shard::open(path)?;
            for group in 0..shard.reader.num_row_groups() {
                let rows = shard.rows(group)?;
                if labels.len() + rows > MAX_ROWS {
                    return Err(bad(path, format!("row group {group}"), format!("at most {MAX_ROWS} rows"), "more"));
                }
                groups.push(Group { shard: index, group, first: labels.len(), rows });
                shard.labels(group, rows, info.classes.len(), &mut labels)?;
            }
            shards_.push(shard);
        }
        let window = window(config, labels.len())?;
        Ok(Self { info, split, form, shards: shards_, groups, labels, cache: Mutex::new(None), window })
    }

    fn image(&self, item: usize) -> Result<Vec<u8>> {
        let index = self.groups.partition_point(|g| g.first + g.rows <= item);
        let group = &self.groups[index];
        let shard = &self.shards[group.shard];
        let images = {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            match &*cache {
                Some((cached, images)) if *cached == index => Arc::clone(images),
                _ => {
                    *cache = None;
                    let images = Arc::new(shard.images(group.group, group.rows)?);
                    *cache = Some((index, Arc::clone(&images)));
                    images
                }
            }
        };
        let row = item - group.first;
        decode(&shard.path, &format!("row group {}, row {row}, column `bytes`", group.group), images[row].data(), self.form)
    }
}

impl Shard {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        let reader = guarded(path, "its footer", || SerializedFileReader::new(file))?;
        let schema = reader.metadata().file_metadata().schema_descr();
        let column = |names: &[&str], kind: Physical| {
            let found = (0..schema.num_columns()).find(|&i| names.contains(&schema.column(i).path().string().as_str()));
            let Some(index) = found else {
                let there: Vec<_> = schema.columns().iter().map(|c| c.path().string()).collect();
                return Err(bad(path, "its schema", format!("a column {}", names.join(" or ")), format!("columns {}", there.join(", "))));
            };
            let descr = schema.column(index);
            if descr.physical_type() != kind || descr.max_rep_level() != 0 {
                let found = format!("{} repeated {} times", descr.physical_type(), descr.max_rep_level());
                return Err(bad(path, format!("column `{}`", descr.path().string()), format!("{kind}, not repeated"), found));
            }
            Ok(index)
        };
        let image = column(&["image.bytes", "img.bytes"], Physical::BYTE_ARRAY)?;
        let label = column(&["label"], Physical::INT64)?;
        Ok(Self { path: path.into(), image, label, reader })
    }

    fn rows(&self, group: usize) -> Result<usize> {
        let rows = self.reader.metadata().row_group(group).num_rows();
        usize::try_from(rows).map_err(|_| bad(&self.path, format!("row group {group}"), "a number of rows", rows.to_string()))
    }

    fn labels(&self, group: usize, rows: usize, classes: usize, labels: &mut Vec<u8>) -> Result<()> {
        let values = self.column::<Int64Type>(group, self.label, rows)?;
        for (row, value) in values.into_iter().enumerate() {
            match u8::try_from(value).ok().filter(|&v| usize::from(v) < classes) {
                Some(label) => labels.push(label),
                None => {
                    let at = format!("row group {group}, row {row}, column `label`");
                    return Err(bad(&self.path, at, format!("0 to {}", classes - 1), value.to_string()));
                }
            }
        }
        Ok(())
    }

    fn images(&self, group: usize, rows: usize) -> Result<Vec<ByteArray>> {
        self.column::<ByteArrayType>(group, self.image, rows)
    }

    /// All values of a column in a row group; a null is an error.
    fn column<T: parquet::data_type::DataType>(&self, group: usize, column: usize, rows: usize) -> Result<Vec<T::T>> {
        let at = format!("row group {group}, column {column}");
        let size = self.reader.metadata().row_group(group).column(column).uncompressed_size();
        if size > MAX_GROUP {
            return Err(bad(&self.path, at, format!("a column chunk of at most {MAX_GROUP} bytes"), format!("{size} bytes")));
        }
        let values = guarded(&self.path, &at, || {
            let reader = self.reader.get_row_group(group)?.get_column_reader(column)?;
            let mut reader = get_typed_column_reader::<T>(reader);
            let (mut values, mut levels) = (Vec::new(), Vec::new());
            // Small steps, so that memory follows what is there and not what is declared; and one row more than declared,
            // to notice rows beyond.
            let mut records = 0;
            while records <= rows {
                levels.clear();
                let (read, _, _) = reader.read_records((rows + 1 - records).min(STEP), Some(&mut levels), None, &mut values)?;
                if read == 0 {
                    break;
                }
                records += read;
            }
            Ok(values)
        })?;
        if values.len() != rows {
            return Err(bad(&self.path, at, format!("{rows} values, none of them null"), values.len().to_string()));
        }
        Ok(values)
    }
}

/// Runs the Parquet reader on bytes that nobody vouches for: its errors and panics become [`Error::Data`].
fn guarded<T>(path: &Path, at: &str, run: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => Err(bad(path, at, "a Parquet file", e.to_string())),
        Err(_) => Err(bad(path, at, "a Parquet file", "bytes that the Parquet reader gave up on")),
    }
}

impl Dataset for Hub {
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
        let Form { channels, side } = self.form;
        Ok(vec![Tensor::from_vec([channels, side, side], self.image(item)?)?, Tensor::scalar(self.labels[item])])
    }
}
