//! Backend: ONNX through tract, embedded, nothing to install.
