//! Writing files so that they are there whole or not at all.

use std::fs::File;
use std::io;
use std::path::Path;
use tempfile::NamedTempFile;

const PREFIX: &str = ".zoo-";
const SUFFIX: &str = ".part";

/// Writes a file through a temporary one in the same folder: filled by `fill`, synced, renamed, and the folder synced.
/// An older file of that name keeps its permissions; a new one gets those of any new file. Temporary files that killed
/// processes left in the folder are removed.
///
/// # Errors
/// Whatever the file system says; an older file of that name is then still there, untouched.
pub fn write_atomically(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sweep(folder);
    let mut file = part(folder)?;
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

/// A temporary file, locked so that no other process takes it for one that was left.
fn part(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As an ordinary new file: the process's umask is applied to this.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    loop {
        let file = builder.prefix(PREFIX).suffix(SUFFIX).tempfile_in(folder)?;
        // Where the file system has no locks, nothing is swept either. Between making and locking it may have been.
        if file.as_file().lock().is_err() || file.path().exists() {
            return Ok(file);
        }
    }
}

/// Removes temporary files that nobody has locked. What can't be removed is no concern of the write at hand.
fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        if !ours {
            continue;
        }
        if let Ok(left) = File::open(entry.path())
            && left.try_lock().is_ok()
        {
            std::fs::remove_file(entry.path()).ok();
        }
    }
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

    #[test]
    fn what_killed_processes_left_is_swept_and_what_is_being_written_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let names = || {
            let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let (left, other) = (folder.path().join(".zoo-abc.part"), folder.path().join("theirs.part"));
        std::fs::write(&left, "half").unwrap();
        std::fs::write(&other, "not ours").unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        write_atomically(&a, |outer| {
            // Another write into the same folder, while this one is under way.
            write_atomically(&b, |inner| inner.write_all(b"b"))?;
            outer.write_all(b"a")
        })
        .unwrap();
        assert_eq!(names(), ["a", "b", "theirs.part"]);
        assert_eq!((std::fs::read(a).unwrap(), std::fs::read(b).unwrap()), (b"a".to_vec(), b"b".to_vec()));
    }
}
