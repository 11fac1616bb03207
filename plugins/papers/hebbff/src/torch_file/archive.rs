//! The two layouts of `torch.save`: an archive of files, and before PyTorch 1.6 one pickle after another.

use super::pickle::{Item, Pickle};
use super::{Fault, Storages};
use std::io::{Cursor, Read};

/// The first object of the older layout: 0x1950a86a20f9469cfc6c, from the least byte.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// Version of the older layout.
const VERSION: i64 = 1001;
/// Most files of an archive.
const MAX_FILES: usize = 1 << 16;

/// The pickle that describes the file, and the storages it looks into.
pub(super) fn open(bytes: &[u8]) -> Result<(Pickle, Storages), Fault> {
    if bytes.starts_with(b"PK\x03\x04") { archive(bytes) } else { sequence(bytes) }
}

fn archive(bytes: &[u8]) -> Result<(Pickle, Storages), Fault> {
    let fault = |why: String| Fault::new("the archive", why);
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| fault(e.to_string()))?;
    if zip.len() > MAX_FILES {
        return Err(fault(format!("expected at most {MAX_FILES} files, found {}", zip.len())));
    }
    let (mut description, mut storages) = (None, Storages::new());
    for index in 0..zip.len() {
        let file = zip.by_index(index).map_err(|e| fault(e.to_string()))?;
        let path = file.name().map_err(|e| fault(e.to_string()))?.into_owned();
        let Some((_, name)) = path.split_once('/') else { continue };
        // torch.save does not compress, so that no file is larger inside than the archive is outside.
        if file.size() > bytes.len() as u64 {
            return Err(fault(format!("expected `{name}` to have at most {} bytes, found {}", bytes.len(), file.size())));
        }
        let mut content = Vec::new();
        file.take(bytes.len() as u64).read_to_end(&mut content).map_err(|e| fault(format!("`{name}`: {e}")))?;
        match name {
            "data.pkl" => description = Some(content),
            "byteorder" if content != b"little" => return Err(fault("expected numbers from the least byte, found the other order".into())),
            _ => {
                if let Some(key) = name.strip_prefix("data/") {
                    storages.insert(key.to_string(), content);
                }
            }
        }
    }
    let description = description.ok_or_else(|| fault("expected a file data.pkl, found none".into()))?;
    Ok((Pickle::read(&description, 0)?, storages))
}

fn sequence(bytes: &[u8]) -> Result<(Pickle, Storages), Fault> {
    let mut at = 0;
    let mut next = || {
        let pickle = Pickle::read(&bytes[at..], at)?;
        at += pickle.length;
        Ok(pickle)
    };
    let magic: Pickle = next()?;
    if *magic.root() != Item::Long(MAGIC.to_vec()) {
        return Err(Fault::new("byte 0", "expected the number that torch.save begins with, found another pickle"));
    }
    let version = next()?;
    if *version.root() != Item::Int(VERSION) {
        return Err(Fault::new("the second object", format!("expected version {VERSION}, found {:?}", version.root())));
    }
    let machine = next()?;
    if let Item::Dict(facts) = machine.root() {
        let little = |(key, value): &(usize, usize)| {
            *machine.item(*key) != Item::Text("little_endian".into()) || *machine.item(*value) == Item::Bool(true)
        };
        if !facts.iter().all(little) {
            return Err(Fault::new("the third object", "expected numbers from the least byte, found the other order"));
        }
    }
    let description = next()?;
    let keys = next()?;
    let Item::List(keys_of) = keys.root() else {
        return Err(Fault::new("the fifth object", "expected the list of storages, found something else"));
    };
    let sizes = description.storages();
    let mut storages = Storages::new();
    for key in keys_of {
        let Item::Text(key) = keys.item(*key) else {
            return Err(Fault::new("the list of storages", "expected texts, found something else"));
        };
        let Some(storage) = sizes.get(key.as_str()) else {
            return Err(Fault::new("the list of storages", format!("expected storages of tensors, found `{key}`")));
        };
        let fault = |why: String| Fault::new(format!("byte {at}, storage `{key}`"), why);
        let head =
            bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()).ok_or_else(|| fault("expected its length, found the end".into()))?;
        let count = u64::from_le_bytes(*head);
        if count != storage.count as u64 {
            return Err(fault(format!("expected {} values, found {count}", storage.count)));
        }
        let end = storage.count.checked_mul(storage.dtype.size()).and_then(|size| size.checked_add(at + 8));
        let content = end.and_then(|end| bytes.get(at + 8..end)).ok_or_else(|| fault(format!("expected {count} values, found the end")))?;
        storages.insert(key.clone(), content.to_vec());
        at += 8 + content.len();
    }
    Ok((description, storages))
}
