//! Reading tables of another version, and owning the objects behind them.

use super::call::Peer;
use super::raw::*;
use crate::error::Result;
use std::ffi::c_void;

type DropFn = unsafe extern "C" fn(*mut c_void);

/// A structure that starts with its size and only ever grows at its end.
///
/// # Safety
/// The type is `repr(C)`, its first member is the size as `usize`, and all members may be zero.
pub(super) unsafe trait Table: Copy {
    /// What it is, for messages.
    const NAME: &'static str;
    /// Bytes it had in version 1.0.
    const FIRST: usize;

    /// The first function that must be there and is not.
    fn lacks(&self) -> Option<&'static str>;

    /// How to free the object.
    fn dropper(&self) -> Option<DropFn> {
        None
    }
}

macro_rules! tables {
    ($($table:ident, $name:literal, last $last:ident, needs [$($need:ident),*] $(, frees $drop:ident)?;)*) => {$(
        // SAFETY: declared in `raw` as `repr(C)`, size first, of pointers, integers and optional function pointers.
        unsafe impl Table for $table {
            const NAME: &'static str = $name;
            const FIRST: usize = std::mem::offset_of!($table, $last) + size_of::<usize>();

            fn lacks(&self) -> Option<&'static str> {
                $(if self.$need.is_none() {
                    return Some(stringify!($need));
                })*
                None
            }

            $(fn dropper(&self) -> Option<DropFn> {
                self.$drop
            })?
        }
    )*};
}

tables! {
    ZooReturn, "return value", last error_json, needs [];
    ZooArtifact, "artifact", last file_count, needs [];
    ZooBatch, "batch", last fields, needs [];
    ZooHost, "host", last reporter, needs [];
    ZooReporterTable, "reporter", last cancelled, needs [];
    ZooSessionTable, "session", last reset, needs [describe], frees drop;
    ZooDatasetTable, "data set", last batch, needs [describe, len, get], frees drop;
    ZooDatasetFactoryTable, "factory of data sets", last open, needs [infos, open], frees drop;
    ZooBackendTable, "backend", last compile, needs [describe, probe, compile], frees drop;
    ZooMetricTable, "metric", last estimate, needs [name, update, state, merge, estimate], frees drop;
    ZooWorkbenchTable, "workbench", last weights, needs [reporter, describe, dataset, compile, weights];
    ZooModelTable, "model", last act, needs [describe, export_artifact, import_weights], frees drop;
    ZooTrainSinkTable, "training sink", last resume, needs [log, save, resume];
    ZooTrainerTable, "trainer", last train, needs [model, train], frees drop;
}

/// Takes what this version knows of a table.
///
/// # Safety
/// `table` is NULL or points to a table that is as long as its first member says.
pub(super) unsafe fn read<T: Table>(table: *const T, peer: &Peer) -> Result<T> {
    if table.is_null() {
        return Err(peer.broke(format!("{}: table is NULL", T::NAME)));
    }
    // SAFETY: non-null, and every table starts with its size.
    let size = unsafe { table.cast::<usize>().read() };
    if size < T::FIRST {
        return Err(peer.broke(format!("{}: table has {size} bytes, ABI 1.0 has {}", T::NAME, T::FIRST)));
    }
    let mut known = std::mem::MaybeUninit::<T>::zeroed();
    // SAFETY: `size` bytes are readable by contract and no more than the target holds are written; zero is valid for the rest.
    let known = unsafe {
        std::ptr::copy_nonoverlapping(table.cast::<u8>(), known.as_mut_ptr().cast::<u8>(), size.min(size_of::<T>()));
        known.assume_init()
    };
    match known.lacks() {
        Some(name) => Err(peer.broke(format!("{}: function `{name}` is NULL", T::NAME))),
        None => Ok(known),
    }
}

/// An object of the other side with its functions; freed when dropped, unless it is only lent.
pub(super) struct Handle<T: Table> {
    pub(super) self_: *mut c_void,
    pub(super) table: T,
    pub(super) peer: Peer,
}

// SAFETY: objects may move between threads by the ABI's rules; what may be shared is ruled by the traits that the
// holders implement, and a peer that allows one thread only is entered under its lock.
unsafe impl<T: Table> Send for Handle<T> {}
// SAFETY: as above.
unsafe impl<T: Table> Sync for Handle<T> {}

impl<T: Table> Handle<T> {
    /// # Safety
    /// The pair was handed over by the other side as one object, and `table` is as long as it says.
    pub(super) unsafe fn new(self_: *mut c_void, table: *const T, peer: &Peer) -> Result<Self> {
        // SAFETY: passed on.
        let table = unsafe { read(table, peer) }?;
        Ok(Self { self_, table, peer: peer.clone() })
    }
}

impl<T: Table> Drop for Handle<T> {
    fn drop(&mut self) {
        if let Some(dropper) = self.table.dropper() {
            let _entered = self.peer.enter();
            // SAFETY: the object is ours to free, once, and is not used afterwards.
            unsafe { dropper(self.self_) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table as version 1.0 has it, and as a later minor version might.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Now {
        size: usize,
        first: Option<DropFn>,
    }

    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Later {
        size: usize,
        first: Option<DropFn>,
        second: Option<DropFn>,
    }

    // SAFETY: `repr(C)`, size first, all members may be zero.
    unsafe impl Table for Now {
        const NAME: &'static str = "now";
        const FIRST: usize = size_of::<Now>();

        fn lacks(&self) -> Option<&'static str> {
            self.first.is_none().then_some("first")
        }
    }

    // SAFETY: as above.
    unsafe impl Table for Later {
        const NAME: &'static str = "later";
        const FIRST: usize = size_of::<Now>();

        fn lacks(&self) -> Option<&'static str> {
            None
        }
    }

    unsafe extern "C" fn nothing(_: *mut c_void) {}

    /// Reads a table of one version as another.
    fn cross<A, B: Table>(table: &A) -> Result<B> {
        // SAFETY: the tables below are as long as they say.
        unsafe { read(std::ptr::from_ref(table).cast::<B>(), &Peer::plugin("p", false)) }
    }

    #[test]
    fn a_newer_reader_takes_what_an_older_table_lacks_as_absent() {
        let later: Later = cross(&Now { size: size_of::<Now>(), first: Some(nothing) }).unwrap();
        assert!(later.first.is_some() && later.second.is_none());
    }

    #[test]
    fn an_older_reader_ignores_what_it_does_not_know() {
        let now: Now = cross(&Later { size: size_of::<Later>(), first: Some(nothing), second: Some(nothing) }).unwrap();
        assert!(now.first.is_some());
        assert_eq!(now.size, size_of::<Later>());
    }

    #[test]
    fn tables_that_are_cut_short_or_lack_a_function_are_refused() {
        let message = |result: Result<Now>| result.err().map(|e| e.to_string()).unwrap_or_default();
        assert_eq!(message(cross(&Now { size: 8, first: None })), "plugin p: now: table has 8 bytes, ABI 1.0 has 16");
        assert_eq!(message(cross(&Now { size: 16, first: None })), "plugin p: now: function `first` is NULL");
        // SAFETY: NULL is refused.
        assert_eq!(message(unsafe { read(std::ptr::null(), &Peer::plugin("p", false)) }), "plugin p: now: table is NULL");
    }
}
