//! Which provider got which nodes, as ONNX Runtime's session tells (API 24).

use ort::AsPointer;
use ort::session::Session;
use std::collections::BTreeMap;
use std::ffi::CStr;

/// Key that makes a session remember the assignment; it is set before the session is made.
pub(crate) const RECORD: &str = "session.record_ep_graph_assignment_info";

/// Number of nodes by provider, or `None` if the library does not tell.
pub(crate) fn placement(session: &Session) -> Option<BTreeMap<String, u64>> {
    let api = ort::api();
    let mut subgraphs = std::ptr::null();
    let mut count = 0;
    // SAFETY: the session is alive, both targets are valid for writing, and the result is kept by the session.
    let status = unsafe { (api.Session_GetEpGraphAssignmentInfo)(session.ptr(), &mut subgraphs, &mut count) };
    // SAFETY: a status comes from this library and is taken once.
    unsafe { ort::Error::result_from_status(status) }.ok()?;
    let mut placement = BTreeMap::new();
    for i in 0..count {
        // SAFETY: the library gave `count` pointers at `subgraphs`, valid as long as the session.
        let subgraph = unsafe { *subgraphs.add(i) };
        let (mut name, mut nodes, mut node_count) = (std::ptr::null(), std::ptr::null(), 0);
        // SAFETY: `subgraph` is one of the pointers above, and the target is valid for writing.
        let status = unsafe { (api.EpAssignedSubgraph_GetEpName)(subgraph, &mut name) };
        // SAFETY: as above.
        unsafe { ort::Error::result_from_status(status) }.ok()?;
        // SAFETY: as above.
        let status = unsafe { (api.EpAssignedSubgraph_GetNodes)(subgraph, &mut nodes, &mut node_count) };
        // SAFETY: as above.
        unsafe { ort::Error::result_from_status(status) }.ok()?;
        if name.is_null() {
            return None;
        }
        // SAFETY: not null, and a C string that the session keeps.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
        *placement.entry(name).or_default() += node_count as u64;
    }
    Some(placement)
}
