//! Paper plugin: snn-calibration.
