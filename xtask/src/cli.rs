//! The command line: names, help and nothing else.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// The zoo: every paper a plugin, every model ONNX or safetensors, every number measured.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 120)]
#[command(
    after_help = "Exit status: 0 all measured and all gating bars hold; 1 a bar fell short; 2 wrong use; 3 something needed is unavailable.\n\
    stdout carries the result only; logs and progress go to stderr."
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Settings of every command.
    #[command(flatten)]
    pub(crate) global: Global,
}

/// Settings of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// The registry to use [default: registry.toml of the workspace around the current folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) registry: Option<PathBuf>,

    /// Use only what is in the cache; never the network (also ZOO_OFFLINE=1)
    #[arg(long, global = true)]
    pub(crate) offline: bool,

    /// Print progress as JSON lines on stderr
    #[arg(long, global = true)]
    pub(crate) events: bool,

    /// Show more (-v detail, -vv everything)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Run every plugin that is opened as a library in a process of its own, within ZOO_PLUGIN_MEMORY (8GiB) and
    /// ZOO_PLUGIN_SECONDS (300) [default: those that the workspace did not build]
    #[arg(long, global = true, conflicts_with = "no_isolate")]
    pub(crate) isolate: bool,

    /// Open plugins in this process, whose memory they then share; faster by microseconds a call
    #[arg(long, global = true)]
    pub(crate) no_isolate: bool,

    /// The ONNX Runtime library to load (before ORT_DYLIB_PATH, the folder of `setup onnxruntime`, and the system)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ort_lib: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetch and verify weights and data, run models, and set the measurement beside what the paper claimed
    ///
    /// Without MODEL it makes the tour: a few small models, each on every backend that is ready here.
    #[command(
        after_help = "Examples:\n  cargo xtask fetch-and-eval\n  cargo xtask fetch-and-eval snn-calibration/vgg-mini-mnist --backend all\n  \
        cargo xtask fetch-and-eval snn-calibration/vgg-mini-mnist --claims --json -"
    )]
    FetchAndEval(EvalArgs),

    /// List models, data sets, backends or plugins
    List {
        /// What to list
        #[arg(value_enum, default_value_t = Listed::Models)]
        what: Listed,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Everything known about a model: card, weights, data, claims
    Info {
        /// Registered name
        model: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Fetch and verify the files of models and data sets
    Fetch {
        /// Names of models or data sets
        #[arg(required = true)]
        names: Vec<String>,
    },

    /// Export models: one format of one model, or folders with every format, graph and a model card
    #[command(after_help = "Examples:\n  cargo xtask export snn-calibration/vgg-mini-mnist --format onnx --out exported\n  \
        cargo xtask export snn-calibration/vgg-mini-mnist --out exported\n  cargo xtask export --all --out exported\n  \
        cargo xtask export --all --opsets 13..20\n  cargo xtask export hebbff/anti-r5 --out exported --push OWNER/NAME")]
    Export(ExportArgs),

    /// Check a weight file's names and shapes and write it with the zoo's names
    Import {
        /// Registered name of the model
        model: String,
        /// A safetensors file
        file: PathBuf,
        /// Whose names the file carries
        #[arg(long, value_enum, default_value_t = Names::Authors)]
        dialect: Names,
        /// Where to write [default: MODEL.safetensors in the current folder]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },

    /// Train a model with the training engine (built on demand)
    Train {
        /// Registered name
        model: String,
        /// Seed [default: the one in the model's config]
        #[arg(long)]
        seed: Option<u64>,
        /// How much to spend
        #[arg(long, value_enum, default_value_t = Budget::Quick)]
        budget: Budget,
        /// Go on from the last checkpoint
        #[arg(long)]
        resume: bool,
        /// Folder for checkpoint, log and weights [default: target/train/MODEL/seed-N]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },

    /// Make, check, list and trust plugins
    Plugin {
        /// What to do
        #[command(subcommand)]
        command: PluginCommand,
    },

    /// Measure speed side by side with peers, in one run
    Bench {
        /// What to measure
        #[arg(value_enum)]
        what: Benched,
        /// Print JSON (zoo.bench/1)
        #[arg(long)]
        json: bool,
        /// Python interpreter with the peers [default: the one made by `setup peers`, else the test environment]
        #[arg(long, value_name = "FILE")]
        python: Option<PathBuf>,
        /// Write the tables of `precision` as Markdown
        #[arg(long, value_name = "FILE")]
        page: Option<PathBuf>,
        /// Recording of N-MNIST (`.bin`, `.bs2`) for `executor`; without one, its case is left out
        #[arg(long, value_name = "FILE")]
        recording: Option<PathBuf>,
    },

    /// Run a command of a model's own plugin, such as `table`, `explain` or `intervene`
    Run {
        /// Registered name
        model: String,
        /// The plugin's command (see `info`)
        action: String,
        /// Its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
        /// Backend it may use
        #[arg(long, default_value = "tract")]
        backend: String,
    },

    /// Join the results of shards exactly
    Merge {
        /// JSON files made with --shard
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Where to write [default: stdout]
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },

    /// Write a site of all published results: an overview, and a page a paper; it works from file:// without a network
    #[command(after_help = "Example:\n  cargo xtask report && xdg-open target/report/index.html")]
    Report {
        /// Folder of result folders, one a paper [default: docs/results]
        #[arg(long, value_name = "DIR")]
        results: Option<PathBuf>,
        /// Folder to write to [default: target/report]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },

    /// Print the page of the book with every command's help
    #[command(hide = true)]
    Reference,

    /// Install what is optional: the ONNX Runtime library, the peers of the benchmarks, the tools of `export --verify`, or a server to test with
    Setup {
        /// What to install
        #[command(subcommand)]
        what: SetupCommand,
    },

    /// Re-make golden values from independent implementations
    Golden {
        /// Only scripts with this in their path, such as snn-calibration
        only: Option<String>,
        /// Compare with the checked-in values and change nothing
        #[arg(long)]
        check: bool,
    },

    /// Everything CI runs: format, lints, docs, unit and integration tests
    Test {
        /// Only tests whose name contains this
        filter: Option<String>,
        /// Instead, inject every fault into the command line (minutes) and write docs/results/faults
        #[arg(long, conflicts_with = "filter")]
        faults: bool,
    },
}

/// Arguments of `fetch-and-eval`.
#[derive(Args, Clone, Debug)]
pub(crate) struct EvalArgs {
    /// Registered names [default: the tour]
    pub(crate) models: Vec<String>,

    /// Every registered model
    #[arg(long, conflicts_with = "models")]
    pub(crate) all: bool,

    /// Backend, or `all` that the model supports and that are ready [default: tract; the tour takes all]
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: Option<String>,

    /// Device: cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub(crate) device: String,

    /// Evaluate only the first N items
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,

    /// Items a batch
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub(crate) batch: u64,

    /// Seed of everything that draws at random
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) seed: u64,

    /// Threads a run may use [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,

    /// Re-measure the paper's bars with their controls, over all trained seeds
    #[arg(long)]
    pub(crate) claims: bool,

    /// Write results as JSON (zoo.eval/1); `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write results as one page, with the plugins' pictures
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// How plugins are loaded
    #[arg(long, value_enum, default_value_t = DoorArg::Static)]
    pub(crate) door: DoorArg,

    /// Load this dynamic plugin although registry.toml does not pin it
    #[arg(long, value_name = "PATH")]
    pub(crate) trust: Vec<PathBuf>,

    /// Evaluate only part I of N of the split, keeping exact metric states for `merge`
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<String>,

    /// A backend's own setting, such as `events.mode=async_bfs`
    #[arg(long = "option", value_name = "KEY=VALUE")]
    pub(crate) options: Vec<String>,
}

/// Arguments of `export`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ExportArgs {
    /// Registered names
    #[arg(required_unless_present = "all")]
    pub(crate) models: Vec<String>,

    /// Every registered model
    #[arg(long, conflicts_with_all = ["models", "format"])]
    pub(crate) all: bool,

    /// One format, written straight into the folder; `triton-repository` is ONNX in the folders that Triton and its kin serve from [default: every format, in folders named after the models]
    #[arg(long, value_parser = ["onnx", "nir", "event", "safetensors", "triton-repository"])]
    pub(crate) format: Option<String>,

    /// Folder to write to [default with --all: target/export]
    #[arg(long, value_name = "DIR", required_unless_present = "all")]
    pub(crate) out: Option<PathBuf>,

    /// Precision of ONNX graphs, one or several: f16 inside, or int8 calibrated on training data
    #[arg(long, value_enum, value_delimiter = ',', default_value = "f32", value_name = "PRECISION")]
    pub(crate) dtype: Vec<PrecisionArg>,

    /// ONNX operator set [default: 17]
    #[arg(long, requires = "format")]
    pub(crate) opset: Option<u32>,

    /// Time steps of a spiking model [default: as configured]
    #[arg(long, value_name = "T", requires = "format")]
    pub(crate) steps: Option<u32>,

    /// One of the model's graphs (see `info`) [default: all]
    #[arg(long, requires = "format")]
    pub(crate) graph: Option<String>,

    /// Open every file again in Python with onnx.checker, ONNX Runtime, OpenVINO, onnx2torch, onnxslim and others, and compare
    #[arg(long, conflicts_with = "format", group = "tables")]
    pub(crate) verify: bool,

    /// Write ONNX graphs, and nothing else, in every operator set from A to B, and run each on our own backends beside the usual one
    #[arg(long, value_name = "A..B", conflicts_with_all = ["format", "verify", "dtype"], group = "tables", value_parser = opsets)]
    pub(crate) opsets: Option<RangeInclusive<u32>>,

    /// Write the tables of --verify or --opsets as Markdown
    #[arg(long, value_name = "FILE", requires = "tables")]
    pub(crate) page: Option<PathBuf>,

    /// Push the folder with its model card to this repository of the Hugging Face hub, which is made if it is missing; needs HF_TOKEN or `hf auth login`
    #[arg(long, value_name = "OWNER/NAME", conflicts_with_all = ["all", "format", "opsets"])]
    pub(crate) push: Option<String>,

    /// A repository that --push makes is private
    #[arg(long, requires = "push")]
    pub(crate) private: bool,

    /// Write what was exported as JSON (zoo.export/1; zoo.verify/1 with --verify, zoo.opsets/1 with --opsets); without a FILE, to stdout
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", conflicts_with = "format")]
    pub(crate) json: Option<PathBuf>,
}

/// `A..B`, both included.
fn opsets(text: &str) -> Result<RangeInclusive<u32>, String> {
    let ends = text.split_once("..").and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    let known = zoo_formats::onnx::OPSETS;
    let range = ends.filter(|(first, last)| first <= last && known.contains(first) && known.contains(last));
    range
        .map(|(first, last)| first..=last)
        .ok_or_else(|| format!("expected A..B within {}..{}, such as 13..20", known.start(), known.end()))
}

/// Precision of an ONNX graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PrecisionArg {
    /// As the model makes it
    F32,
    /// Half precision inside, single at the borders
    F16,
    /// 8-bit integers around matrix products
    Int8,
}

/// What `list` lists.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Listed {
    /// Registered models
    Models,
    /// Registered data sets
    Datasets,
    /// Backends and whether they are ready
    Backends,
    /// Plugins and their doors
    Plugins,
}

/// Whose names a weight file carries.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Names {
    /// The paper's authors' state_dict names
    Authors,
    /// The zoo's names
    Zoo,
}

/// How much to spend on training.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Budget {
    /// The scaled reproduction, minutes on two cores
    Quick,
    /// The paper's own schedule
    Full,
}

/// What `bench` measures.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Benched {
    /// The host's evaluation loop against a bare loop and Python's onnxruntime
    Backends,
    /// The event executor against sinabs and SpikingJelly
    Executor,
    /// A plugin in a process of its own against the same one opened directly
    Isolation,
    /// Training steps of two networks against PyTorch
    Train,
    /// Accuracy, size and speed of image classifiers in f16 and int8 against f32
    Precision,
}

/// How plugins are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DoorArg {
    /// Linked into this binary
    Static,
    /// Opened as libraries
    Dynamic,
}

/// Plugin commands.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Write a plugin crate into a new folder beside the checkout
    New {
        /// Name in kebab case; also that of the folder
        name: String,
        /// What it offers
        #[arg(long, value_parser = ["model", "dataset", "backend"])]
        kind: String,
    },
    /// Run the conformance suite on a plugin library, in a process of its own
    Verify {
        /// The library
        path: PathBuf,
        /// In this process, for a debugger: a library that crashes takes it along
        #[arg(long)]
        here: bool,
    },
    /// Run a plugin for the host on stdin
    #[command(hide = true)]
    Serve,
    /// List plugins with door, version, hash and state
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Pin a plugin's hash in registry.toml
    Trust {
        /// The library
        path: PathBuf,
    },
}

/// What `setup` installs.
#[derive(Debug, Subcommand)]
pub(crate) enum SetupCommand {
    /// The ONNX Runtime library, from its PyPI wheel, into the per-user folder
    Onnxruntime {
        /// The GPU build (CUDA and TensorRT)
        #[arg(long)]
        gpu: bool,
    },
    /// A Python environment with the frameworks the benchmarks and golden values compare with
    Peers,
    /// A Python environment with the tools that `export --verify` opens files with
    Verify,
    /// A Python environment with MLServer, which the tests of the backend `inference-server` ask; it prints the interpreter
    Mlserver,
}
