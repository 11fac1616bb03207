//! What all runs share: the program, the hub's files, the registry, and what undisturbed runs leave.

use crate::sandbox::Sandbox;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;
use zoo_test_support::hub::{REVISION, Reply, Request, Server, noise, sum};
use zoo_test_support::workspace_root;

/// Files by the path under the folder that a command writes to.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// The file that hubs lie about.
pub const TARGET: &str = "a.bin";

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Job {
    /// Three files from the hub, one of them packed.
    Fetch,
    /// Three epochs of a small network on 40 images that come from the hub.
    Train,
    /// One ONNX file.
    ExportOnnx,
    /// Event graphs with their weights beside them.
    ExportEvent,
}

impl Job {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Fetch, Self::Train, Self::ExportOnnx, Self::ExportEvent];

    /// Name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Train => "train",
            Self::ExportOnnx => "export --format onnx",
            Self::ExportEvent => "export --format event",
        }
    }

    /// Arguments, without `--out` and `--registry`.
    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Fetch => &["fetch", "pictures"],
            Self::Train => &["train", "paper/ann", "--resume"],
            Self::ExportOnnx => &["export", "paper/ann", "--format", "onnx"],
            Self::ExportEvent => &["export", "paper/snn", "--format", "event"],
        }
    }
}

/// What all runs share.
pub struct Kit {
    /// The program under test.
    pub xtask: PathBuf,
    /// The library that counts and fails file operations; `Err` says why there is none.
    pub shim: Result<PathBuf, String>,
    /// Text of the registry.
    pub registry: String,
    /// Text of the small network's configuration.
    pub config: String,
    /// Files on the hub by name.
    pub served: BTreeMap<String, Vec<u8>>,
    /// Names and contents of the files of the data set `pictures`, unpacked.
    pub pictures: BTreeMap<String, Vec<u8>>,
    references: Mutex<BTreeMap<Job, Result<Files, String>>>,
    _folder: TempDir,
}

impl Kit {
    /// Finds the program and prepares the rest.
    ///
    /// # Errors
    /// What is missing, in words that can follow `skipped:`.
    pub fn new() -> Result<Self, String> {
        let here = std::env::current_exe().map_err(|e| e.to_string())?;
        // Beside this program, or above it if it is a test.
        let xtask = here.ancestors().skip(1).take(2).map(|folder| folder.join("xtask")).find(|path| path.is_file());
        let xtask = xtask.ok_or("no xtask beside this program; build it with `cargo build --release -p xtask --features train`")?;
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let (a, b, c) = (noise(300_000), noise(200_000).split_off(50_000), b"ten bytes.".to_vec());
        let mut served = digits();
        served.extend([(TARGET.into(), a.clone()), ("b.bin.gz".into(), packed(&b)), ("c.bin".into(), c.clone())]);
        let pictures = BTreeMap::from([(TARGET.to_string(), a), ("b.bin".to_string(), b), ("c.bin".to_string(), c)]);
        Ok(Self {
            shim: shim(folder.path()),
            registry: registry(&served, &pictures),
            config: config(),
            xtask,
            served,
            pictures,
            references: Mutex::default(),
            _folder: folder,
        })
    }

    /// The honest answer.
    pub fn honest(&self) -> impl Fn(&Request) -> Reply + Send + 'static {
        let files = self.served.clone();
        move |request| match files.get(request.path.rsplit('/').next().unwrap_or_default()) {
            Some(content) if request.path.contains(&format!("/resolve/{REVISION}/")) => Reply::file(request, content),
            _ => Reply::new(404, "Entry not found"),
        }
    }

    /// An honest hub.
    pub fn hub(&self) -> Server {
        Server::new(self.honest())
    }

    /// What an undisturbed run leaves where it writes to.
    ///
    /// # Errors
    /// Why there can be none in this build.
    ///
    /// # Panics
    /// If it fails.
    pub fn reference(&self, job: Job) -> Result<Files, String> {
        let mut known = self.references.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(job).or_insert_with(|| self.undisturbed(job)).clone()
    }

    fn undisturbed(&self, job: Job) -> Result<Files, String> {
        let sandbox = Sandbox::new(self);
        let hub = self.hub();
        let end = sandbox.run(&mut sandbox.command(self, job, &hub.url));
        if end.said.contains("starting cargo to build the training engine") {
            return Err("this xtask has no training engine; build it with `--features train`".into());
        }
        assert_eq!(end.status, Some(0), "{} fails undisturbed: {}", job.name(), end.said);
        Ok(sandbox.written())
    }
}

/// Compiles the library that is put before the C library.
fn shim(folder: &Path) -> Result<PathBuf, String> {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        return Err("file operations are counted on Linux with glibc only".into());
    }
    let (source, library) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("shim/files.c"), folder.join("files.so"));
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl").stdin(Stdio::null());
    match compiler.output() {
        Ok(output) if output.status.success() => Ok(library),
        Ok(output) => Err(format!("the C compiler fails: {}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("no C compiler ({error})")),
    }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    packer.write_all(bytes).and_then(|()| packer.finish()).unwrap_or_default()
}

/// IDX files of 40 images to train on and 8 to test on.
fn digits() -> BTreeMap<String, Vec<u8>> {
    let idx = |dimensions: &[u32], bytes: Vec<u8>| {
        let mut file = vec![0, 0, 8, u8::try_from(dimensions.len()).unwrap_or(u8::MAX)];
        file.extend(dimensions.iter().flat_map(|d| d.to_be_bytes()));
        file.extend(bytes);
        file
    };
    let mut files = BTreeMap::new();
    for (split, count) in [("train", 40u32), ("t10k", 8)] {
        let pixels = noise(count as usize * 784);
        let classes = (0..count).map(|i| u8::try_from(i % 10).unwrap_or_default()).collect();
        files.insert(format!("{split}-images-idx3-ubyte"), idx(&[count, 28, 28], pixels));
        files.insert(format!("{split}-labels-idx1-ubyte"), idx(&[count], classes));
    }
    files
}

fn registry(served: &BTreeMap<String, Vec<u8>>, pictures: &BTreeMap<String, Vec<u8>>) -> String {
    let line = |name: &str, content: &[u8], unpack: bool| {
        let packing = if unpack { ", unpack = \"gz\"" } else { "" };
        format!("  {{ name = \"{name}\", bytes = {}, sha256 = \"{}\"{packing} }},\n", content.len(), sum(content))
    };
    let dataset = |name: &str, files: String| {
        format!(
            "[[dataset]]\nname = \"{name}\"\nplugin = \"vision\"\nlicence = \"made up\"\nfiles = [\n{files}]\nsources = [{{ hub = \
             \"datasets/own/{name}\", revision = \"{REVISION}\", path = \"data\" }}]\n\n"
        )
    };
    let mut text = String::from("schema = 1\n\n");
    text += &dataset("pictures", pictures.iter().map(|(name, content)| line(name, content, !served.contains_key(name))).collect());
    let digits = served.iter().filter(|(name, _)| name.ends_with("ubyte"));
    text += &dataset("mnist", digits.map(|(name, content)| line(name, content, false)).collect());
    for (family, config) in [("ann", "small.toml"), ("snn", "snn.toml")] {
        let weights = std::fs::read(weights(family)).unwrap_or_default();
        text += &format!(
            "[[model]]\nname = \"paper/{family}\"\nplugin = \"snn-calibration\"\nfamily = \"{family}\"\nconfig = \"{config}\"\ndataset = \
             \"mnist\"\nbackends = [\"tract\"]\n\n[[model.seed]]\nseed = 1000\nweights = {{ path = \"{family}.safetensors\", sha256 = \
             \"{}\" }}\n\n",
            sum(&weights)
        );
    }
    text
}

/// The paper whose models are exported and trained.
pub fn paper() -> PathBuf {
    workspace_root().join("plugins/papers/snn-calibration")
}

/// Committed weights of a family.
pub fn weights(family: &str) -> PathBuf {
    let name = if family == "ann" { "vgg-mini-mnist-ann" } else { "vgg-mini-mnist" };
    paper().join(format!("weights/{name}-seed1000.safetensors"))
}

/// The paper's configuration with three short epochs.
fn config() -> String {
    let text = std::fs::read_to_string(paper().join("config/vgg-mini-mnist.toml")).unwrap_or_default();
    let smaller = [
        ("train = 10000", "train = 32"),
        ("val = 1000", "val = 8"),
        ("calibration = 256", "calibration = 8"),
        ("weight-calibration = 512", "weight-calibration = 16"),
        ("epochs = 5", "epochs = 3"),
        ("batch = 64\nlr", "batch = 16\nlr"),
    ];
    smaller.iter().fold(text, |text, (from, to)| text.replacen(from, to, 1))
}
