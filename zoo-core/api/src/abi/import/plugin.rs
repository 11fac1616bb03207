//! A plugin's table as a [`Plugin`].

use super::backend::ForeignBackend;
use super::bench::level_number;
use super::dataset::ForeignFactory;
use super::model::ForeignModel;
use super::trainer::ForeignTrainer;
use crate::abi::call::Peer;
use crate::abi::export::lend_reporter;
use crate::abi::raw::*;
use crate::abi::wire::{PluginFacts, Threads};
use crate::error::{Error, Result};
use crate::plugin::{Plugin, PluginInfo};
use crate::services::{Level, Reporter};

/// Most objects of a kind that one plugin may offer.
const MOST_OBJECTS: usize = 4096;

/// Checks the part of a table that never moves, and takes what this version knows of it.
///
/// # Safety
/// `table` is NULL or points to at least 24 readable bytes, and to as many as it declares once the magic number is right.
///
/// # Errors
/// [`Error::Plugin`], naming `origin`: wrong magic number, another major version, or a table that is too short.
pub unsafe fn check_table(table: *const ZooPlugin, origin: &str) -> Result<ZooPlugin> {
    let refuse = |message: String| Err(Error::Plugin { plugin: origin.into(), message });
    if table.is_null() {
        return refuse("its table is NULL".into());
    }
    // SAFETY: the head is readable by contract; each member is read for itself, since the rest may not be there.
    let (magic, major, minor, size) = unsafe {
        let field = |offset| table.cast::<u8>().add(offset);
        (
            field(std::mem::offset_of!(ZooPlugin, magic)).cast::<u64>().read_unaligned(),
            field(std::mem::offset_of!(ZooPlugin, abi_major)).cast::<u32>().read_unaligned(),
            field(std::mem::offset_of!(ZooPlugin, abi_minor)).cast::<u32>().read_unaligned(),
            field(std::mem::offset_of!(ZooPlugin, size)).cast::<usize>().read_unaligned(),
        )
    };
    if magic != ZOO_MAGIC {
        return refuse(format!("wrong magic number {magic:#018x}, expected {ZOO_MAGIC:#018x}: the table is not a zoo plugin's"));
    }
    if major != ZOO_ABI_MAJOR {
        return refuse(format!("plugin ABI {major}.{minor}, this host speaks {ZOO_ABI_MAJOR}.x: rebuild the plugin against this zoo"));
    }
    let first = std::mem::offset_of!(ZooPlugin, trainer) + size_of::<usize>();
    if size < first {
        return refuse(format!("its table has {size} bytes, ABI 1.0 has {first}: it is cut short"));
    }
    let mut known = std::mem::MaybeUninit::<ZooPlugin>::zeroed();
    // SAFETY: `size` bytes are readable by contract, no more than fit are copied, and zero is valid for the rest.
    let known = unsafe {
        std::ptr::copy_nonoverlapping(table.cast::<u8>(), known.as_mut_ptr().cast::<u8>(), size.min(size_of::<ZooPlugin>()));
        known.assume_init()
    };
    if known.describe.is_none() {
        return refuse("function `describe` is NULL".into());
    }
    Ok(known)
}

/// Turns a plugin's table into a [`Plugin`] whose objects can't be told from linked ones. `origin` names it in messages
/// until it has told its own name; `host` gets its log lines up to `most`.
///
/// # Safety
/// As [`check_table`], the table follows the ABI, and its library is never unloaded.
///
/// # Errors
/// [`Error::Plugin`] if the table is refused, a fact is not JSON of the documented form or a function panics, else what
/// the plugin reports.
pub unsafe fn load(table: *const ZooPlugin, origin: &str, host: &'static dyn Reporter, most: Level) -> Result<Plugin> {
    // SAFETY: passed on.
    let table = unsafe { check_table(table, origin) }?;
    let peer = Peer::plugin(origin, true);
    if let Some(init) = table.init {
        let host = ZooHost {
            size: size_of::<ZooHost>(),
            abi_major: ZOO_ABI_MAJOR,
            abi_minor: ZOO_ABI_MINOR,
            max_level: level_number(most),
            reporter: lend_reporter(host),
        };
        // SAFETY: the plugin's own function; `host` lives through the call and its reporter for ever.
        peer.call("init", |out| unsafe { init(&raw const host, out) })?;
    }
    let describe = table.describe.ok_or_else(|| peer.broke("function `describe` is NULL"))?;
    // SAFETY: as above.
    let facts: PluginFacts = peer.call("facts of the plugin", |out| unsafe { describe(out) })?.json()?;
    if facts.name.is_empty() {
        return Err(peer.broke("facts of the plugin: the name is empty"));
    }
    let peer = Peer::plugin(&facts.name, facts.threads == Threads::One);
    Ok(Plugin {
        models: objects(&peer, "model", facts.models, table.model, |handle: ZooModel| {
            // SAFETY: the plugin said it wrote the handle; a table that is still NULL is refused. So below.
            unsafe { ForeignModel::new(handle, &peer) }.map(|object| Box::new(object) as _)
        })?,
        datasets: objects(&peer, "dataset", facts.datasets, table.dataset, |handle: ZooDatasetFactory| {
            // SAFETY: as above.
            unsafe { ForeignFactory::new(handle, &peer) }.map(|object| Box::new(object) as _)
        })?,
        backends: objects(&peer, "backend", facts.backends, table.backend, |handle: ZooBackend| {
            // SAFETY: as above.
            unsafe { ForeignBackend::new(handle, &peer) }.map(|object| Box::new(object) as _)
        })?,
        trainers: objects(&peer, "trainer", facts.trainers, table.trainer, |handle: ZooTrainer| {
            // SAFETY: as above.
            unsafe { ForeignTrainer::new(handle, &peer) }.map(|object| Box::new(object) as _)
        })?,
        info: PluginInfo { name: facts.name, version: facts.version, registry: facts.registry },
    })
}

type Pick<H> = unsafe extern "C" fn(usize, *mut H, *const ZooReturn) -> i32;

/// Takes over `count` objects of a kind.
fn objects<H, O>(peer: &Peer, what: &str, count: usize, pick: Option<Pick<H>>, wrap: impl Fn(H) -> Result<O>) -> Result<Vec<O>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if count > MOST_OBJECTS {
        return Err(peer.broke(format!("declares {count} objects of kind {what}, at most {MOST_OBJECTS} are taken")));
    }
    let pick = pick.ok_or_else(|| peer.broke(format!("declares {count} objects of kind {what}, but function `{what}` is NULL")))?;
    let one = |index| {
        let mut handle = std::mem::MaybeUninit::<H>::zeroed();
        // SAFETY: the plugin's own function; the place lives through the call.
        peer.call(&format!("{what} {index}"), |out| unsafe { pick(index, handle.as_mut_ptr(), out) })?;
        // SAFETY: a handle is two pointers, for which zero is valid.
        wrap(unsafe { handle.assume_init() })
    };
    (0..count).map(one).collect()
}
