//! The in-tree plugins, linked in by one dependency. A new plugin costs a line in the manifest and a line here.

use zoo_core::Plugin;

use zoo_backend_events as _;
use zoo_backend_inference_server as _;
use zoo_backend_onnxruntime as _;
use zoo_backend_tract as _;
use zoo_brain_energy as _;
use zoo_data_market as _;
use zoo_data_medical as _;
use zoo_data_neuro as _;
use zoo_data_neuromorphic as _;
use zoo_data_vision as _;
use zoo_girnet as _;
use zoo_hebbff as _;
use zoo_imaging_planes as _;
use zoo_mmcbm as _;
use zoo_mtt as _;
use zoo_onnx_file as _;
use zoo_sd_conv as _;
use zoo_snn_calibration as _;
use zoo_stock_attention as _;
use zoo_tet as _;

/// All in-tree plugins, sorted by name.
pub fn linked() -> Vec<Plugin> {
    zoo_core::plugin::linked()
}
