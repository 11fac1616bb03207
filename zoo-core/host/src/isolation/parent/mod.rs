//! The host's side: a plugin whose objects are in another process.

mod backend;
mod dataset;
mod hostile;
mod lent;
mod model;
mod process;
mod trainer;

pub use hostile::answered_by;

use super::lane::lock;
use super::limits::Isolation;
use super::message::{Call, Loading, Note, Offer};
use crate::plugins::{Inspected, Refusal};
use process::Process;
use std::sync::{Arc, Mutex};
use zoo_core::{Error, Plugin, Result};

/// A plugin with a process of its own, which is started again when it is needed after it has ended.
struct Isolated {
    how: Isolation,
    library: Inspected,
    offer: Offer,
    current: Mutex<Arc<Process>>,
}

impl Isolated {
    /// The process, a new one if the last has ended.
    fn process(&self) -> Result<Arc<Process>> {
        let mut current = lock(&self.current);
        if current.ended() {
            let (process, offer) = start(&self.how, &self.library).map_err(|why| why.at(&self.library.path))?;
            if offer != self.offer {
                let message = "offers something else than when it was first opened".into();
                return Err(Error::Plugin { plugin: self.offer.info.name.clone(), message });
            }
            *current = process;
        }
        Ok(Arc::clone(&current))
    }
}

/// Starts a process and has it open the library.
fn start(how: &Isolation, library: &Inspected) -> Result<(Arc<Process>, Offer), Refusal> {
    let origin = library.path.display().to_string();
    let started = Process::start(&how.program, &how.arguments, &origin, how.limits);
    let process = Arc::new(started.map_err(|e| Refusal::Unloadable(format!("starting {} to run it in: {e}", how.program.display())))?);
    let load = Call::Load {
        library: library.path.clone(),
        sha256: library.sha256.clone(),
        memory: how.limits.memory,
        level: crate::plugins::most(),
    };
    let (loading, _) = process.ask::<Loading>("opening the library", &[], load).map_err(Refusal::Plugin)?;
    match loading {
        Loading::Unloadable(why) => Err(Refusal::Unloadable(why)),
        Loading::Offers(offer) => {
            process.is_called(&offer.info.name);
            Ok((process, offer))
        }
    }
}

/// Opens a library that was looked at and found trusted, in a process of its own.
pub(crate) fn open(how: &Isolation, library: &Inspected) -> Result<Plugin, Refusal> {
    let (process, offer) = start(how, library)?;
    let how = how.clone();
    let isolated = Arc::new(Isolated { how, library: library.clone(), offer, current: Mutex::new(process) });
    let offer = &isolated.offer;
    Ok(Plugin {
        info: offer.info.clone(),
        models: (0..offer.models.len()).map(|index| Box::new(model::RemoteModel::new(Arc::clone(&isolated), index)) as _).collect(),
        datasets: (0..offer.factories.len())
            .map(|index| Box::new(dataset::RemoteFactory::new(Arc::clone(&isolated), index)) as _)
            .collect(),
        backends: (0..offer.backends.len()).map(|index| Box::new(backend::RemoteBackend::new(Arc::clone(&isolated), index)) as _).collect(),
        trainers: (0..offer.trainers.len()).map(|index| Box::new(trainer::RemoteTrainer::new(Arc::clone(&isolated), index)) as _).collect(),
    })
}

/// An object in a plugin's process, given back when it is dropped.
struct Object {
    process: Arc<Process>,
    number: u64,
    note: fn(u64) -> Note,
}

impl Drop for Object {
    fn drop(&mut self) {
        self.process.note(&(self.note)(self.number));
    }
}
