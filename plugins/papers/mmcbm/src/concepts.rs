//! The twelve concepts of the phantom and the table by which a class causes them (specification section 8, part A).

/// Names, each with its modality; a concept belongs to one. Sorted, as the columns of a bank are.
pub const CONCEPTS: [(&str, usize); 12] = [
    ("FA, bright core", 0),
    ("FA, lobulated edge", 0),
    ("FA, multiple foci", 0),
    ("FA, rim", 0),
    ("ICGA, fill-in", 1),
    ("ICGA, late rim", 1),
    ("ICGA, satellite spots", 1),
    ("ICGA, wash-out", 1),
    ("US, acoustic shadow", 2),
    ("US, high echo", 2),
    ("US, layered base", 2),
    ("US, mushroom shape", 2),
];

/// Number of concepts.
pub const COUNT: usize = CONCEPTS.len();

/// Classes, named after the paper's; the phantom's lesions have only their names.
pub const CLASSES: [&str; 3] = ["hemangioma", "metastasis", "melanoma"];

/// Probability of a concept, given the class: rows are concepts. Fixed; nothing else links class and image.
pub const TABLE: [[f64; 3]; COUNT] = [
    [0.9, 0.1, 0.1],
    [0.1, 0.9, 0.5],
    [0.5, 0.9, 0.1],
    [0.1, 0.5, 0.9],
    [0.9, 0.1, 0.5],
    [0.5, 0.1, 0.9],
    [0.1, 0.9, 0.1],
    [0.1, 0.5, 0.9],
    [0.1, 0.1, 0.9],
    [0.9, 0.5, 0.1],
    [0.5, 0.9, 0.1],
    [0.1, 0.1, 0.9],
];

/// Logarithms of the classes' probabilities given true concepts, up to a constant. Concepts of absent modalities are `None`.
pub fn bayes(truth: &[Option<bool>; COUNT]) -> Vec<f64> {
    (0..CLASSES.len())
        .map(|class| {
            let term = |(row, state): (&[f64; 3], &Option<bool>)| match state {
                Some(true) => row[class].ln(),
                Some(false) => (1.0 - row[class]).ln(),
                None => 0.0,
            };
            TABLE.iter().zip(truth).map(term).sum()
        })
        .collect()
}
