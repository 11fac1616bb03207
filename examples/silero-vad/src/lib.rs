//! Silero VAD as a zoo plugin: speech or not, for windows of 512 samples at 16 kHz.
//!
//! Model and weights: the Silero team, MIT, PyPI package `silero-vad` 6.2.3, file `silero_vad_16k_sequence.onnx`, which takes a
//! whole clip at once. Its input is `[windows, 576]`: each window of 512 samples behind the last 64 samples of the one before
//! (the package's `OnnxWrapper` does the same; zeros stand before the first). `h` and `c` are the state of its LSTM.

#![forbid(unsafe_code)]

use zoo_core::{
    Artifact, ArtifactKind, Batch, Config, DType, Dataset, Dialect, Dim, Error, Estimate, ExportRequest, Measurements, Model, ModelCard,
    Prediction, Result, Session, TaskKind, Tensor, TensorSpec, Weights, Workbench, metric::wilson95,
};

/// Samples of a window, 32 ms.
const WINDOW: usize = 512;
/// Samples of the window before that the model sees again.
const CONTEXT: usize = 64;
/// Width of the LSTM's state.
const STATE: usize = 128;
/// Probability from which the package takes a window for speech.
const THRESHOLD: f32 = 0.5;

struct SileroVad {
    card: ModelCard,
}

fn silero_vad() -> SileroVad {
    let axis = |name: &str| Dim::Free(name.into());
    SileroVad {
        card: ModelCard {
            name: "silero-vad".into(),
            title: "Silero voice activity detector, 16 kHz".into(),
            description: "Gives each window of 32 ms the probability that somebody speaks in it.".into(),
            paper: String::new(),
            upstream: "PyPI silero-vad 6.2.3 (MIT)".into(),
            code_licence: "MIT OR Apache-2.0".into(),
            weights_licence: "MIT".into(),
            task: TaskKind::Own,
            inputs: vec![TensorSpec::new("audio", DType::F32, [axis("batch"), (WINDOW * 32).into()]).range(-1.0, 1.0)],
            outputs: vec![TensorSpec::new("speech", DType::F32, [axis("batch"), axis("windows")]).range(0.0, 1.0)],
            preprocessing: "Cut into windows of 512 samples, each behind the last 64 samples of the one before.".into(),
            limitations: vec!["16 kHz only; other rates must be resampled first.".into()],
        },
    }
}

/// Windows of a clip with their context, `[windows, 576]`; samples that fill no window are left out.
fn windows(clip: &[f32]) -> Result<Tensor> {
    let count = clip.len() / WINDOW;
    let sample = |at: usize| if at < CONTEXT { 0.0 } else { clip[at - CONTEXT] };
    let rows = (0..count).flat_map(|w| (w * WINDOW..w * WINDOW + CONTEXT + WINDOW).map(sample));
    Tensor::from_vec([count, CONTEXT + WINDOW], rows.collect::<Vec<f32>>())
}

/// Probability of speech for each window of a clip. The state starts at zero, so clips do not influence each other.
fn speech(session: &mut dyn Session, clip: &[f32]) -> Result<Vec<f32>> {
    let zeros = Tensor::zeros(DType::F32, [1, 1, STATE])?;
    let windows = windows(clip)?;
    let inputs = session.inputs().iter().map(|spec| match spec.name.as_str() {
        "h" | "c" => zeros.clone(),
        _ => windows.clone(),
    });
    let inputs: Vec<_> = inputs.collect();
    let first = session.run(&inputs)?.into_iter().next();
    let first = first.ok_or_else(|| Error::shape("outputs of silero-vad", "speech_probs", "none"))?;
    first.expect("speech_probs", DType::F32, &[Some(clip.len() / WINDOW)])?;
    first.into_vec()
}

impl Model for SileroVad {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Onnx]
    }

    fn export(&self, request: &ExportRequest, _: &Weights, _: &Config) -> Result<Artifact> {
        let variant = request.variant.as_deref().unwrap_or("model");
        if request.kind != ArtifactKind::Onnx || variant != "model" || request.opset.is_some_and(|opset| opset != 16) {
            let opset = request.opset.map(|opset| format!(" of opset {opset}")).unwrap_or_default();
            let what = format!("{} graph `{variant}`{opset}", request.kind);
            return Err(Error::NotOffered { who: "silero-vad".into(), what, hint: "it hands on the onnx graph `model`, opset 16".into() });
        }
        let file = include_bytes!("../model/silero_vad_16k_sequence.onnx");
        Ok(Artifact::single(ArtifactKind::Onnx, "model", "silero_vad_16k_sequence.onnx", &file[..]))
    }

    fn import(&self, file: &Weights, _: Dialect, _: &Config) -> Result<Weights> {
        // The weights are inside the ONNX file, so there is no tensor to take.
        file.expect_keys("weights of silero-vad", [])?;
        Ok(Weights::new())
    }

    fn predict(&self, session: &mut dyn Session, batch: &Batch) -> Result<Prediction> {
        let audio = batch.field("audio")?;
        let &[clips, samples] = audio.shape() else {
            return Err(Error::shape("audio", "[batch, samples]", audio.shape()));
        };
        let mut all = Vec::with_capacity(clips * (samples / WINDOW));
        for clip in audio.as_slice::<f32>()?.chunks_exact(samples.max(1)) {
            all.extend(speech(session, clip)?);
        }
        Ok(Prediction { outputs: vec![("speech".into(), Tensor::from_vec([clips, samples / WINDOW], all)?)] })
    }

    fn evaluate(
        &self,
        session: &mut dyn Session,
        dataset: &dyn Dataset,
        _: &Config,
        bench: &mut dyn Workbench,
    ) -> Result<Option<Measurements>> {
        let audio = dataset.info().features.iter().position(|f| f.name == "audio").ok_or_else(|| Error::Unknown {
            kind: "data set field",
            name: "audio".into(),
            hint: format!("{} has none", dataset.info().name),
        })?;
        let items = bench.limit().unwrap_or(usize::MAX).min(dataset.len());
        let (mut alarms, mut total) = (0u64, 0u64);
        for index in 0..items {
            bench.check()?;
            bench.progress("clips", index as u64, Some(items as u64), "clips");
            let found = speech(session, dataset.get(index)?[audio].as_slice()?)?;
            alarms += found.iter().filter(|&&p| p >= THRESHOLD).count() as u64;
            total += found.len() as u64;
        }
        let Some(ci) = wilson95(alarms, total) else {
            return Err(Error::argument("clips to evaluate", "at least one window of 512 samples", "none"));
        };
        let rate = Estimate { value: 100.0 * alarms as f64 / total as f64, ci95: Some(ci.map(|bound| 100.0 * bound)), unit: "%".into() };
        Ok(Some(Measurements { items: items as u64, metrics: vec![("false_alarms".into(), rate)], ..Measurements::default() }))
    }
}

zoo_core::zoo_plugin! {
    name: "silero-vad",
    models: [silero_vad()],
}
