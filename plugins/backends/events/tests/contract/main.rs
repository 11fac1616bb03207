//! The executor's contract: tests E1 to E15, hand-worked cases, goldens of other frameworks, hostile input.

mod nets;
mod neurobench;

mod costs;
mod e01_tick_equals_clocked;
mod e02_totals_do_not_depend_on_order;
mod e03_e05_orders;
mod e06_e08_rules;
mod e09_e10_leak_and_bias;
mod e11_synops;
mod e12_edges;
mod e13_e15_clocked_sources;
mod goldens;
mod hand_cases;
mod integers;
mod lanes;
mod pieces;
mod streams;
