//! Paper plugin: mmcbm.
