//! A backend beside ONNX Runtime called from Python, on the same model and inputs.

use crate::row::{Better, Row, median};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;
use zoo_core::{Artifact, Backend, DType, Device, Error, Options, Result, Tensor};

/// A case of [`python_onnxruntime`].
pub struct PythonCase<'a> {
    /// Name of the case, such as `b64`.
    pub case: String,
    /// The ONNX model, of one file.
    pub artifact: &'a Artifact,
    /// `f32` inputs in the session's order.
    pub inputs: &'a [Tensor],
    /// Items in `inputs`.
    pub items: usize,
    /// Threads of both sides.
    pub threads: usize,
    /// Runs in a turn.
    pub runs: usize,
    /// Turns of each side; at least 1.
    pub rounds: usize,
    /// Python with `onnxruntime` and `numpy`.
    pub python: &'a Path,
    /// Options of the backend; threads and batch size are set from the case.
    pub options: Options,
}

/// Compares a backend with ONNX Runtime called from Python. The unit is items a second.
///
/// # Errors
/// [`Error::Argument`] for no rounds or runs, or inputs that are not `f32`; [`Error::Unavailable`] if the interpreter or its
/// packages are absent; else what either side finds.
pub fn python_onnxruntime(case: &PythonCase<'_>, backend: &dyn Backend) -> Result<Row> {
    if case.rounds == 0 || case.runs == 0 || case.items == 0 {
        let found = format!("{}, {} and {}", case.rounds, case.runs, case.items);
        return Err(Error::argument("benchmark", "at least one round, run and item", found));
    }
    let options = Options { threads: Some(case.threads), batch_hint: Some(case.items), ..case.options.clone() };
    let mut session = backend.compile(case.artifact, &Device::Cpu, &options)?;
    let names: Vec<_> = session.inputs().iter().map(|s| s.name.clone()).collect();
    let folder = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
    let mut peer = Peer::start(case, &names, folder.path())?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..case.rounds {
        session.run(case.inputs)?;
        let start = Instant::now();
        for _ in 0..case.runs {
            std::hint::black_box(session.run(case.inputs)?);
        }
        ours.push(start.elapsed().as_secs_f64());
        theirs.push(peer.turn(case.runs)?);
    }
    #[allow(clippy::cast_precision_loss, reason = "a number of items")]
    let rate = |times: &[f64]| (case.runs * case.items) as f64 / median(times);
    Ok(Row::new("backends", &case.case, "items/s", Better::Higher, rate(&ours), "python-onnxruntime", rate(&theirs)))
}

/// The Python side, waiting for its turns.
struct Peer {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    fn start(case: &PythonCase<'_>, names: &[String], folder: &Path) -> Result<Self> {
        let script = write(folder.join("peer.py"), include_bytes!("python_onnxruntime.py"))?;
        let model = write(folder.join("model.onnx"), &case.artifact.main()?.bytes)?;
        let mut command = Command::new(case.python);
        command.arg(script).arg(model).arg(case.threads.to_string());
        for (i, (name, tensor)) in names.iter().zip(case.inputs).enumerate() {
            if tensor.dtype() != DType::F32 {
                return Err(Error::argument(format!("input `{name}` of the benchmark"), "f32", tensor.dtype()));
            }
            let path = write(folder.join(format!("{i}.bin")), tensor.as_bytes())?;
            let shape = tensor.shape().iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
            command.arg(format!("{name}={shape}={}", path.display()));
        }
        let absent = |why: String| Error::Unavailable {
            what: format!("{} with onnxruntime", case.python.display()),
            why,
            mend: "run `cargo xtask setup peers`, or name a Python that has onnxruntime and numpy".into(),
        };
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().map_err(|e| absent(e.to_string()))?;
        let (Some(orders), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(absent("its pipes can't be reached".into()));
        };
        let mut peer = Self { child, orders, answers: BufReader::new(stdout) };
        match peer.answer() {
            Ok(line) if line.starts_with("ready") => Ok(peer),
            Ok(line) => Err(absent(format!("expected `ready`, found {line:?}"))),
            Err(error) => Err(absent(error.to_string())),
        }
    }

    /// Lets it run and returns the seconds it took.
    fn turn(&mut self, runs: usize) -> Result<f64> {
        writeln!(self.orders, "{runs}").and_then(|()| self.orders.flush()).map_err(Error::io("the Python side"))?;
        let line = self.answer().map_err(Error::io("the Python side"))?;
        line.parse().map_err(|_| Error::argument("answer of the Python side", "seconds", line))
    }

    fn answer(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim().to_string())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write(path: PathBuf, bytes: &[u8]) -> Result<PathBuf> {
    std::fs::write(&path, bytes).map_err(Error::io(&path))?;
    Ok(path)
}
