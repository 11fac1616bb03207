//! The table a Rust plugin exports. [`crate::zoo_plugin`] makes one for each crate.

use super::call::{Peer, guard};
use super::raw::*;
use super::wire::PluginFacts;
use super::{export, import, table as tables};
use crate::error::{Error, Result};
use crate::plugin::Plugin;

/// A crate's plugin, as the authoring macro defines it.
pub trait Entry {
    /// Builds the plugin.
    fn plugin() -> Plugin;
}

/// The table that hands over a crate's plugin.
pub const fn table<E: Entry>() -> ZooPlugin {
    ZooPlugin {
        magic: ZOO_MAGIC,
        abi_major: ZOO_ABI_MAJOR,
        abi_minor: ZOO_ABI_MINOR,
        size: size_of::<ZooPlugin>(),
        init: Some(init),
        describe: Some(describe::<E>),
        model: Some(model::<E>),
        dataset: Some(dataset::<E>),
        backend: Some(backend::<E>),
        trainer: Some(trainer::<E>),
    }
}

unsafe extern "C" fn init(host: *const ZooHost, out: *const ZooReturn) -> i32 {
    let body = |_: &_| {
        let peer = Peer::caller();
        // SAFETY: valid during the call, by the ABI.
        let host = unsafe { tables::read(host, &peer) }?;
        // SAFETY: the host keeps its reporter until the process ends, by the ABI.
        let reporter = unsafe { import::ForeignReporter::new(host.reporter, &peer) }?;
        super::forward::connect(reporter, import::level(host.max_level));
        Ok(())
    };
    // SAFETY: valid during the call, by the ABI.
    unsafe { guard(out, body) }
}

unsafe extern "C" fn describe<E: Entry>(out: *const ZooReturn) -> i32 {
    // SAFETY: valid during the call, by the ABI.
    unsafe {
        guard(out, |out| {
            let plugin = E::plugin();
            let facts = PluginFacts {
                name: plugin.info.name.clone(),
                version: plugin.info.version.clone(),
                registry: plugin.info.registry.clone(),
                models: plugin.models.len(),
                datasets: plugin.datasets.len(),
                backends: plugin.backends.len(),
                trainers: plugin.trainers.len(),
                ..PluginFacts::default()
            };
            out.json(&facts)
        })
    }
}

/// Builds the plugin anew for each object handed over: building is cheap, and no object can be handed over twice.
fn pick<E: Entry, T>(what: &str, index: usize, of: impl FnOnce(Plugin) -> Vec<T>) -> Result<T> {
    let mut all = of(E::plugin());
    if index >= all.len() {
        return Err(Error::argument(format!("index of a {what}"), format!("less than {}", all.len()), index));
    }
    Ok(all.swap_remove(index))
}

unsafe extern "C" fn model<E: Entry>(index: usize, model: *mut ZooModel, out: *const ZooReturn) -> i32 {
    // SAFETY: valid during the call, by the ABI.
    unsafe { guard(out, |_| hand_over(model, export::model(pick::<E, _>("model", index, |p| p.models)?))) }
}

unsafe extern "C" fn dataset<E: Entry>(index: usize, factory: *mut ZooDatasetFactory, out: *const ZooReturn) -> i32 {
    // SAFETY: valid during the call, by the ABI.
    unsafe { guard(out, |_| hand_over(factory, export::factory(pick::<E, _>("factory of data sets", index, |p| p.datasets)?))) }
}

unsafe extern "C" fn backend<E: Entry>(index: usize, backend: *mut ZooBackend, out: *const ZooReturn) -> i32 {
    // SAFETY: valid during the call, by the ABI.
    unsafe { guard(out, |_| hand_over(backend, export::backend(pick::<E, _>("backend", index, |p| p.backends)?))) }
}

unsafe extern "C" fn trainer<E: Entry>(index: usize, trainer: *mut ZooTrainer, out: *const ZooReturn) -> i32 {
    // SAFETY: valid during the call, by the ABI.
    unsafe { guard(out, |_| hand_over(trainer, export::trainer(pick::<E, _>("trainer", index, |p| p.trainers)?))) }
}

/// Writes a handle where the caller wants it.
///
/// # Safety
/// `target` is NULL or may be written to.
pub(super) unsafe fn hand_over<T>(target: *mut T, handle: T) -> Result<()> {
    if target.is_null() {
        return Err(Error::argument("place for a returned object", "a pointer", "NULL"));
    }
    // SAFETY: non-null, writable by contract.
    unsafe { target.write(handle) };
    Ok(())
}
