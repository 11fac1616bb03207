use super::*;
use crate::full_scale::CONFIGS;
use zoo_core::Silent;

#[test]
fn every_full_scale_configuration_is_complete() {
    for (name, _) in CONFIGS {
        let (paper, grid) = full_scale::read(name).unwrap();
        assert_eq!(grid.steps, [16, 32, 64, 128, 256], "{name}");
        assert_eq!(grid.pipelines.len(), 4, "{name}");
        assert_eq!(paper.network().unwrap().classes(), paper.network.classes, "{name}");
    }
}

/// Two CIFAR-10 networks, one synthetic image, few steps; larger ones and more steps are left to the command.
#[test]
fn cifar_networks_convert_and_export() {
    for (name, pipeline) in [("cifar10-vgg16-nobn", Pipeline::Light), ("cifar10-resnet20w", Pipeline::AdvancedWcPc)] {
        let (paper, _) = full_scale::read(name).unwrap();
        let report = run(name, &paper, 2, pipeline, &Silent).unwrap();
        assert_eq!(report["finite"], true, "{name}");
        assert_eq!(report["classes"], 10, "{name}");
    }
}
