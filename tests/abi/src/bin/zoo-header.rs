//! Writes `zoo_plugin.h` anew.

fn main() -> std::io::Result<()> {
    let folder = zoo_abi_tests::include_dir();
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("zoo_plugin.h"), zoo_abi_tests::generate())
}
