//! Tensors across the plugin boundary, without a copy: `DLManagedTensorVersioned` of DLPack 1.x.
//!
//! [`export`] hands a [`Tensor`] out and keeps its memory alive until the consumer calls the deleter; [`import`] takes
//! one in and calls the deleter when the last clone is dropped. Neither touches the elements.
//!
//! A consumer that calls a deleter twice would free memory twice. Descriptors that were given back are therefore kept
//! for a while in a quarantine, where a second call is recognised, counted and ignored; see [`double_deletes`].

mod raw;

pub use raw::*;

use crate::error::{Error, Result};
use crate::tensor::{Bytes, DType, Tensor};
use std::any::Any;
use std::cell::Cell;
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Most axes a tensor may have at the boundary.
pub const MAX_AXES: usize = 32;
/// Given-back descriptors that are remembered, so that a second deletion is recognised.
const QUARANTINE: usize = 1024;
const LIVE: u32 = 0x4c49_5645;
const DEAD: u32 = 0x4445_4144;

static EXPORTED: AtomicI64 = AtomicI64::new(0);
static GIVEN_BACK: Mutex<VecDeque<Quarantined>> = Mutex::new(VecDeque::new());
thread_local! {
    static DOUBLE: Cell<u32> = const { Cell::new(0) };
}

/// Tensors this copy of the crate handed out that were not given back yet.
pub fn exported() -> i64 {
    EXPORTED.load(Ordering::Acquire)
}

/// Deleters that this thread saw called a second time since it last asked.
pub fn double_deletes() -> u32 {
    DOUBLE.with(|count| count.replace(0))
}

/// The descriptor handed out. `managed` comes first, so that its address is the descriptor's.
#[repr(C)]
struct Descriptor {
    managed: DLManagedTensorVersioned,
    state: AtomicU32,
    tensor: Option<Tensor>,
    /// Shape, then strides.
    axes: Vec<i64>,
}

struct Quarantined(NonNull<Descriptor>);

// SAFETY: a quarantined descriptor owns plain memory that no other thread writes to any more.
unsafe impl Send for Quarantined {}

impl Drop for Quarantined {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `Box::into_raw` in `export` and is freed only here.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// A tensor on its way out. Dropped before it is released, it gives itself back.
#[derive(Debug)]
pub struct Exported(NonNull<DLManagedTensorVersioned>);

impl Exported {
    /// The descriptor; whoever receives it must call its deleter once.
    pub fn release(self) -> *mut DLManagedTensorVersioned {
        let pointer = self.0.as_ptr();
        std::mem::forget(self);
        pointer
    }

    /// The descriptor, still owned by `self`.
    pub fn as_ptr(&self) -> *mut DLManagedTensorVersioned {
        self.0.as_ptr()
    }
}

impl Drop for Exported {
    fn drop(&mut self) {
        // SAFETY: the descriptor was made by `export` and nobody else owns it.
        unsafe { give_back(self.0.as_ptr()) };
    }
}

/// Hands a tensor out. The memory is marked read-only if it is shared or cannot be written to.
///
/// # Errors
/// [`Error::Argument`] for more than [`MAX_AXES`] axes.
pub fn export(mut tensor: Tensor) -> Result<Exported> {
    let ndim = tensor.shape().len();
    if ndim > MAX_AXES {
        return Err(Error::argument("axes of a tensor", format!("at most {MAX_AXES}"), ndim));
    }
    // Lengths fit: a tensor has at most isize::MAX bytes, and an empty one has no element to stride over.
    let mut axes: Vec<i64> = tensor.shape().iter().map(|&n| i64::try_from(n).unwrap_or(i64::MAX)).collect();
    let mut stride = 1i64;
    let mut strides = vec![0i64; ndim];
    for (slot, &length) in strides.iter_mut().zip(&axes).rev() {
        *slot = stride;
        stride = stride.saturating_mul(length.max(1));
    }
    axes.append(&mut strides);
    let (data, flags) = match tensor.exclusive_bytes() {
        Some(bytes) => (bytes.as_mut_ptr(), 0),
        None => (tensor.as_bytes().as_ptr().cast_mut(), DLPACK_READ_ONLY),
    };
    let (code, bits) = code_of(tensor.dtype());
    let axes_pointer = axes.as_mut_ptr();
    let dl_tensor = DLTensor {
        data: data.cast(),
        device: DLDevice { device_type: DLPACK_CPU, device_id: 0 },
        ndim: i32::try_from(ndim).unwrap_or(0),
        dtype: DLDataType { code, bits, lanes: 1 },
        shape: axes_pointer,
        strides: axes_pointer.wrapping_add(ndim),
        byte_offset: 0,
    };
    let managed = DLManagedTensorVersioned {
        version: DLPackVersion { major: DLPACK_MAJOR, minor: DLPACK_MINOR },
        manager_ctx: std::ptr::null_mut(),
        deleter: Some(give_back),
        flags,
        dl_tensor,
    };
    let descriptor = Box::new(Descriptor { managed, state: AtomicU32::new(LIVE), tensor: Some(tensor), axes });
    EXPORTED.fetch_add(1, Ordering::AcqRel);
    let pointer = NonNull::from(Box::leak(descriptor));
    Ok(Exported(pointer.cast()))
}

/// The deleter of tensors this crate hands out.
///
/// # Safety
/// `managed` was made by [`export`] and, if it was given back already, at most [`QUARANTINE`] others were since.
unsafe extern "C" fn give_back(managed: *mut DLManagedTensorVersioned) {
    let Some(pointer) = NonNull::new(managed.cast::<Descriptor>()) else { return };
    // SAFETY: `state` is atomic and the descriptor is alive or in quarantine, by the contract above.
    let state = unsafe { &*std::ptr::addr_of!((*pointer.as_ptr()).state) };
    if state.compare_exchange(LIVE, DEAD, Ordering::AcqRel, Ordering::Acquire).is_err() {
        DOUBLE.with(|count| count.set(count.get().saturating_add(1)));
        return;
    }
    EXPORTED.fetch_sub(1, Ordering::AcqRel);
    // SAFETY: only the caller that won the exchange gets here, so the descriptor is ours to change.
    let tensor = unsafe { (*pointer.as_ptr()).tensor.take() };
    drop(tensor);
    let oldest = {
        let mut given_back = GIVEN_BACK.lock().unwrap_or_else(PoisonError::into_inner);
        given_back.push_back(Quarantined(pointer));
        if given_back.len() > QUARANTINE { given_back.pop_front() } else { None }
    };
    drop(oldest);
}

/// Memory that came in with a descriptor.
struct Foreign {
    managed: NonNull<DLManagedTensorVersioned>,
    data: NonNull<u8>,
    len: usize,
    writable: bool,
}

// SAFETY: by the contract of `import` the memory may be read, and the deleter called, from any thread.
unsafe impl Send for Foreign {}
// SAFETY: shared access only reads.
unsafe impl Sync for Foreign {}

impl Bytes for Foreign {
    fn bytes(&self) -> &[u8] {
        // SAFETY: `import` checked the size against the shape; the producer keeps the memory until the deleter runs.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }

    fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        // SAFETY: as above; the producer declared the memory writable and gave up its own access.
        self.writable.then(|| unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.len) })
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // SAFETY: `import` took ownership of the descriptor, and this is the only place that gives it back.
        unsafe { delete(self.managed) };
    }
}

/// Calls a descriptor's deleter.
///
/// # Safety
/// The descriptor is owned by the caller and not used afterwards.
unsafe fn delete(managed: NonNull<DLManagedTensorVersioned>) {
    // SAFETY: the caller owns the descriptor.
    unsafe {
        if let Some(deleter) = (*managed.as_ptr()).deleter {
            deleter(managed.as_ptr());
        }
    }
}

/// Takes a tensor in, whole, without a copy. On failure it is given back at once.
///
/// # Safety
/// `managed` is NULL or a descriptor whose ownership passes to this call; its pointers are valid for what it declares,
/// and its deleter may be called from any thread.
///
/// # Errors
/// [`Error::Argument`], [`Error::DType`] or [`Error::Shape`], naming `what`, if it is not a row-major tensor in ordinary
/// memory of an element type the zoo knows.
pub unsafe fn import(managed: *mut DLManagedTensorVersioned, what: &str) -> Result<Tensor> {
    let Some(managed) = NonNull::new(managed) else {
        return Err(Error::argument(what, "a DLPack tensor", "NULL"));
    };
    // SAFETY: non-null and valid by contract. The version comes first and never moves, so it is read before the rest.
    let version = unsafe { (*managed.as_ptr()).version };
    if version.major != DLPACK_MAJOR {
        // SAFETY: DLPack keeps the place of the deleter across major versions for exactly this case.
        unsafe { delete(managed) };
        return Err(Error::argument(what, format!("DLPack {DLPACK_MAJOR}.x"), format!("DLPack {}.{}", version.major, version.minor)));
    }
    // SAFETY: valid by contract, of the layout the version promises.
    let described = unsafe { describe(managed.as_ref(), what) };
    match described {
        Ok((dtype, shape, data, len)) => {
            // SAFETY: as above.
            let writable = unsafe { (*managed.as_ptr()).flags } & DLPACK_READ_ONLY == 0;
            // The owner takes charge first: whatever fails from here on, the deleter runs.
            let owner = Arc::new(Foreign { managed, data, len, writable });
            Tensor::from_owner(dtype, shape, owner, 0..len)
        }
        Err(error) => {
            // SAFETY: owned, and not used afterwards.
            unsafe { delete(managed) };
            Err(error)
        }
    }
}

/// Where tensors without elements stand: no memory, but aligned for every element type.
const EMPTY: NonNull<u8> = NonNull::<u64>::dangling().cast();

type Described = (DType, Vec<usize>, NonNull<u8>, usize);

/// # Safety
/// `shape` and `strides` hold `ndim` numbers each, or are NULL.
unsafe fn describe(managed: &DLManagedTensorVersioned, what: &str) -> Result<Described> {
    let tensor = &managed.dl_tensor;
    if tensor.device.device_type != DLPACK_CPU {
        return Err(Error::argument(what, "ordinary memory (device type 1)", format!("device type {}", tensor.device.device_type)));
    }
    let found = tensor.dtype;
    let dtype =
        DType::ALL.into_iter().find(|d| code_of(*d) == (found.code, found.bits) && found.lanes == 1).ok_or_else(|| Error::DType {
            what: what.into(),
            expected: "bool, an integer or a float of 8 to 64 bits, one lane".into(),
            found: format!("DLPack code {}, {} bits, {} lanes", found.code, found.bits, found.lanes),
        })?;
    let axes = usize::try_from(tensor.ndim).ok().filter(|&n| n <= MAX_AXES && (n == 0 || !tensor.shape.is_null()));
    let axes = axes.ok_or_else(|| Error::argument(what, format!("0 to {MAX_AXES} axes with a shape"), format!("{} axes", tensor.ndim)))?;
    // SAFETY: non-null if there is an axis; of `ndim` numbers by contract.
    let lengths = if axes == 0 { &[] } else { unsafe { std::slice::from_raw_parts(tensor.shape, axes) } };
    let shape = lengths.iter().map(|&n| usize::try_from(n).ok()).collect::<Option<Vec<_>>>();
    let shape = shape.ok_or_else(|| misshapen(what, "of lengths of 0 or more", lengths))?;
    let len = shape.iter().try_fold(dtype.size(), |n, &d| n.checked_mul(d)).filter(|&n| n <= isize::MAX as usize);
    let len = len.ok_or_else(|| misshapen(what, "of a size that fits memory", &shape))?;
    if axes > 0 && !tensor.strides.is_null() && len > 0 {
        // SAFETY: as for the shape.
        let strides = unsafe { std::slice::from_raw_parts(tensor.strides, axes) };
        if !row_major(lengths, strides) {
            return Err(Error::argument(what, "row-major elements (copy before handing over)", format!("strides {strides:?}")));
        }
    }
    let data = if len == 0 {
        EMPTY
    } else {
        let offset = usize::try_from(tensor.byte_offset).unwrap_or(usize::MAX);
        NonNull::new(tensor.data.cast::<u8>())
            .filter(|start| (start.as_ptr() as usize).checked_add(offset).and_then(|end| end.checked_add(len)).is_some())
            // SAFETY: the producer's allocation holds `byte_offset` bytes before the elements, by contract.
            .map(|start| unsafe { start.add(offset) })
            .ok_or_else(|| Error::argument(what, "a data pointer", format!("{:p} and offset {}", tensor.data, tensor.byte_offset)))?
    };
    Ok((dtype, shape, data, len))
}

fn misshapen(what: &str, expected: &str, found: impl std::fmt::Debug) -> Error {
    Error::Shape { what: what.into(), expected: expected.into(), found: format!("{found:?}") }
}

/// Axes of length 1 may have any stride.
fn row_major(shape: &[i64], strides: &[i64]) -> bool {
    let mut expected = 1i64;
    shape.iter().zip(strides).rev().all(|(&length, &stride)| {
        let fits = length == 1 || stride == expected;
        expected = expected.saturating_mul(length);
        fits
    })
}

/// DLPack's type code and bits of an element type.
fn code_of(dtype: DType) -> (u8, u8) {
    match dtype {
        DType::Bool => (DLPACK_BOOL, 8),
        DType::I8 => (DLPACK_INT, 8),
        DType::I16 => (DLPACK_INT, 16),
        DType::I32 => (DLPACK_INT, 32),
        DType::I64 => (DLPACK_INT, 64),
        DType::U8 => (DLPACK_UINT, 8),
        DType::U16 => (DLPACK_UINT, 16),
        DType::U32 => (DLPACK_UINT, 32),
        DType::U64 => (DLPACK_UINT, 64),
        DType::F16 => (DLPACK_FLOAT, 16),
        DType::BF16 => (DLPACK_BFLOAT, 16),
        DType::F32 => (DLPACK_FLOAT, 32),
        DType::F64 => (DLPACK_FLOAT, 64),
    }
}

#[cfg(test)]
mod tests;
