//! NumPy archives of events: one-dimensional integer (or boolean) arrays `x`, `y`, `t` in microseconds and `p`, or one array
//! `events` of shape `[n, 4]` with the columns in that order.

use super::sensor;
use crate::events::{Event, Events, MAX_EVENTS};
use crate::input::bad;
use npyz::{NpyFile, Order, TypeChar};
use std::io::{Cursor, Read};
use std::path::Path;
use zip::ZipArchive;
use zoo_core::Result;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Events> {
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|e| bad(path, "its central directory", "a NumPy archive", e.to_string()))?;
    let columns = if archive.index_for_name("events.npy").is_some() {
        let (shape, values) = array(path, &mut archive, "events")?;
        if shape.len() != 2 || shape[1] != 4 {
            return Err(bad(path, "array `events`", "shape [n, 4]", format!("{shape:?}")));
        }
        [0, 1, 2, 3].map(|column| values.iter().skip(column).step_by(4).copied().collect())
    } else {
        let mut columns: [Vec<i64>; 4] = Default::default();
        for (column, name) in columns.iter_mut().zip(["x", "y", "t", "p"]) {
            let (shape, values) = array(path, &mut archive, name)?;
            if shape.len() != 1 {
                return Err(bad(path, format!("array `{name}`"), "one axis", format!("shape {shape:?}")));
            }
            *column = values;
        }
        columns
    };
    let [xs, ys, ts, ps] = columns;
    if [&ys, &ts, &ps].iter().any(|c| c.len() != xs.len()) {
        let found = format!("{} x, {} y, {} t, {} p", xs.len(), ys.len(), ts.len(), ps.len());
        return Err(bad(path, "arrays `x`, `y`, `t`, `p`", "equal lengths", found));
    }
    let mut list = Vec::with_capacity(xs.len());
    for (i, (((x, y), &t), p)) in xs.iter().zip(&ys).zip(&ts).zip(&ps).enumerate() {
        match (u16::try_from(*x), u16::try_from(*y)) {
            (Ok(x), Ok(y)) if x < u16::MAX && y < u16::MAX => list.push(Event { t, x, y, p: *p > 0 }),
            _ => return Err(bad(path, format!("event {i}"), "addresses from 0 to 65534", format!("({x}, {y})"))),
        }
    }
    let (width, height) = sensor(None, &list);
    Events::new(width, height, list)
}

/// Shape and elements, in row-major order, of an array of the archive.
fn array(path: &Path, archive: &mut Archive<'_>, name: &str) -> Result<(Vec<u64>, Vec<i64>)> {
    let place = format!("array `{name}`");
    let fail = |found: String| bad(path, place.clone(), "an array of integers", found);
    let entry = archive.by_name(&format!("{name}.npy")).map_err(|e| fail(e.to_string()))?;
    let file = NpyFile::new(entry).map_err(|e| fail(e.to_string()))?;
    let shape = file.shape().to_vec();
    let count = shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d)).filter(|&n| n <= 4 * MAX_EVENTS as u64);
    if count.is_none() {
        return Err(bad(path, place, format!("at most {MAX_EVENTS} events"), format!("shape {shape:?}")));
    }
    if file.order() != Order::C && shape.len() > 1 {
        return Err(fail("Fortran order".into()));
    }
    let npyz::DType::Plain(kind) = file.dtype() else { return Err(fail("a structured type".into())) };
    let values = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Bool, _) => collect::<bool, _>(file, i64::from),
        (TypeChar::Int, 1) => collect::<i8, _>(file, i64::from),
        (TypeChar::Int, 2) => collect::<i16, _>(file, i64::from),
        (TypeChar::Int, 4) => collect::<i32, _>(file, i64::from),
        (TypeChar::Int, 8) => collect::<i64, _>(file, |v| v),
        (TypeChar::Uint, 1) => collect::<u8, _>(file, i64::from),
        (TypeChar::Uint, 2) => collect::<u16, _>(file, i64::from),
        (TypeChar::Uint, 4) => collect::<u32, _>(file, i64::from),
        (TypeChar::Uint, 8) => collect::<u64, _>(file, |v| i64::try_from(v).unwrap_or(i64::MAX)),
        _ => return Err(fail(kind.to_string())),
    };
    let values = values.map_err(|e| fail(e.to_string()))?;
    Ok((shape, values))
}

/// The elements one by one, so that memory follows what is there and not what the header declares.
fn collect<T: npyz::Deserialize, R: Read>(file: NpyFile<R>, convert: impl Fn(T) -> i64) -> std::io::Result<Vec<i64>> {
    let reader = file.data::<T>().map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidData, e.to_string()))?;
    let mut values = Vec::new();
    for value in reader {
        values.push(convert(value?));
    }
    Ok(values)
}
