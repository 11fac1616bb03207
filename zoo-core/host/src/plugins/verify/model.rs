//! Checks of a model family.

use super::kebab;
use super::repeat::{leaks, threads};
use super::report::Recorder;
use super::stand_in::{BATCH, Patterns, Stopped, Zeros};
use zoo_core::{Config, Dialect, Error, ExportRequest, Model, Prediction, Tensor, Weights};

pub(super) fn verify(record: &mut Recorder, model: &dyn Model) {
    let card = model.card();
    let subject = &format!("model {}", card.name);
    record.check(subject, "name is in kebab case", || kebab(&card.name));
    record.check(subject, "card says what it is, its licences, inputs and outputs", || {
        let gaps = [
            ("title", card.title.is_empty()),
            ("description", card.description.is_empty()),
            ("code_licence", card.code_licence.is_empty()),
            ("weights_licence", card.weights_licence.is_empty()),
            ("inputs", card.inputs.is_empty()),
            ("outputs", card.outputs.is_empty()),
        ];
        let empty: Vec<_> = gaps.into_iter().filter_map(|(name, gap)| gap.then_some(name)).collect();
        if empty.is_empty() { Ok(()) } else { Err(format!("empty: {}", empty.join(", "))) }
    });
    record.check(
        subject,
        "exports some format",
        || {
            if model.artifact_kinds().is_empty() { Err("no artifact kind".into()) } else { Ok(()) }
        },
    );
    exports(record, subject, model);
    record.refuses(subject, "refuses weights with unknown names", {
        let mut file = Weights::new();
        file.insert("no.such.tensor", Tensor::scalar(1f32));
        model.import(&file, Dialect::Zoo, &Config::default())
    });
    let act = model.act("no-such-command", &[], &card.name, &Config::default(), &mut Stopped);
    record.refuses(subject, "refuses a command it does not have", act);
    predicts(record, subject, model);
    stops(record, subject, model);
}

fn exports(record: &mut Recorder, subject: &str, model: &dyn Model) {
    for &kind in model.artifact_kinds() {
        let rule = format!("exports {kind}, the same bytes each time");
        let export = |request: &ExportRequest| model.export(request, &Weights::new(), &Config::default());
        record.check(subject, &format!("names its {kind} graphs"), || {
            if model.variants(kind).is_empty() { Err("no variant".into()) } else { Ok(()) }
        });
        record.refuses(
            subject,
            &format!("refuses an {kind} graph it does not have"),
            export(&ExportRequest::new(kind).variant("no-such-graph")),
        );
        let request = ExportRequest::new(kind);
        let Some(first) = record.attempt(subject, &rule, export(&request)) else { continue };
        record.check(subject, &rule, || {
            let again = export(&request).map_err(|e| e.to_string())?;
            first.main().map_err(|e| e.to_string())?;
            if first == again { Ok(()) } else { Err("two exports differ".into()) }
        });
        // Exports are the dearest calls; a tenth of the usual number shows a leak of their size.
        leaks(record, subject, &format!("export of {kind}"), {
            let mut call = 0usize;
            move || {
                call += 1;
                if call.is_multiple_of(10) { export(&request).map(drop) } else { Ok(()) }
            }
        });
    }
}

fn predict(model: &dyn Model) -> Result<Prediction, Error> {
    let card = model.card();
    let batch = Patterns::new(&card.inputs).batch_of()?;
    model.predict(&mut Zeros::new(&card.inputs, &card.outputs), &batch)
}

fn predicts(record: &mut Recorder, subject: &str, model: &dyn Model) {
    let rule = "predicts a batch, with the outputs its card declares";
    let Some(first) = record.attempt(subject, rule, predict(model)) else { return };
    record.check(subject, rule, || {
        for spec in &model.card().outputs {
            let tensor = first.get(&spec.name).map_err(|e| e.to_string())?;
            spec.check(tensor).map_err(|e| e.to_string())?;
            let leading = spec.shape.first().is_some_and(|dim| dim.fixed().is_none());
            if leading && tensor.shape().first() != Some(&BATCH) {
                return Err(format!("output `{}`: expected {BATCH} rows, found shape {:?}", spec.name, tensor.shape()));
            }
        }
        Ok(())
    });
    record.check(subject, "predicts the same twice", || {
        let again = predict(model).map_err(|e| e.to_string())?;
        if again == first { Ok(()) } else { Err("two predictions differ".into()) }
    });
    threads(record, subject, "prediction", || predict(model));
    leaks(record, subject, "prediction", || predict(model).map(drop));
}

fn stops(record: &mut Recorder, subject: &str, model: &dyn Model) {
    let card = model.card();
    let rule = "stops when the user asks";
    let mut session = Zeros::new(&card.inputs, &card.outputs);
    match model.evaluate(&mut session, &Patterns::new(&card.inputs), &Config::default(), &mut Stopped) {
        Ok(None) | Err(Error::Cancelled) => record.passed(subject, rule),
        Ok(Some(_)) => record.failed(subject, rule, "its own evaluation ran to the end; call `check()` of the workbench in its loop"),
        result @ Err(_) => drop(record.attempt(subject, rule, result)),
    }
}
