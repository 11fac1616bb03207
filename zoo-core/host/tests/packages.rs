//! Packages: stand-ins for the clients show every error and the exact arguments; the real clients run only where
//! `ZOO_TEST_NETWORK=1` says that they can reach their registries.

use crate::loopback::{Place, noise, program, sum};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

struct Shop {
    place: Place,
    content: Vec<u8>,
}

impl Shop {
    fn new() -> Self {
        let place = Place::new();
        fs::create_dir(place.path("bin")).unwrap();
        Self { place, content: noise(30_000) }
    }

    /// A stand-in that notes its arguments and does `body`, with shell built-ins and full paths only.
    fn client(&self, name: &str, body: &str) -> &Self {
        let path = self.place.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\necho \"$PWD|$@\" >> {}\n{body}\n", self.place.path("args").display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// The package the stand-in leaves in its folder.
    fn package(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.place.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn delivers(&self, client: &str, name: &str, bytes: &[u8]) -> &Self {
        let path = self.package(name, bytes);
        self.client(client, &format!("/bin/cp {} .", path.display()))
    }

    fn run(&self, source: &str, file: &str) -> Output {
        let (bytes, sum) = (self.content.len(), sum(&self.content));
        let registry = format!(
            "schema = 1\n[[dataset]]\nname = \"d\"\nplugin = \"vision\"\nlicence = \"MIT\"\nfiles = [{{ name = \"x.bin\", bytes = {bytes}, \
             sha256 = \"{sum}\"{file} }}]\nsources = [{source}]\n"
        );
        fs::write(self.place.path("registry.toml"), registry).unwrap();
        let mut command = Command::new(program());
        command.arg(self.place.path("registry.toml")).arg("d").env("PATH", self.place.path("bin"));
        command.env("ZOO_CACHE", self.place.path("cache")).env("ZOO_DATA", self.place.path("data"));
        command.env_remove("ZOO_OFFLINE").env_remove("HF_HUB_OFFLINE");
        command.output().unwrap()
    }

    #[track_caller]
    fn fails(&self, source: &str, said: &str) {
        let output = self.run(source, "");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains(said), "expected `{said}` in:\n{stderr}");
        assert!(self.place.blobs().is_empty());
        assert_eq!(fs::read_dir(self.place.path("cache/tmp")).map_or(0, Iterator::count), 0, "nothing is left behind");
    }

    #[track_caller]
    fn works(&self, source: &str, file: &str) {
        let output = self.run(source, file);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(self.place.blobs(), [sum(&self.content)]);
        let blob = self.place.path("cache/blobs/sha256").join(sum(&self.content));
        assert_eq!(fs::read(blob).unwrap(), self.content);
        assert_eq!(fs::read_dir(self.place.path("cache/tmp")).unwrap().count(), 0, "nothing is left behind");
    }

    fn arguments(&self) -> String {
        let noted = fs::read_to_string(self.place.path("args")).unwrap();
        noted.trim().split_once('|').unwrap().1.to_owned()
    }
}

const NPM: &str = "{ npm = \"pack\", version = \"1.0.0\", path = \"package/data\" }";
const PIP: &str = "{ pip = \"pack\", version = \"1.0.0\", path = \"pack/data\" }";
const APT: &str = "{ apt = \"pack\", version = \"1:1.0~2-3\", path = \"usr/share/pack\" }";

fn header(path: &str, size: usize, kind: tar::EntryType) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    // Written raw, since the builder refuses what a hostile package may hold.
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(size as u64);
    header.set_cksum();
    header
}

fn tgz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, bytes) in files {
        builder.append(&header(path, bytes.len(), tar::EntryType::Regular), *bytes).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn wheel(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, bytes) in files {
        writer.start_file(*path, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn npm_packs_are_read_and_never_run() {
    let shop = Shop::new();
    let pack = tgz(&[
        ("package/package.json", b"{\"scripts\":{\"install\":\"touch ran\"}}"),
        ("../../escaped", b"evil"),
        ("/absolute-escape", b"evil"),
        ("package/data/x.bin", &shop.content),
    ]);
    shop.delivers("npm", "pack-1.0.0.tgz", &pack);
    shop.works(&NPM.replace(" }", &format!(", sha256 = \"{}\" }}", sum(&pack))), "");
    let args = shop.arguments();
    let (before, inbox) = args.split_once("--pack-destination ").unwrap();
    assert_eq!(before, "pack --ignore-scripts --loglevel=error ");
    assert!(inbox.ends_with("/inbox pack@1.0.0"), "{inbox}");
    let outside = ["escaped", "cache/escaped", "cache/tmp/escaped"].map(|p| shop.place.path(p).exists());
    assert_eq!(outside, [false; 3]);
    assert!(!std::path::Path::new("/absolute-escape").exists());
    // From the cache from now on: the client is not asked again.
    shop.client("npm", "exit 1").works(NPM, "");
}

#[test]
fn what_a_killed_process_left_of_a_package_goes() {
    let shop = Shop::new();
    fs::create_dir_all(shop.place.path("cache/tmp/package-left/inbox")).unwrap();
    fs::write(shop.place.path("cache/tmp/package-left/inbox/pack.tgz"), b"half").unwrap();
    shop.delivers("npm", "pack-1.0.0.tgz", &tgz(&[("package/data/x.bin", &shop.content)]));
    shop.works(NPM, "");
}

#[test]
fn wheels_are_read_by_name() {
    let shop = Shop::new();
    let packed = gz(&shop.content);
    shop.delivers("python3", "pack-1.0.0-py3-none-any.whl", &wheel(&[("../escaped", b"evil"), ("pack/data/x.bin.gz", &packed)]));
    shop.works(PIP, ", unpack = \"gz\"");
    let args = shop.arguments();
    let (before, inbox) = args.split_once(" -d ").unwrap();
    assert_eq!(before, "-m pip download --no-deps --only-binary=:all: --disable-pip-version-check --no-input --quiet");
    assert!(inbox.ends_with("/inbox pack==1.0.0"), "{inbox}");
}

#[test]
fn debian_packages_are_streamed() {
    let Ok(dpkg) = Command::new("dpkg-deb").arg("--version").output() else {
        println!("skipped: no dpkg-deb");
        return;
    };
    assert!(dpkg.status.success());
    let shop = Shop::new();
    let tree = shop.place.path("tree");
    fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    fs::create_dir_all(tree.join("usr/share/pack")).unwrap();
    fs::write(tree.join("DEBIAN/control"), "Package: pack\nVersion: 1:1.0~2-3\nArchitecture: all\nMaintainer: T <t@t>\nDescription: t\n")
        .unwrap();
    fs::write(tree.join("usr/share/pack/x.bin"), &shop.content).unwrap();
    fs::write(tree.join("usr/share/pack/z.more"), noise(3_000_000)).unwrap();
    for folder in ["DEBIAN", "usr", "usr/share", "usr/share/pack"] {
        fs::set_permissions(tree.join(folder), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let deb = shop.place.path("pack.deb");
    let built = Command::new("dpkg-deb").args(["--root-owner-group", "-Zgzip", "-b"]).arg(&tree).arg(&deb).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    shop.client("apt-get", &format!("/bin/cp {} .", deb.display()));
    shop.fails(APT, "`dpkg-deb` is not installed; it comes with Debian's package `dpkg`");
    let real = String::from_utf8(Command::new("/bin/sh").args(["-c", "command -v dpkg-deb"]).output().unwrap().stdout).unwrap();
    // The real one, which calls tar and gzip by name.
    shop.client("dpkg-deb", &format!("PATH=/usr/bin:/bin exec {} \"$@\"", real.trim()));
    shop.works(APT, "");
    assert!(fs::read_to_string(shop.place.path("args")).unwrap().contains("|download -q pack=1:1.0~2-3\n"));
}

#[test]
fn clients_that_are_missing_or_fail_say_so() {
    let shop = Shop::new();
    shop.fails(NPM, "`npm` is not installed; install Node.js, which brings it (Debian: `apt-get install npm`)");
    shop.fails(PIP, "`python3` is not installed; install Python with pip");
    shop.fails(APT, "`apt-get` is not installed; this source needs Debian");
    shop.client("python3", "echo '/usr/bin/python3: No module named pip' >&2; exit 1");
    shop.fails(PIP, "`pip` is not installed; install it (Debian: `apt-get install python3-pip`)");
    shop.client("npm", "echo 'npm error code ETARGET' >&2; echo 'npm error notarget No matching version' >&2; exit 1");
    shop.fails(NPM, "pack@1.0.0` failed (exit status: 1): npm error code ETARGET\nnpm error notarget No matching version");
    shop.client("npm", "exit 7");
    shop.fails(NPM, "failed (exit status: 7): (it said nothing)");
    shop.client("npm", "exit 0");
    shop.fails(NPM, "expected the client to leave one file, found 0");
    for (client, source, said) in [
        ("npm", NPM, "npm error code ENOTFOUND"),
        ("python3", PIP, "NewConnectionError: Failed to establish a new connection: [Errno -3] Temporary failure in name resolution"),
        ("apt-get", APT, "E: Failed to fetch pack.deb  Could not resolve 'deb.example'"),
    ] {
        shop.client(client, &format!("echo \"{said}\" >&2; exit 1"));
        shop.fails(source, &format!("can't reach its registry: {said}; check the network"));
    }
}

#[test]
fn damaged_and_hostile_packages() {
    let shop = Shop::new();
    let good = tgz(&[("package/data/x.bin", &shop.content)]);
    let npm = |bytes: &[u8], said: &str| {
        shop.delivers("npm", "pack-1.0.0.tgz", bytes);
        shop.fails(NPM, said);
    };
    npm(&good[..good.len() / 2], "damaged after");
    npm(b"<html>login</html>", "not a readable tar file");
    npm(&tgz(&[("package/data/x.bn", b"x")]), "expected a file `package/data/x.bin`, found none; the nearest name is `package/data/x.bn`");
    npm(&tgz(&[("package/data/x.bin", &noise(30_001))]), "expected 30000 bytes, found more");
    npm(&tgz(&[("package/data/x.bin", &vec![0; 40_000_000])]), "expected 30000 bytes, found more");
    npm(&tgz(&[("package/data/x.bin", &[7; 30_000])]), "expected SHA-256");
    npm(&tgz(&[("package/data/x.bin", b"version https://git-lfs.github.com/spec/v1\n")]), "Git LFS pointer");
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut link = header("package/data/x.bin", 0, tar::EntryType::Symlink);
    link.set_link_name("/etc/passwd").unwrap();
    link.set_cksum();
    builder.append(&link, std::io::empty()).unwrap();
    npm(&builder.into_inner().unwrap().finish().unwrap(), "to be a regular file, found a link or folder");
    shop.delivers("npm", "pack-1.0.0.tgz", &good);
    shop.fails(&NPM.replace(" }", &format!(", sha256 = \"{}\" }}", sum(b"another"))), "npm package pack 1.0.0: expected SHA-256");
    shop.client("npm", "echo > one; echo > two");
    shop.fails(NPM, "expected the client to leave one file, found 2");
    shop.client("npm", "echo > package.rpm");
    shop.fails(NPM, "expected a .whl, .zip, .tgz, .tar.gz or .deb file, found `package.rpm`");
    shop.delivers("python3", "pack.whl", &wheel(&[("pack/data/x.bin", &shop.content)])[..20_000]);
    shop.fails(PIP, "not a readable zip file");
    shop.fs_clean("bin/python3").delivers("python3", "pack.whl", &wheel(&[("pack/data/x.bin", &vec![0; 40_000_000])]));
    shop.fails(PIP, "expected 30000 bytes, found more");
}

impl Shop {
    fn fs_clean(&self, name: &str) -> &Self {
        fs::remove_file(self.place.path(name)).unwrap();
        self
    }
}

#[test]
fn offline_asks_no_client() {
    let shop = Shop::new();
    shop.delivers("npm", "pack-1.0.0.tgz", &tgz(&[("package/data/x.bin", &shop.content)]));
    shop.works(NPM, "");
    fs::remove_file(shop.place.path("args")).unwrap();
    fs::remove_dir_all(shop.place.path("cache")).unwrap();
    let mut command = Command::new(program());
    command.arg(shop.place.path("registry.toml")).arg("d").env("PATH", shop.place.path("bin")).env("ZOO_OFFLINE", "1");
    let output = command.env("ZOO_CACHE", shop.place.path("cache")).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("offline mode is on: missing x.bin; run `cargo xtask fetch d`"), "{stderr}");
    assert!(!shop.place.path("args").exists());
}

/// The real clients and the workspace's own registry, and a wheel.
#[test]
fn real_clients_bring_the_registered_data() {
    if std::env::var("ZOO_TEST_NETWORK").is_ok_and(|v| v == "1") {
        let shop = Shop::new();
        let run = |registry: PathBuf, name: &str| {
            let mut command = Command::new(program());
            command.arg(registry).arg(name).env("ZOO_CACHE", shop.place.path("cache")).env("ZOO_DATA", shop.place.path("data"));
            let output = command.output().unwrap();
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        };
        let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../registry.toml");
        run(own.clone(), "mnist");
        if Command::new("apt-get").arg("--version").output().is_ok() {
            run(own, "fashion-mnist");
        }
        let wheel = shop.package(
            "wheel.toml",
            b"schema = 1\n[[dataset]]\nname = \"faces\"\nplugin = \"vision\"\nlicence = \"see the package\"\nfiles = [{ name = \
              \"lfw_subset.npy\", bytes = 1000080, sha256 = \"9560ec2f5edfac01973f63a8a99d00053fecd11e21877e18038fbe500f8e872c\" }]\n\
              sources = [{ pip = \"scikit-image\", version = \"0.26.0\", path = \"skimage/data\" }]\n",
        );
        run(wheel, "faces");
    } else {
        println!("skipped: ZOO_TEST_NETWORK is not 1");
    }
}
