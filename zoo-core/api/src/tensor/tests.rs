use super::*;
use proptest::prelude::*;

#[test]
fn from_vec_refuses_a_wrong_count() {
    let error = Tensor::from_vec([2, 3], vec![0f32; 5]).unwrap_err();
    assert_eq!(error.to_string(), "tensor data: expected shape [2, 3], found [5]");
}

#[test]
fn sizes_that_overflow_are_refused() {
    assert!(Tensor::zeros(DType::F32, [usize::MAX, 2]).is_err());
    assert!(Tensor::from_vec::<f32>([usize::MAX, usize::MAX], vec![]).is_err());
    assert!(Tensor::zeros(DType::F64, [isize::MAX as usize]).is_err());
}

#[test]
fn from_vec_and_into_vec_move_the_memory() {
    let data = vec![1f32, 2.0, 3.0, 4.0];
    let address = data.as_ptr();
    let tensor = Tensor::from_vec([2, 2], data).unwrap();
    assert_eq!(tensor.as_slice::<f32>().unwrap().as_ptr(), address);
    let back = tensor.into_vec::<f32>().unwrap();
    assert_eq!(back.as_ptr(), address);
}

#[test]
fn a_shared_tensor_is_copied_before_it_is_written() {
    let a = Tensor::from_vec([2], vec![1i32, 2]).unwrap();
    let mut b = a.clone();
    b.as_mut_slice::<i32>().unwrap()[0] = 9;
    assert_eq!(a.as_slice::<i32>().unwrap(), [1, 2]);
    assert_eq!(b.as_slice::<i32>().unwrap(), [9, 2]);
}

#[test]
fn rows_share_memory_and_check_their_range() {
    let t = Tensor::from_vec([3, 2], vec![0u8, 1, 2, 3, 4, 5]).unwrap();
    let r = t.rows(1..3).unwrap();
    assert_eq!(r.as_slice::<u8>().unwrap(), [2, 3, 4, 5]);
    assert_eq!(r.as_bytes().as_ptr(), t.as_bytes()[2..].as_ptr());
    assert!(t.rows(2..4).is_err());
    #[allow(clippy::reversed_empty_ranges, reason = "a hostile range")]
    let reversed = t.rows(2..1);
    assert!(reversed.is_err());
    assert!(Tensor::scalar(1f32).rows(0..1).is_err());
}

#[test]
fn types_are_checked() {
    let t = Tensor::from_vec([1], vec![1f32]).unwrap();
    assert_eq!(t.as_slice::<f64>().unwrap_err().to_string(), "tensor elements: expected dtype f64, found f32");
    assert!(t.expect("x", DType::F32, &[None]).is_ok());
    assert_eq!(t.expect("x", DType::F32, &[None, Some(3)]).unwrap_err().to_string(), "x: expected shape [?, 3], found [1]");
}

#[test]
fn arrays_out_of_standard_order_are_straightened() {
    let array = ndarray::arr2(&[[1f32, 2.0, 3.0], [4.0, 5.0, 6.0]]).reversed_axes().into_dyn();
    let t = Tensor::from_array(array).unwrap();
    assert_eq!(t.shape(), [3, 2]);
    assert_eq!(t.as_slice::<f32>().unwrap(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
}

#[test]
fn owners_are_checked_for_range_and_alignment() {
    let owner: Arc<dyn Bytes> = Arc::new(vec![0u32; 4]);
    assert!(Tensor::from_owner(DType::F32, [3], Arc::clone(&owner), 4..16).is_ok());
    assert!(Tensor::from_owner(DType::F32, [3], Arc::clone(&owner), 8..20).is_err());
    assert!(Tensor::from_owner(DType::F32, [2], Arc::clone(&owner), 2..10).is_err());
    assert!(Tensor::from_owner(DType::F32, [4], owner, 4..16).is_err());
}

proptest! {
    #[test]
    fn stacking_then_slicing_gives_the_parts_back(parts in prop::collection::vec(prop::collection::vec(any::<i16>(), 6), 1..5)) {
        let tensors: Vec<_> = parts.iter().map(|p| Tensor::from_vec([2, 3], p.clone()).unwrap()).collect();
        let stacked = Tensor::stack(&tensors).unwrap();
        prop_assert_eq!(stacked.shape(), &[parts.len(), 2, 3]);
        let joined = Tensor::concat(&tensors).unwrap();
        prop_assert_eq!(joined.shape(), &[parts.len() * 2, 3]);
        for (i, tensor) in tensors.iter().enumerate() {
            prop_assert_eq!(&stacked.rows(i..i + 1).unwrap().reshape([2, 3]).unwrap(), tensor);
            prop_assert_eq!(&joined.rows(i * 2..i * 2 + 2).unwrap(), tensor);
        }
    }

    #[test]
    fn bytes_round_trip(values in prop::collection::vec(any::<f64>(), 0..20)) {
        let t = Tensor::from_vec([values.len()], values).unwrap();
        let mut shifted = vec![0u8];
        shifted.extend_from_slice(t.as_bytes());
        prop_assert_eq!(Tensor::from_bytes(DType::F64, t.shape(), &shifted[1..]).unwrap(), t);
    }
}
