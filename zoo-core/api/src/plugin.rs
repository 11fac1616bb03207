//! How plugins make themselves known.

use crate::backend::Backend;
use crate::dataset::DatasetFactory;
use crate::model::Model;
use crate::trainer::Trainer;
use serde::{Deserialize, Serialize};

/// Facts about a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginInfo {
    /// Name in `registry.toml`, in kebab case.
    pub name: String,
    /// Version of the plugin's crate.
    pub version: String,
    /// Registry tables of what the plugin brings itself, as TOML text; empty for in-tree plugins, which `registry.toml` lists.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub registry: String,
}

/// Everything a plugin offers.
pub struct Plugin {
    /// Name and version.
    pub info: PluginInfo,
    /// Model families.
    pub models: Vec<Box<dyn Model>>,
    /// Factories of data sets.
    pub datasets: Vec<Box<dyn DatasetFactory>>,
    /// Backends.
    pub backends: Vec<Box<dyn Backend>>,
    /// Trainers; empty unless the plugin was built with its training engine.
    pub trainers: Vec<Box<dyn Trainer>>,
}

/// An in-tree plugin, collected at link time. Made by [`zoo_plugin!`](crate::zoo_plugin).
pub struct StaticPlugin {
    /// Builds the plugin.
    pub make: fn() -> Plugin,
}

inventory::collect!(StaticPlugin);

/// The statically linked plugins, sorted by name, so that link order never matters.
pub fn linked() -> Vec<Plugin> {
    let mut plugins: Vec<_> = inventory::iter::<StaticPlugin>.into_iter().map(|p| (p.make)()).collect();
    plugins.sort_by(|a, b| a.info.name.cmp(&b.info.name));
    plugins
}

/// Registers what a crate offers, under the crate's version.
///
/// ```
/// # use zoo_core::{Availability, Artifact, ArtifactKind, Backend, Device, Options, Result, Session};
/// struct Nothing;
/// impl Backend for Nothing {
///     fn name(&self) -> &str { "nothing" }
///     fn description(&self) -> &str { "accepts nothing" }
///     fn probe(&self) -> Availability { Availability::Ready { version: "1".into(), devices: vec!["cpu".into()] } }
///     fn accepts(&self) -> &[ArtifactKind] { &[] }
///     fn compile(&self, artifact: &Artifact, _: &Device, _: &Options) -> Result<Box<dyn Session>> {
///         Err(zoo_core::Error::NotOffered { who: "nothing".into(), what: artifact.kind.to_string(), hint: "use another backend".into() })
///     }
/// }
/// zoo_core::zoo_plugin! { name: "nothing", backends: [Nothing] }
/// # fn main() { assert_eq!(zoo_core::plugin::linked()[0].info.name, "nothing"); }
/// ```
#[macro_export]
macro_rules! zoo_plugin {
    (
        name: $name:expr
        $(, registry: $registry:expr)?
        $(, models: [$($model:expr),* $(,)?])?
        $(, datasets: [$($dataset:expr),* $(,)?])?
        $(, backends: [$($backend:expr),* $(,)?])?
        $(, trainers: [$($(#[$attr:meta])* $trainer:expr),* $(,)?])?
        $(,)?
    ) => {
        /// Builds this crate's plugin.
        pub fn zoo_plugin() -> $crate::Plugin {
            $crate::Plugin {
                info: $crate::PluginInfo {
                    name: $name.into(),
                    version: env!("CARGO_PKG_VERSION").into(),
                    registry: concat!($($registry)?).into(),
                },
                models: vec![$($(Box::new($model)),*)?],
                datasets: vec![$($(Box::new($dataset)),*)?],
                backends: vec![$($(Box::new($backend)),*)?],
                trainers: vec![$($($(#[$attr])* Box::new($trainer)),*)?],
            }
        }
        $crate::inventory::submit! { $crate::plugin::StaticPlugin { make: zoo_plugin } }
        const _: () = {
            struct Entry;
            impl $crate::abi::Entry for Entry {
                fn plugin() -> $crate::Plugin {
                    zoo_plugin()
                }
            }
            // The crate's name keeps the symbols of plugins that are linked into one program apart.
            #[used]
            #[unsafe(export_name = concat!("zoo_plugin_table__", env!("CARGO_CRATE_NAME")))]
            static TABLE: $crate::abi::ZooPlugin = $crate::abi::table::<Entry>();
        };
    };
}
