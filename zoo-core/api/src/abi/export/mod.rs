//! Rust objects as handles with tables of C functions.
//!
//! An object's `self_` points to a cell that holds the fat pointer of its trait object: boxed where the receiver owns
//! the object, on the stack where it is only lent.

mod backend;
mod bench;
mod dataset;
mod metric;
mod model;
mod session;
mod trainer;

pub(super) use backend::backend;
pub(super) use bench::{lend_bench, lend_reporter};
pub(super) use dataset::{dataset, factory, lend_dataset};
pub(super) use metric::metric;
pub(super) use model::model;
pub(super) use session::{lend_session, session, view_session};
pub(super) use trainer::{lend_sink, trainer};

use std::ffi::c_void;

/// A cell for an object the receiver owns; freed by [`free`].
fn own<T: ?Sized>(object: Box<T>) -> *mut c_void {
    Box::into_raw(Box::new(Box::into_raw(object))).cast()
}

/// Frees an owned object; a panic in its destructor is caught.
///
/// # Safety
/// `self_` came from [`own`] with the same type and is not used afterwards.
unsafe extern "C" fn free<T: ?Sized>(self_: *mut c_void) {
    super::call::guard_plain((), || {
        // SAFETY: both boxes were made by `own`.
        drop(unsafe { Box::from_raw(*Box::from_raw(self_.cast::<*mut T>())) });
    });
}

/// # Safety
/// `self_` points to a cell with an object of that type that is alive and not written to for `'a`.
unsafe fn shared<'a, T: ?Sized>(self_: *mut c_void) -> &'a T {
    // SAFETY: by contract.
    unsafe { &**self_.cast::<*mut T>() }
}

/// # Safety
/// `self_` points to a cell with an object of that type that is alive and not used by anybody else for `'a`.
unsafe fn exclusive<'a, T: ?Sized>(self_: *mut c_void) -> &'a mut T {
    // SAFETY: by contract.
    unsafe { &mut **self_.cast::<*mut T>() }
}
