//! Glue around the training engine: operations, optimisers, schedules, checkpoints and seeds.
