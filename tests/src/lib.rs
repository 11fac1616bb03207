//! Tests that cross crates: end to end, plugin ABI, interop and hostile input.
