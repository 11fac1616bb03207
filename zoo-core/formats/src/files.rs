//! Writing files so that they are there whole or not at all.

use std::fs::File;
use std::io;
use std::path::Path;

/// Writes a file through a temporary one in the same folder: filled by `fill`, synced, renamed, and the folder synced.
/// An older file of that name keeps its permissions; a new one gets those of any new file.
///
/// # Errors
/// Whatever the file system says; an older file of that name is then still there, untouched.
pub fn write_atomically(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As an ordinary new file: the process's umask is applied to this.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.prefix(".zoo-").suffix(".part").tempfile_in(folder)?;
    if let Ok(facts) = path.metadata() {
        file.as_file().set_permissions(facts.permissions())?;
    }
    fill(file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    // The rename itself must survive a crash too.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept");
        std::fs::write(&path, "old").unwrap();
        let fail = |file: &mut File| file.write_all(b"new").and(Err(io::Error::other("stop")));
        assert!(write_atomically(&path, fail).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn permissions_are_those_of_the_old_file_or_of_any_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, ours) = (folder.path().join("plain"), folder.path().join("ours"));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        std::fs::write(&plain, "").unwrap();
        write_atomically(&ours, |file| file.write_all(b"1")).unwrap();
        assert_eq!(mode(&ours), mode(&plain));
        std::fs::set_permissions(&ours, std::fs::Permissions::from_mode(0o640)).unwrap();
        write_atomically(&ours, |file| file.write_all(b"2")).unwrap();
        assert_eq!(mode(&ours), 0o640);
    }
}
