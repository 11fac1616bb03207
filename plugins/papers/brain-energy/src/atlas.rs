//! Names of regions, for pictures alone: nothing is computed from them.

use serde::{Deserialize, Serialize};

/// Atlases whose regions have names here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Atlas {
    /// AAL2 without the cerebellum, 94 regions, left and right in turns (Rolls, Joliot and Tzourio-Mazoyer 2015).
    Aal2,
}

/// Regions of AAL2, each on both sides, and the part of the brain they are counted to.
const AAL2: [(&str, &str); 47] = [
    ("Precentral", "central"),
    ("Frontal Sup", "frontal"),
    ("Frontal Mid", "frontal"),
    ("Frontal Inf Oper", "frontal"),
    ("Frontal Inf Tri", "frontal"),
    ("Frontal Inf Orb", "frontal"),
    ("Rolandic Oper", "central"),
    ("Supp Motor Area", "central"),
    ("Olfactory", "frontal"),
    ("Frontal Sup Medial", "frontal"),
    ("Frontal Med Orb", "frontal"),
    ("Rectus", "frontal"),
    ("OFC med", "frontal"),
    ("OFC ant", "frontal"),
    ("OFC post", "frontal"),
    ("OFC lat", "frontal"),
    ("Insula", "insula, cingulate"),
    ("Cingulate Ant", "insula, cingulate"),
    ("Cingulate Mid", "insula, cingulate"),
    ("Cingulate Post", "insula, cingulate"),
    ("Hippocampus", "subcortical"),
    ("ParaHippocampal", "subcortical"),
    ("Amygdala", "subcortical"),
    ("Calcarine", "occipital"),
    ("Cuneus", "occipital"),
    ("Lingual", "occipital"),
    ("Occipital Sup", "occipital"),
    ("Occipital Mid", "occipital"),
    ("Occipital Inf", "occipital"),
    ("Fusiform", "occipital"),
    ("Postcentral", "central"),
    ("Parietal Sup", "parietal"),
    ("Parietal Inf", "parietal"),
    ("SupraMarginal", "parietal"),
    ("Angular", "parietal"),
    ("Precuneus", "parietal"),
    ("Paracentral Lobule", "central"),
    ("Caudate", "subcortical"),
    ("Putamen", "subcortical"),
    ("Pallidum", "subcortical"),
    ("Thalamus", "subcortical"),
    ("Heschl", "temporal"),
    ("Temporal Sup", "temporal"),
    ("Temporal Pole Sup", "temporal"),
    ("Temporal Mid", "temporal"),
    ("Temporal Pole Mid", "temporal"),
    ("Temporal Inf", "temporal"),
];

/// Name and part of the brain of region `place` (0-based) of an atlas; a number and "all" where there is none.
pub fn region(atlas: Option<Atlas>, place: usize) -> (String, &'static str) {
    match atlas.and_then(|Atlas::Aal2| AAL2.get(place / 2)) {
        Some((name, part)) => (format!("{name} {}", if place.is_multiple_of(2) { "L" } else { "R" }), part),
        None => (format!("region {place}"), "all"),
    }
}
