//! Backend: ONNX Runtime on CPU and GPU, its library loaded at run time.
