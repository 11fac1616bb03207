//! Just enough of FlatBuffers to read tables of scalars, strings and structs, every offset checked.
//!
//! Layout: a buffer starts with a u32 offset to its root table; a table starts with an i32 distance back to its vtable; a
//! vtable holds u16 sizes of itself and of the table, then a u16 offset for each field, 0 where the field is absent.

use crate::input::word;

/// A table inside a buffer.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    buffer: &'a [u8],
    at: usize,
    vtable: usize,
    fields: usize,
}

impl<'a> Table<'a> {
    /// The root table of a buffer with the given file identifier.
    pub(super) fn root(buffer: &'a [u8], identifier: &[u8; 4]) -> Option<Self> {
        if word::<4>(buffer, 4)? != *identifier {
            return None;
        }
        let at = u32::from_le_bytes(word(buffer, 0)?) as usize;
        let back = i32::from_le_bytes(word(buffer, at)?);
        let vtable = usize::try_from(i64::try_from(at).ok()? - i64::from(back)).ok()?;
        let size = usize::from(u16::from_le_bytes(word(buffer, vtable)?));
        Some(Self { buffer, at, vtable, fields: size.checked_sub(4)? / 2 })
    }

    /// Position of a field, or `None` if it is absent.
    fn field(&self, slot: usize) -> Option<usize> {
        if slot >= self.fields {
            return None;
        }
        let offset = usize::from(u16::from_le_bytes(word(self.buffer, self.vtable + 4 + 2 * slot)?));
        (offset != 0).then(|| self.at + offset)
    }

    /// A 32-bit field.
    pub(super) fn i32(&self, slot: usize) -> Option<i32> {
        Some(i32::from_le_bytes(word(self.buffer, self.field(slot)?)?))
    }

    /// A 64-bit field.
    pub(super) fn i64(&self, slot: usize) -> Option<i64> {
        Some(i64::from_le_bytes(word(self.buffer, self.field(slot)?)?))
    }

    /// The bytes of a vector whose elements take `size` bytes (1 for a string), and their position in the buffer.
    pub(super) fn vector(&self, slot: usize, size: usize) -> Option<(usize, &'a [u8])> {
        let at = self.field(slot)?;
        let start = at.checked_add(u32::from_le_bytes(word(self.buffer, at)?) as usize)?;
        let count = u32::from_le_bytes(word(self.buffer, start)?) as usize;
        let bytes = self.buffer.get(start + 4..(start + 4).checked_add(count.checked_mul(size)?)?)?;
        Some((start + 4, bytes))
    }
}

/// A buffer behind its u32 size, from the front of `bytes`.
pub(super) fn sized(bytes: &[u8]) -> Option<&[u8]> {
    let size = u32::from_le_bytes(word(bytes, 0)?) as usize;
    bytes.get(4..size.checked_add(4)?)
}
