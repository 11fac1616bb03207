//! The tract backend against the suite.

#[test]
fn tract_conforms() {
    let suite = zoo_conformance::onnx_suite().unwrap();
    let report = zoo_conformance::run(&zoo_backend_tract::Tract, &suite);
    assert!(report.failures.is_empty() && report.skipped.is_empty(), "{report}");
}
