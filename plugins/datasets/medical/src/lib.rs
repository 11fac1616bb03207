//! Medical images: DICOM slices with their geometry, NIfTI volumes, MedMNIST, and loaders for gated data sets.
//!
//! | name | source | item |
//! | --- | --- | --- |
//! | `mni152` | the template in the Python package nilearn | `t1`, `gm`, `wm` u8 `[189, 233, 197]`, `affine` f64 `[4, 4]` |
//! | `cmr-case` | one cardiac MR study, from a local folder | `image` f32 `[rows, columns]`, `plane` f64 `[12]`, `series`, `view` |
//! | `breastmnist`, `pneumoniamnist` | npz files, from a local folder | `image` u8 `[1, 28, 28]`, `label` u8 `[]` |
//! | `wdbc` | the table in the Python package scikit-learn | `features` f32 `[30]`, `label` u8 `[]` |
//! | `dsbcc`, `acdc`, `brats`, `oasis`, `cti` | a folder the user obtained, by the key `root` of their configuration | see [`gated`] |
//!
//! A `plane` holds what places a slice in the patient: position of the centre of the first pixel (3 numbers, mm),
//! direction of increasing column index (3), direction of increasing row index (3), distance between rows (mm),
//! distance between columns (mm), slice thickness (mm, 0 where unknown). See [`Plane`].
//!
//! DICOM files name people. Only the tags that geometry and pixels need are read out, and no message of this crate
//! repeats the content of any other.

mod cmr;
mod dicom;
mod element_lengths;
mod factory;
pub mod gated;
mod inflate;
mod medmnist;
mod mni;
mod nifti_file;
mod problem;
mod wdbc;

pub use dicom::{DicomSlice, Plane, order_stack, read_slice};
pub use factory::MedicalFactory;
pub use inflate::MAX_INFLATED;
pub use medmnist::read_npz;
pub use nifti_file::{NiftiVolume, read_nifti};

zoo_core::zoo_plugin! { name: "medical", datasets: [MedicalFactory] }
