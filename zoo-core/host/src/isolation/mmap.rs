//! Arenas: sealed memory that one side writes tensors to and the other copies them from.
//!
//! Each side makes the arena that it writes to and sends its descriptor along. The receiver takes none that could still
//! shrink, so that reading it can't fault, and copies out of it without ever holding a reference into memory that the
//! other side may be writing to.

use super::protocol::{Breach, Slot};
use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use zoo_core::{DType, Element, Tensor};

/// Size of the first arena, in bytes.
const FIRST: usize = 1 << 20;
/// Largest arena that is taken, in bytes.
const LARGEST: usize = 1 << 40;

/// The arena that this side writes to.
pub(super) struct Outgoing(MmapRaw);

impl Outgoing {
    /// An arena of at least `bytes` bytes, and its descriptor for the other side.
    pub(super) fn new(bytes: usize) -> io::Result<(Self, OwnedFd)> {
        let size = bytes.max(FIRST).checked_next_power_of_two().filter(|size| *size <= LARGEST);
        let size = size.ok_or_else(|| io::Error::other(format!("tensors of {bytes} bytes in one call are too large")))?;
        let file = memfd_create("zoo-isolation", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&file, size as u64)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok((Self(MmapOptions::new().len(size).map_raw(&file)?), file))
    }

    /// Its size in bytes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Copies bytes to a place within it. What does not fit is left out, which no caller lets happen.
    pub(super) fn write(&mut self, start: usize, bytes: &[u8]) {
        if start.checked_add(bytes.len()).is_some_and(|end| end <= self.0.len()) {
            // SAFETY: the range lies within the map, as was just checked, and `bytes` outside of it: nobody here holds a
            // reference into the map.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.as_mut_ptr().add(start), bytes.len()) };
        }
    }
}

/// The arena that the other side writes to.
pub(super) struct Incoming(MmapRaw);

impl Incoming {
    /// Maps an arena that came.
    pub(super) fn new(file: &OwnedFd) -> Result<Self, Breach> {
        let wrong = |found: &dyn std::fmt::Display| Breach::new("arena", "sealed memory that can't shrink", found);
        let seals = fcntl_get_seals(file).map_err(|e| wrong(&e))?;
        if !seals.contains(SealFlags::SHRINK) {
            return Err(wrong(&format!("seals {seals:?}")));
        }
        let size = usize::try_from(fstat(file).map_err(|e| wrong(&e))?.st_size).ok().filter(|size| (1..=LARGEST).contains(size));
        let size = size.ok_or_else(|| Breach::new("size of an arena", format!("1 to {LARGEST}"), "another"))?;
        Ok(Self(MmapOptions::new().len(size).map_raw_read_only(file).map_err(|e| wrong(&e))?))
    }

    /// Its size in bytes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A tensor of this process's own, copied from a place within the arena.
    pub(super) fn read(&self, slot: Slot) -> Result<Tensor, Breach> {
        match slot.dtype {
            DType::Bool | DType::U8 => self.copy::<u8>(slot),
            DType::I8 => self.copy::<i8>(slot),
            DType::I16 => self.copy::<i16>(slot),
            DType::U16 | DType::F16 | DType::BF16 => self.copy_half(slot),
            DType::I32 => self.copy::<i32>(slot),
            DType::U32 => self.copy::<u32>(slot),
            DType::F32 => self.copy::<f32>(slot),
            DType::I64 => self.copy::<i64>(slot),
            DType::U64 => self.copy::<u64>(slot),
            DType::F64 => self.copy::<f64>(slot),
            other => Err(Breach::new("type of a tensor", "one of this version", other)),
        }
    }

    fn copy_half(&self, slot: Slot) -> Result<Tensor, Breach> {
        match slot.dtype {
            DType::F16 => self.copy::<half::f16>(slot),
            DType::BF16 => self.copy::<half::bf16>(slot),
            _ => self.copy::<u16>(slot),
        }
    }

    fn copy<T: Element>(&self, slot: Slot) -> Result<Tensor, Breach> {
        let Slot { dtype, shape, range } = slot;
        let place = |found: &dyn std::fmt::Display| Breach::new("place of a tensor", format!("within {} bytes", self.0.len()), found);
        if range.start > range.end || range.end > self.0.len() || !range.len().is_multiple_of(size_of::<T>()) {
            return Err(place(&format!("{range:?}")));
        }
        let count = range.len() / size_of::<T>();
        let mut elements: Vec<T> = Vec::new();
        elements.try_reserve_exact(count).map_err(|e| place(&e))?;
        // SAFETY: the source lies within the map, as was just checked, and is only read as raw bytes, so that a writer on the
        // other side can at worst mix them up; the target holds `count` elements, for which any bits are valid.
        unsafe {
            std::ptr::copy_nonoverlapping(self.0.as_ptr().add(range.start), elements.as_mut_ptr().cast::<u8>(), range.len());
            elements.set_len(count);
        }
        Tensor::from_owner(dtype, shape, Arc::new(elements), 0..range.len()).map_err(|e| place(&e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_an_arena_that_may_shrink_is_refused() {
        let (mut out, file) = Outgoing::new(100).unwrap();
        assert_eq!(out.len(), FIRST);
        out.write(64, &1.5f32.to_le_bytes());
        out.write(FIRST, &[1]);
        let incoming = Incoming::new(&file).unwrap();
        let tensor = incoming.read(Slot { dtype: DType::F32, shape: vec![1], range: 64..68 }).unwrap();
        assert_eq!(tensor.as_slice::<f32>().unwrap(), [1.5]);
        assert!(incoming.read(Slot { dtype: DType::F32, shape: vec![1], range: FIRST - 2..FIRST + 2 }).is_err());
        assert!(ftruncate(&file, 1).is_err());
        let loose = memfd_create("loose", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&loose, 4096).unwrap();
        assert!(Incoming::new(&loose).is_err());
        let plain: OwnedFd = std::fs::File::open("/proc/self/status").unwrap().into();
        assert!(Incoming::new(&plain).is_err());
    }

    #[test]
    fn every_type_crosses_bit_for_bit() {
        for dtype in DType::ALL {
            let bytes: Vec<u8> = (0..16).map(|i| if dtype == DType::Bool { i % 2 } else { i * 16 + 15 }).collect();
            let tensor = Tensor::from_bytes(dtype, [16 / dtype.size()], &bytes).unwrap();
            let (mut out, file) = Outgoing::new(16).unwrap();
            out.write(0, tensor.as_bytes());
            let slot = Slot { dtype, shape: tensor.shape().to_vec(), range: 0..16 };
            assert_eq!(Incoming::new(&file).unwrap().read(slot).unwrap(), tensor);
        }
    }
}
