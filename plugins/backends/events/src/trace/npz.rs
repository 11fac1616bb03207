//! Rasters as NumPy archives.

use crate::modes::Outcome;
use npyz::WriterBuilder;
use std::io::Write;
use std::path::Path;
use zoo_core::{Error, Result};

/// Writes every layer's events as arrays `LAYER/step` (u32), `LAYER/index` (u32, `[C, H, W]` order) and `LAYER/value`
/// (f32), and `logits` (f32). The file appears whole or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn write_npz(path: &Path, outcome: &Outcome) -> Result<()> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    write_into(&mut bytes, outcome).map_err(Error::io(path))?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(Error::io(path))?;
    file.write_all(bytes.get_ref()).map_err(Error::io(path))?;
    file.persist(path).map_err(|e| Error::io(path)(e.error))?;
    Ok(())
}

fn write_into(target: impl Write + std::io::Seek, outcome: &Outcome) -> std::io::Result<()> {
    let mut archive = zip::ZipWriter::new(target);
    for layer in &outcome.layers {
        array(&mut archive, &format!("{}/step", layer.name), &layer.raster.step)?;
        array(&mut archive, &format!("{}/index", layer.name), &layer.raster.index)?;
        array(&mut archive, &format!("{}/value", layer.name), &layer.raster.value)?;
    }
    array(&mut archive, "logits", &outcome.logits)?;
    archive.finish()?;
    Ok(())
}

fn array<W: Write + std::io::Seek, T: npyz::AutoSerialize + Copy>(
    archive: &mut zip::ZipWriter<W>,
    name: &str,
    values: &[T],
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(&[values.len() as u64]).writer(&mut bytes).begin_nd()?;
    writer.extend(values.iter().copied())?;
    writer.finish()?;
    archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::DEFAULT)?;
    archive.write_all(&bytes)
}
