use super::*;
use std::mem::offset_of;
use std::sync::atomic::AtomicUsize;

/// Sizes and offsets printed by a C program over the `dlpack.h` (version 1.3) that PyTorch 2.15 ships, x86-64.
#[test]
#[cfg(target_pointer_width = "64")]
fn layout_agrees_with_dlpack_h() {
    assert_eq!((size_of::<DLManagedTensorVersioned>(), size_of::<DLTensor>()), (80, 48));
    let managed = [
        offset_of!(DLManagedTensorVersioned, version),
        offset_of!(DLManagedTensorVersioned, manager_ctx),
        offset_of!(DLManagedTensorVersioned, deleter),
        offset_of!(DLManagedTensorVersioned, flags),
        offset_of!(DLManagedTensorVersioned, dl_tensor),
    ];
    assert_eq!(managed, [0, 8, 16, 24, 32]);
    let tensor = [
        offset_of!(DLTensor, data),
        offset_of!(DLTensor, device),
        offset_of!(DLTensor, ndim),
        offset_of!(DLTensor, dtype),
        offset_of!(DLTensor, shape),
        offset_of!(DLTensor, strides),
        offset_of!(DLTensor, byte_offset),
    ];
    assert_eq!(tensor, [0, 8, 16, 20, 24, 32, 40]);
    assert_eq!([DLPACK_INT, DLPACK_UINT, DLPACK_FLOAT, DLPACK_BFLOAT, DLPACK_BOOL], [0, 1, 2, 4, 6]);
}

fn cross(tensor: Tensor) -> Tensor {
    // SAFETY: a descriptor of our own, handed over once.
    unsafe { import(export(tensor).unwrap().release(), "tensor") }.unwrap()
}

#[test]
fn elements_stay_where_they_are() {
    for dtype in DType::ALL {
        let tensor = Tensor::zeros(dtype, [2, 3]).unwrap();
        let address = tensor.as_bytes().as_ptr();
        let there = cross(tensor.clone());
        assert_eq!(there.as_bytes().as_ptr(), address, "{dtype}");
        assert_eq!(there, tensor);
        assert_eq!(cross(there).as_bytes().as_ptr(), address, "{dtype}, twice");
    }
    let rows = Tensor::from_vec([4, 2], (0..8).collect::<Vec<i64>>()).unwrap().rows(1..3).unwrap();
    assert_eq!(cross(rows.clone()), rows);
    assert_eq!(cross(Tensor::scalar(2.5f64)), Tensor::scalar(2.5f64));
    let empty = Tensor::zeros(DType::F32, [0, 7]).unwrap();
    assert_eq!(cross(empty.clone()), empty);
    for dtype in DType::ALL {
        let none = cross(Tensor::zeros(dtype, [3, 0]).unwrap());
        assert!((none.as_bytes().as_ptr() as usize).is_multiple_of(dtype.size()) && none.to_f32().is_empty(), "{dtype}");
    }
}

#[test]
fn only_an_unshared_tensor_may_be_written_to() {
    let mut own = cross(Tensor::from_vec([2], vec![1f32, 2.0]).unwrap());
    let address = own.as_bytes().as_ptr();
    own.as_mut_slice::<f32>().unwrap()[0] = 9.0;
    assert_eq!(own.as_bytes().as_ptr(), address);

    let here = Tensor::from_vec([2], vec![1f32, 2.0]).unwrap();
    let mut there = cross(here.clone());
    there.as_mut_slice::<f32>().unwrap()[0] = 9.0;
    assert_eq!(here.as_slice::<f32>().unwrap(), [1.0, 2.0]);
    assert_eq!(there.as_slice::<f32>().unwrap(), [9.0, 2.0]);
}

#[test]
fn a_second_deletion_is_seen_and_ignored() {
    double_deletes();
    let kept = Tensor::from_vec([1], vec![7u8]).unwrap();
    let managed = export(kept.clone()).unwrap().release();
    // SAFETY: the descriptor is in quarantine after the first call, which is what is tested.
    unsafe {
        let deleter = (*managed).deleter.unwrap();
        deleter(managed);
        assert_eq!(double_deletes(), 0);
        deleter(managed);
    }
    assert_eq!(double_deletes(), 1);
    assert_eq!(kept.as_slice::<u8>().unwrap(), [7]);
}

static DELETED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn count(_: *mut DLManagedTensorVersioned) {
    DELETED.fetch_add(1, Ordering::SeqCst);
}

/// A well-formed 2 by 3 tensor of `f32` on the stack, changed by `spoil`.
fn foreign(spoil: impl FnOnce(&mut DLManagedTensorVersioned)) -> Result<Tensor> {
    let mut data = [0f32; 6];
    let (mut shape, mut strides) = ([2i64, 3], [3i64, 1]);
    let mut managed = DLManagedTensorVersioned {
        version: DLPackVersion { major: 1, minor: 3 },
        manager_ctx: std::ptr::null_mut(),
        deleter: Some(count),
        flags: 0,
        dl_tensor: DLTensor {
            data: data.as_mut_ptr().cast(),
            device: DLDevice { device_type: DLPACK_CPU, device_id: 0 },
            ndim: 2,
            dtype: DLDataType { code: DLPACK_FLOAT, bits: 32, lanes: 1 },
            shape: shape.as_mut_ptr(),
            strides: strides.as_mut_ptr(),
            byte_offset: 0,
        },
    };
    spoil(&mut managed);
    // SAFETY: everything lives until the tensor is dropped: it never leaves this function alive.
    unsafe { import(&raw mut managed, "image") }.inspect(|tensor| assert_eq!(tensor.len(), 6)).map(|_| Tensor::scalar(0u8))
}

#[test]
fn malformed_tensors_are_refused_and_given_back_once() {
    type Spoil = fn(&mut DLManagedTensorVersioned);
    let cases: [(&str, Spoil); 13] = [
        ("expected DLPack 1.x, found DLPack 2.3", |t| t.version.major = 2),
        ("device type 2", |t| t.dl_tensor.device.device_type = 2),
        ("4 lanes", |t| t.dl_tensor.dtype.lanes = 4),
        ("DLPack code 5, 64 bits", |t| t.dl_tensor.dtype = DLDataType { code: 5, bits: 64, lanes: 1 }),
        ("-1 axes", |t| t.dl_tensor.ndim = -1),
        ("33 axes", |t| t.dl_tensor.ndim = 33),
        ("2 axes", |t| t.dl_tensor.shape = std::ptr::null_mut()),
        ("[-2, 3]", |t| {
            // SAFETY: points to the shape of two numbers above.
            unsafe { *t.dl_tensor.shape = -2 };
        }),
        ("a size that fits memory", |t| {
            // SAFETY: as above.
            unsafe { *t.dl_tensor.shape = i64::MAX };
        }),
        ("strides [1, 2]", |t| {
            // SAFETY: points to the strides of two numbers above.
            unsafe { std::slice::from_raw_parts_mut(t.dl_tensor.strides, 2) }.copy_from_slice(&[1, 2]);
        }),
        ("a data pointer", |t| t.dl_tensor.data = std::ptr::null_mut()),
        ("a data pointer", |t| t.dl_tensor.byte_offset = u64::MAX),
        ("byte alignment", |t| {
            // One row, so that the shifted elements stay inside the memory.
            // SAFETY: as above.
            unsafe { *t.dl_tensor.shape = 1 };
            t.dl_tensor.byte_offset = 2;
        }),
    ];
    for (expected, spoil) in cases {
        let before = DELETED.load(Ordering::SeqCst);
        let message = foreign(spoil).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("image") || message.contains("tensor memory"), "{message}");
        assert_eq!(DELETED.load(Ordering::SeqCst), before + 1, "{message}");
    }
    let before = DELETED.load(Ordering::SeqCst);
    foreign(|_| {}).unwrap();
    foreign(|t| t.dl_tensor.strides = std::ptr::null_mut()).unwrap();
    assert_eq!(DELETED.load(Ordering::SeqCst), before + 2);
    // SAFETY: NULL is refused.
    assert!(unsafe { import(std::ptr::null_mut(), "image") }.is_err());
}
