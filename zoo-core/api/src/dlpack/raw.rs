//! The structures of DLPack 1.x as C lays them out (<https://dmlc.github.io/dlpack/latest/c_api.html>).

use std::ffi::c_void;

/// Major version of the tensor structure; a consumer refuses another one.
pub const DLPACK_MAJOR: u32 = 1;
/// Minor version of the tensor structure.
pub const DLPACK_MINOR: u32 = 0;
/// Device type of ordinary memory, the only one that crosses this ABI.
pub const DLPACK_CPU: i32 = 1;
/// Type code of signed integers.
pub const DLPACK_INT: u8 = 0;
/// Type code of unsigned integers.
pub const DLPACK_UINT: u8 = 1;
/// Type code of IEEE floats.
pub const DLPACK_FLOAT: u8 = 2;
/// Type code of brain floats.
pub const DLPACK_BFLOAT: u8 = 4;
/// Type code of booleans, one byte each.
pub const DLPACK_BOOL: u8 = 6;
/// Flag: the consumer must not write to the memory.
pub const DLPACK_READ_ONLY: u64 = 1;

/// Version of the tensor structure.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DLPackVersion {
    /// Breaking changes.
    pub major: u32,
    /// Additions.
    pub minor: u32,
}

/// Where the memory is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DLDevice {
    /// Kind of device; 1 is ordinary memory.
    pub device_type: i32,
    /// Index of the device, 0 for ordinary memory.
    pub device_id: i32,
}

/// Type of an element.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DLDataType {
    /// Type code.
    pub code: u8,
    /// Bits of an element.
    pub bits: u8,
    /// Vector lanes, 1 for scalars.
    pub lanes: u16,
}

/// A view of memory as an array.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DLTensor {
    /// Start of the allocation.
    pub data: *mut c_void,
    /// Where it is.
    pub device: DLDevice,
    /// Number of axes.
    pub ndim: i32,
    /// Type of an element.
    pub dtype: DLDataType,
    /// Length of each axis, outermost first.
    pub shape: *mut i64,
    /// Elements between neighbours of each axis; NULL means row-major.
    pub strides: *mut i64,
    /// Bytes from `data` to the first element.
    pub byte_offset: u64,
}

/// A tensor whose owner is told by `deleter` when nobody needs it any more.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DLManagedTensorVersioned {
    /// Version of this structure.
    pub version: DLPackVersion,
    /// The owner's own data.
    pub manager_ctx: *mut c_void,
    /// Gives the tensor back; called exactly once, from any thread. NULL where nothing needs to be given back.
    pub deleter: Option<unsafe extern "C" fn(tensor: *mut DLManagedTensorVersioned)>,
    /// Bit 0: read-only. Bit 1: the owner copied. Others are reserved.
    pub flags: u64,
    /// The tensor.
    pub dl_tensor: DLTensor,
}
